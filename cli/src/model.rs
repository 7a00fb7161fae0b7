//! `labelstream model ...`: looks at model packages, and at the cache of those that were fetched.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::Subcommand;
use engine::check::check;
use packages::cache::{Cache, CachedPackage};
use packages::fetch::cache_folder;
use service::settings::{Flag, Layers, SettingsError};
use workers::settings::uses;
use workers::{model_source, settings};

use crate::failure::Failure;
use crate::settings_arguments::layers;
use crate::start::{self, Started};

const EXAMPLES: &str = "\
Examples:
  labelstream model check models/banking77-minilm
  labelstream model check models:/intents@champion
  labelstream model pull hf://acme/intents@v1.2
  labelstream model list
  labelstream model prune --unused-days 30

A package is a folder as Hugging Face exports it: model.onnx, tokenizer.json, config.json, and optionally \
labelstream.json with digests and golden texts; or the address of one. Exits with 78 if a worker would not accept the \
package.";

const SECONDS_OF_A_DAY: u64 = 86_400;

/// Inspect model packages, and manage the package cache.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ModelArguments {
    #[command(subcommand)]
    command: ModelCommand,
}

#[derive(Debug, Subcommand)]
enum ModelCommand {
    /// Open a package as a worker would, and show its contents and its speed on this machine
    #[command(after_help = EXAMPLES)]
    Check {
        /// Folder or address of the package
        #[arg(value_name = "FOLDER|ADDRESS")]
        package: String,
        #[command(flatten)]
        flags: CacheFlags,
    },
    /// Download a package into the cache, so that a worker can start without its registry; prints the folder
    #[command(after_help = EXAMPLES)]
    Pull {
        /// Address of the package, as in --model of classify
        #[arg(value_name = "ADDRESS")]
        package: String,
        #[command(flatten)]
        flags: CacheFlags,
    },
    /// List the packages in the cache and the addresses that point to them
    List {
        #[command(flatten)]
        flags: CacheFlags,
    },
    /// Remove packages without an address, and incomplete downloads
    Prune {
        /// First remove addresses not used for this many days; 0 removes all
        #[arg(long, value_name = "DAYS")]
        unused_days: Option<u64>,
        #[command(flatten)]
        flags: CacheFlags,
    },
}

/// Where the cache is, and how packages are fetched into it.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Settings")]
struct CacheFlags {
    /// Settings file in TOML [default: ./labelstream.toml if it exists]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Cache folder for downloaded packages [key: packages.cache; default: ~/.cache/labelstream/models]
    #[arg(long, value_name = "FOLDER")]
    model_cache: Option<String>,
    /// Any setting, such as --set packages.hub_endpoint=https://hub.example; can be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl CacheFlags {
    /// The layers of settings; `package` stands for `model.package`.
    fn layers(&self, package: Option<&str>) -> Result<Layers, SettingsError> {
        let flag = |name, key, text: &str| Flag { name, key, text: text.to_owned() };
        let cache = self.model_cache.iter().map(|text| flag("--model-cache", "packages.cache", text));
        let package = package.iter().map(|text| flag("ADDRESS", "model.package", text));
        layers(self.config.as_deref(), cache.chain(package).collect(), &self.set)
    }
}

/// Runs the subcommand; the report goes to stdout.
///
/// # Errors
/// When the package cannot be fetched or used, or the cache cannot be read.
pub fn run(arguments: &ModelArguments) -> Result<(), Failure> {
    match &arguments.command {
        ModelCommand::Check { package, flags } => check_package(package, flags),
        ModelCommand::Pull { package, flags } => pull(package, flags),
        ModelCommand::List { flags } => list(flags),
        ModelCommand::Prune { unused_days, flags } => prune(*unused_days, flags),
    }
}

fn check_package(package: &str, flags: &CacheFlags) -> Result<(), Failure> {
    let Started { config, stop, .. } = start::command(&flags.layers(Some(package))?, uses::MODEL)?;
    let config = model_source::model(&config, &stop)?;
    let report = check(&config)?;
    say(&report.to_string())?;
    if report.is_good() { Ok(()) } else { Err(Failure::GoldenTexts { folder: package.to_owned() }) }
}

fn pull(package: &str, flags: &CacheFlags) -> Result<(), Failure> {
    let Started { config, stop, .. } = start::command(&flags.layers(Some(package))?, uses::MODEL)?;
    let asking = config.packages().clone().asking();
    let fetched = model_source::fetch_with(&config, &asking, &stop)?;
    say(&format!("{}\n", fetched.folder.display()))
}

fn list(flags: &CacheFlags) -> Result<(), Failure> {
    let cache = cache(flags)?;
    let entries = cache.entries()?;
    for entry in &entries {
        say(&format!("sha256:{} {}\n", entry.package, megabytes(entry.bytes)))?;
        for name in &entry.names {
            let (asked, used) = (days_ago(name.asked), days_ago(name.used));
            say(&format!("  {} -> {}, asked {asked}, used {used}\n", name.address, name.resolved))?;
        }
        if entry.names.is_empty() {
            say("  no address points to it: prune removes it\n")?;
        }
    }
    say(&format!("{} in {}\n", counted(&entries), cache.root().display()))
}

fn prune(unused_days: Option<u64>, flags: &CacheFlags) -> Result<(), Failure> {
    let cache = cache(flags)?;
    let days = unused_days.unwrap_or(u64::MAX);
    let removed = cache.prune(Duration::from_secs(days.saturating_mul(SECONDS_OF_A_DAY)))?;
    say(&format!("removed {} from {}\n", counted(&removed), cache.root().display()))
}

fn cache(flags: &CacheFlags) -> Result<Cache, Failure> {
    let config = settings::load(&flags.layers(None)?, uses::MODEL)?.config;
    Ok(Cache::open(&cache_folder(config.packages(), &model_source::variables()?)?)?)
}

/// `2 packages, 46.2 MB`.
fn counted(entries: &[CachedPackage]) -> String {
    let noun = if entries.len() == 1 { "package" } else { "packages" };
    format!("{} {noun}, {}", entries.len(), megabytes(entries.iter().map(|entry| entry.bytes).sum()))
}

/// Bytes as people read them: in millions, and small ones as more than nothing.
fn megabytes(bytes: u64) -> String {
    let tenths = bytes.div_ceil(100_000);
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

/// How long ago a moment in seconds since 1970 was.
fn days_ago(moment: u64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    match now.saturating_sub(moment) / SECONDS_OF_A_DAY {
        0 => "today".to_owned(),
        1 => "yesterday".to_owned(),
        days => format!("{days} days ago"),
    }
}

fn say(text: &str) -> Result<(), Failure> {
    io::stdout().lock().write_all(text.as_bytes()).map_err(Failure::Stdout)
}
