//! What operators and orchestrators ask a running process: `/health`, `/ready` and `/metrics`, on one small server.
//!
//! It has a thread and an event loop of its own, so a busy pipeline cannot delay an answer, and it goes on answering
//! while the pipeline finishes after a stop. It only reads what others count: it never touches the pipeline.

mod ask;
mod health;
mod pages;
mod serve;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use schemas::{Problem, Recovery};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

pub use ask::{AskError, WorkerAnswer, ask};
pub use health::{Facts, Health, Program};
pub use pages::{Ask, Render, Told};

/// Ports that are tried when `http.listen` is not set: who runs more workers on one host configures ports.
const PORTS_TRIED: u16 = 16;
/// Connections beyond this are a slip of the pen: each takes a file descriptor from Kafka's.
const CONNECTIONS_MAX: usize = 10_000;

/// `[http]`, as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSettings {
    pub enabled: bool,
    /// Address and port; port 0 takes a free one. A free port of the program's own choice when `None`.
    pub listen: Option<String>,
    pub connections_max: usize,
    pub request_wait_ms: u64,
}

/// The same, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    enabled: bool,
    listen: Option<SocketAddr>,
    connections_max: NonZeroUsize,
    request_wait: Duration,
}

impl TryFrom<HttpSettings> for HttpConfig {
    type Error = Vec<Problem>;

    fn try_from(settings: HttpSettings) -> Result<Self, Vec<Problem>> {
        let HttpSettings { enabled, listen, connections_max, request_wait_ms } = settings;
        let mut problems = Vec::new();
        let address = listen.as_ref().and_then(|listen| listen.parse().ok());
        if let (Some(found), None) = (&listen, address) {
            let expected = "expected an address and a port such as 127.0.0.1:9464 or 0.0.0.0:9464";
            problems.push(Problem::new("http.listen", format!("{expected}, found {found:?}")));
        }
        if !(1..=CONNECTIONS_MAX).contains(&connections_max) {
            let expected = format!("expected 1 to {CONNECTIONS_MAX}, found {connections_max}");
            problems.push(Problem::new("http.connections_max", expected));
        }
        if !(100..=600_000).contains(&request_wait_ms) {
            let expected = format!("expected 100 to 600000 ms, found {request_wait_ms}");
            problems.push(Problem::new("http.request_wait_ms", expected));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let connections_max = NonZeroUsize::new(connections_max).unwrap_or(NonZeroUsize::MIN);
        Ok(Self { enabled, listen: address, connections_max, request_wait: Duration::from_millis(request_wait_ms) })
    }
}

impl HttpConfig {
    /// Where a worker with these settings is asked on its own host, `default_port` being its program's; `None` when it takes
    /// any free port, which only its log names.
    pub fn own_address(&self, default_port: u16) -> Option<SocketAddr> {
        let mut address = self.listen.unwrap_or_else(|| default_address(default_port));
        if address.ip().is_unspecified() {
            address.set_ip(match address.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        (address.port() != 0).then_some(address)
    }

    /// How long one request may take.
    pub fn request_wait(&self) -> Duration {
        self.request_wait
    }
}

/// Why the server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error(
        "listen on {address} for /health, /ready and /metrics (--set http.listen={}:0 takes a free port, --set \
         http.enabled=false turns them off)", .address.ip()
    )]
    Bind { address: SocketAddr, source: io::Error },
    #[error("start the HTTP thread")]
    Thread(#[source] io::Error),
}

impl HttpError {
    pub fn recovery(&self) -> Recovery {
        Recovery::Exit
    }
}

/// A running server; it answers until it is closed or dropped.
pub struct Server {
    address: SocketAddr,
    close: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens and answers from now on; `Ok(None)` when the server is switched off.
    ///
    /// # Errors
    /// When the address is taken or not of this machine: the message says what to set instead.
    pub fn start(config: HttpConfig, health: Arc<Health>, told: Told) -> Result<Option<Self>, HttpError> {
        if !config.enabled {
            return Ok(None);
        }
        let listener = listen(config.listen, health.program().port)?;
        let own = |source| HttpError::Bind { address: config.listen.unwrap_or(default_address(0)), source };
        listener.set_nonblocking(true).map_err(own)?;
        let address = listener.local_addr().map_err(own)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(HttpError::Thread)?;
        let close = CancellationToken::new();
        let closed = close.clone();
        let limits = serve::Limits { connections_max: config.connections_max, request_wait: config.request_wait };
        let serve = move || {
            let pages = pages::router(Arc::clone(&health), told);
            if let Err(error) = runtime.block_on(serve::serve(listener, pages, limits, &health, &closed)) {
                tracing::error!(%error, "the HTTP server ended");
            }
            runtime.shutdown_background(); // a page that asks Kafka may still wait for it
        };
        let thread = thread::Builder::new().name("http".to_owned()).spawn(serve).map_err(HttpError::Thread)?;
        tracing::info!(%address, "serving /health, /ready and /metrics");
        Ok(Some(Self { address, close, thread: Some(thread) }))
    }

    /// Where it listens, with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    /// Finishes the answers under way, within a second.
    fn drop(&mut self) {
        self.close.cancel();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the HTTP thread panicked");
        }
    }
}

fn default_address(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// The address that was asked for, and no other; else the first free port of the program's own on the loopback, so that
/// several workers on one host need no settings.
fn listen(asked: Option<SocketAddr>, first_port: u16) -> Result<TcpListener, HttpError> {
    if let Some(address) = asked {
        return TcpListener::bind(address).map_err(|source| HttpError::Bind { address, source });
    }
    let mut address = default_address(first_port);
    for _ in 1..PORTS_TRIED {
        match TcpListener::bind(address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                tracing::info!(%address, "port in use, trying the next one (set http.listen for a fixed address)");
                address.set_port(address.port().saturating_add(1));
            }
            result => return result.map_err(|source| HttpError::Bind { address, source }),
        }
    }
    TcpListener::bind(address).map_err(|source| HttpError::Bind { address, source })
}

#[cfg(test)]
mod tests;
