//! From an address to a folder: what the cache knows, who has to be asked, and what holds when nobody answers.
//!
//! What never changes (a version, a commit, a digest) is asked for once. What may move (an alias, a branch, a prefix) is
//! asked for at each start, and what it stood for last still holds while its registry says nothing. A registry that
//! says no is obeyed.

use service::chain;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use url::Url;

use crate::address::meant::no_folder;
use crate::address::{Address, Version};
use crate::archive::{self, Bounds};
use crate::cache::{Cache, Damage, Remembered, now, try_lock};
use crate::contents::{Wanted, gather};
use crate::download::Downloads;
use crate::error::FetchError;
use crate::http::Http;
use crate::mlflow::{self, Mlflow};
use crate::remote::{Content, Remote, Resolved, local};
use crate::settings::{PackagesConfig, Variables};
use crate::{bucket, hub, web};

/// How often a lock of another process is tried.
const LOCK_EVERY: Duration = Duration::from_millis(100);

/// Folders below an unpacked package that are looked into: `onnx`, and one to spare.
const DEPTH: usize = 2;

/// A package that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    pub folder: PathBuf,
    /// The model's name where the package says none; the folder's own when `None`.
    pub name: Option<String>,
    /// What the address stood for, such as `version 3`, and the digest of all files; `None` for a folder as written.
    pub resolved: Option<(String, String)>,
}

/// Where packages are fetched to: a folder is used as it is, anything else is in the cache afterwards.
///
/// # Errors
/// See [`FetchError`]; nothing half is left where it could be taken for a package.
pub fn fetch(
    address: &Address,
    config: &PackagesConfig,
    variables: &Variables,
    stop: &CancellationToken,
) -> Result<Fetched, FetchError> {
    if let Address::Folder(folder) = address {
        if !folder.is_dir() {
            return Err(FetchError::NoFolder { folder: folder.display().to_string(), hint: no_folder(folder) });
        }
        return Ok(Fetched { folder: folder.clone(), name: None, resolved: None });
    }
    let root = cache_folder(config, variables)?;
    let fetcher = Fetcher { address, written: address.to_string(), config, variables, cache: Cache::open(&root)? };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| FetchError::Client(error.into()))?;
    runtime.block_on(async {
        tokio::select! {
            fetched = fetcher.fetch() => fetched,
            () = stop.cancelled() => Err(FetchError::Interrupted { address: address.to_string() }),
        }
    })
}

/// The cache's folder, of the settings or of the environment.
///
/// # Errors
/// When neither names one.
pub fn cache_folder(config: &PackagesConfig, variables: &Variables) -> Result<PathBuf, FetchError> {
    config.cache.clone().or_else(|| variables.cache.clone()).ok_or(FetchError::NoCacheFolder)
}

struct Fetcher<'a> {
    address: &'a Address,
    /// The address as text.
    written: String,
    config: &'a PackagesConfig,
    variables: &'a Variables,
    cache: Cache,
}

/// A package in the cache.
struct Found {
    package: String,
    folder: PathBuf,
    /// The lock of a download, until its address is remembered: then nobody takes the package for a leftover.
    _held: Option<fs::File>,
}

/// Who is asked; read before anything else, because the same name means another model on another server.
enum Registry {
    Mlflow(Url),
    Hub(Url),
    /// Amazon's own when `None`.
    Bucket(Option<String>),
    /// The address says it.
    Web,
}

impl Fetcher<'_> {
    async fn fetch(&self) -> Result<Fetched, FetchError> {
        let registry = self.registry()?;
        let key = self.key(&registry);
        let known = self.cache.recall(&key);
        let is_asked = !self.config.offline && self.config.refresh && !self.is_fixed();
        if !is_asked {
            match known.as_ref().map(|known| self.cache.check(&known.package)) {
                Some(Ok(folder)) => return self.use_known(&key, known.expect("it was just looked at"), folder),
                Some(Err(damage)) if self.config.offline => {
                    tracing::error!(package = self.written, %damage, "the package in the cache cannot be used");
                    let problem = "the package in the cache is damaged";
                    return Err(FetchError::NotCached { address: self.written.clone(), problem });
                }
                None if self.config.offline => {
                    let problem = "it is not in the cache";
                    return Err(FetchError::NotCached { address: self.written.clone(), problem });
                }
                Some(Err(_)) | None => {}
            }
        }
        let http = Http::new(self.config)?;
        let asked = self.within(async {
            let resolved = self.resolve(&http, &registry).await?;
            let resolved = Resolved { pin: self.of_model(resolved.pin), ..resolved };
            let package = self.package(&http, &resolved).await?;
            Ok((resolved.said, package))
        });
        match asked.await {
            Ok((resolved, Found { package, folder, _held })) => {
                let known = Remembered { address: self.written.clone(), resolved, package, asked: now(), used: now() };
                self.use_known(&key, known, folder)
            }
            Err(error) if error.is_unreachable() => self.fall_back(&key, known, error),
            Err(error) => Err(error),
        }
    }

    /// What the registry said last, when it says nothing now.
    fn fall_back(&self, key: &str, known: Option<Remembered>, error: FetchError) -> Result<Fetched, FetchError> {
        let whole = known.and_then(|known| self.cache.check(&known.package).ok().map(|folder| (known, folder)));
        let Some((known, folder)) = whole else { return Err(error) };
        tracing::warn!(
            package = self.written,
            resolved = known.resolved,
            age_s = now().saturating_sub(known.asked),
            error = chain(&error),
            "the registry cannot be reached: using its last answer"
        );
        self.use_known(key, known, folder)
    }

    fn use_known(&self, key: &str, known: Remembered, folder: PathBuf) -> Result<Fetched, FetchError> {
        let known = Remembered { used: now(), ..known };
        if let Err(error) = self.cache.remember(key, &known) {
            // A cache that is mounted for reading only is as good; only its age is not known.
            tracing::debug!(error = chain(&error), "failed to record the use of a package");
        }
        tracing::info!(
            package = self.written,
            resolved = known.resolved,
            sha256 = known.package,
            folder = %folder.display(),
            "package"
        );
        Ok(Fetched { folder, name: self.address.name(), resolved: Some((known.resolved, known.package)) })
    }

    fn registry(&self) -> Result<Registry, FetchError> {
        let endpoint = match self.address {
            Address::Mlflow { .. } => mlflow::endpoint(self.config, self.variables).map(Registry::Mlflow),
            Address::Hub { .. } => hub::endpoint(self.config, self.variables).map(Registry::Hub),
            Address::Bucket { .. } => bucket::endpoint(self.config, self.variables).map(Registry::Bucket),
            Address::Web { .. } | Address::Folder(_) => Ok(Registry::Web),
        };
        endpoint.map_err(|problem| FetchError::Refused { address: self.written.clone(), problem })
    }

    fn key(&self, registry: &Registry) -> String {
        let address = &self.written;
        let key = match registry {
            Registry::Mlflow(endpoint) | Registry::Hub(endpoint) => format!("{address} at {endpoint}"),
            Registry::Bucket(endpoint) => format!("{address} at {}", endpoint.as_deref().unwrap_or_default()),
            Registry::Web => address.clone(),
        };
        self.of_model(key)
    }

    /// Another model of the same address is another package.
    fn of_model(&self, key: String) -> String {
        match &self.config.model_file {
            Some(file) => format!("{key} model {file}"),
            None => key,
        }
    }

    /// True when the address always stands for the same content.
    fn is_fixed(&self) -> bool {
        match self.address {
            Address::Mlflow { version, .. } => matches!(version, Version::Number(_)),
            Address::Hub { revision, .. } => hub::is_commit(revision),
            Address::Web { .. } => true,
            Address::Bucket { .. } | Address::Folder(_) => false,
        }
    }

    async fn resolve(&self, http: &Http, registry: &Registry) -> Result<Resolved, FetchError> {
        match (self.address, registry) {
            (Address::Mlflow { model, version }, Registry::Mlflow(endpoint)) => {
                let server = Mlflow {
                    http,
                    address: &self.written,
                    endpoint: endpoint.clone(),
                    config: self.config,
                    variables: self.variables,
                };
                server.resolve(model, version).await
            }
            (Address::Hub { repository, revision }, Registry::Hub(endpoint)) => {
                hub::resolve(http, &self.written, endpoint, self.variables, (repository, revision)).await
            }
            (Address::Bucket { bucket, prefix }, Registry::Bucket(endpoint)) => {
                bucket::resolve(&self.written, (bucket, prefix), self.config, endpoint.as_deref()).await
            }
            (Address::Web { url, sha256 }, _) => web::resolve(http, &self.written, url, sha256).await,
            _ => unreachable!("a folder is not fetched, and each address has its own registry"),
        }
    }

    /// The package of what was resolved: from the cache, or else downloaded, by one process at a time.
    async fn package(&self, http: &Http, resolved: &Resolved) -> Result<Found, FetchError> {
        if let Some(found) = self.cached(resolved) {
            return Ok(found);
        }
        let held = self.lock(&resolved.pin).await?;
        if let Some(found) = self.cached(resolved) {
            return Ok(found);
        }
        let partial = self.cache.partial(&resolved.pin);
        let begun = Instant::now();
        tracing::info!(package = self.written, resolved = resolved.said, "fetching");
        let downloaded = self.download(http, resolved, &partial).await;
        if let Err(FetchError::Refused { .. } | FetchError::Digest { .. } | FetchError::TooLarge { .. }) = &downloaded {
            fs::remove_dir_all(&partial).ok(); // nothing of it will be of use
        }
        let package = downloaded?;
        self.cache.pin(&resolved.pin, &package)?;
        fs::remove_dir_all(&partial).ok(); // an archive that was unpacked; prune finds what is left
        let folder = self.cache.check(&package).map_err(|damage| FetchError::Cache {
            action: "read back",
            path: self.cache.root().join("packages").join(&package),
            source: std::io::Error::other(damage),
        })?;
        tracing::info!(package = self.written, sha256 = package, seconds = begun.elapsed().as_secs(), "fetched");
        Ok(Found { package, folder, _held: Some(held) })
    }

    fn cached(&self, resolved: &Resolved) -> Option<Found> {
        let package = self.cache.pinned(&resolved.pin)?;
        match self.cache.check(&package) {
            Ok(folder) => Some(Found { package, folder, _held: None }),
            Err(Damage::Missing) => None,
            Err(damage) => {
                tracing::warn!(
                    package = self.written, %damage,
                    "the package in the cache is damaged, downloading it again"
                );
                None
            }
        }
    }

    async fn download(&self, http: &Http, resolved: &Resolved, partial: &Path) -> Result<String, FetchError> {
        let mut downloads = Downloads::new(http, self.written.clone(), self.config.bytes_max);
        let folder = partial.join("package");
        let place = if let Address::Hub { repository, .. } = self.address { repository } else { "PATH/TO/IT" };
        let wanted = Wanted { address: &self.written, place, model_file: self.config.model_file.as_deref() };
        let names = match &resolved.content {
            Content::Files(files) => gather(&mut downloads, wanted, files, &folder).await?,
            Content::Archive(remote) => {
                let files = self.unpack(&mut downloads, remote, partial).await?;
                let mut copies = Downloads::new(http, self.written.clone(), self.config.bytes_max);
                gather(&mut copies, wanted, &files, &folder).await?
            }
        };
        self.cache.install(&folder, &names)
    }

    /// Fetches an archive, and unpacks it beside.
    async fn unpack(
        &self,
        downloads: &mut Downloads<'_>,
        remote: &Remote,
        partial: &Path,
    ) -> Result<Vec<Remote>, FetchError> {
        let archive = downloads.fetch(remote, partial).await?;
        let unpacked = partial.join("unpacked");
        let at = |source| FetchError::Cache { action: "unpack into", path: unpacked.clone(), source };
        if unpacked.exists() {
            fs::remove_dir_all(&unpacked).map_err(at)?; // of a process that was killed
        }
        let bounds = Bounds { bytes_max: self.config.bytes_max, files_max: self.config.files_max };
        archive::unpack(&archive, &remote.name, &unpacked, bounds)
            .map_err(|error| FetchError::Refused { address: self.written.clone(), problem: error.to_string() })?;
        let root = archive::root(&unpacked).map_err(at)?;
        let mut files = Vec::new();
        local(&root, "", DEPTH, &mut files).map_err(at)?;
        Ok(files)
    }

    /// Waits until nobody else fetches the same.
    async fn lock(&self, pin: &str) -> Result<fs::File, FetchError> {
        let (path, begun) = (self.cache.lock_file(pin), Instant::now());
        loop {
            if let Some(held) = try_lock(&path)? {
                return Ok(held);
            }
            if begun.elapsed() < LOCK_EVERY {
                tracing::info!(
                    package = self.written, lock = %path.display(),
                    "another process is downloading it, waiting"
                );
            }
            if begun.elapsed() > self.config.fetch_wait {
                let waited = begun.elapsed();
                return Err(FetchError::Locked { address: self.written.clone(), lock: path, waited });
            }
            tokio::time::sleep(LOCK_EVERY).await;
        }
    }

    /// Waits for all of it, but not for ever.
    async fn within<T>(&self, work: impl Future<Output = Result<T, FetchError>>) -> Result<T, FetchError> {
        let waited = self.config.fetch_wait;
        let slow = |_| FetchError::TooSlow { address: self.written.clone(), waited };
        tokio::time::timeout(waited, work).await.map_err(slow)?
    }
}
