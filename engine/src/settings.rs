//! Which model labels, and how it is run: the section `[model]`.
//!
//! [`Settings`] is what a person writes, [`Config`] is what passed every check. What depends on the package as well
//! (`tokens_per_run` against its `tokens_max`, say) is checked when it is loaded.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;

use schemas::Problem;
use serde::Deserialize;

use crate::label::Rules;
use crate::onnx::Provider;
use crate::package::error::PackageError;
use crate::package::graph::GraphFacts;
use crate::package::{Choice, Package};
use crate::queue::Limits;
use crate::slot::{Pool, SlotConfig};
use crate::tokens::{LongText, Tokens};

/// Every key of `[model]` with its default and meaning, for the embedded defaults of the program.
pub const DEFAULTS: &str = include_str!("settings/default.toml");

/// Sessions beyond this are taken for a slip of the pen: each costs memory and a thread.
const SESSIONS_MAX: usize = 1024;
/// Tokens beyond this in one row or run would cost gigabytes for a single run of any encoder.
const TOKENS_MAX: usize = 1 << 20;
/// Windows beyond this would let one text take minutes.
const WINDOWS_MAX: usize = 10_000;
/// Remembered texts beyond this would cost gigabytes.
const CACHE_ENTRIES_MAX: usize = 10_000_000;

/// Tasks of other classes that a class of texts waits for at most before it has a turn. Smaller values slow urgent texts
/// down while less urgent ones wait, by one run in so many; larger ones let a stream come to a near stop.
const PASSED_OVER_MAX: u32 = 8;

/// `[model]` as written; the keys are explained in `settings/default.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub package: PathBuf,
    pub file: Option<String>,
    pub provider: Provider,
    pub sessions: usize,
    pub tokens_per_run: usize,
    pub tokens_max: Option<usize>,
    pub long_text: LongTextKind,
    pub stride_overlap: usize,
    pub strided_pool: Pool,
    pub windows_max: usize,
    pub top_k: usize,
    pub temperature: Option<f32>,
    pub abstain_below: Option<f32>,
    pub queue_bytes_max: usize,
    pub cache_entries: usize,
    pub deterministic: bool,
    pub failures_max: usize,
}

/// The words of `model.long_text`; see [`LongText`]. `Package` is what the package's tokenizer truncates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LongTextKind {
    Package,
    Head,
    Tail,
    HeadTail,
    Strided,
}

/// `[model]` as used.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) package: PathBuf,
    /// The model's name where the package says none; its folder's when `None`.
    pub(crate) name: Option<String>,
    /// The model of the package that a person named.
    file: Option<String>,
    pub(crate) provider: Provider,
    pub(crate) sessions: NonZeroUsize,
    pub(crate) tokens_max: Option<usize>,
    /// What is shown of a long text, where a person said it.
    pub(crate) long_text: Option<LongText>,
    temperature: Option<f32>,
    abstain_below: Option<f32>,
    pub(crate) top_k: usize,
    deterministic: bool,
    slot: SlotConfig,
    queue_bytes_max: NonZeroUsize,
}

/// The root that [`DEFAULTS`] has; the program's own settings also have the sections of other crates.
#[derive(Deserialize)]
struct Root {
    model: Settings,
}

impl Settings {
    /// The defaults, for the package in this folder.
    pub fn of_package(package: PathBuf) -> Self {
        let defaults: Root = toml::from_str(DEFAULTS).expect("the embedded defaults are settings; a test reads them");
        Self { package, ..defaults.model }
    }
}

impl Config {
    /// The same for a package that was fetched into this folder, whose own name says nothing; `name` is the model's
    /// where the package says none.
    #[must_use]
    pub fn in_folder(self, package: PathBuf, name: Option<String>) -> Self {
        Self { package, name, ..self }
    }

    /// The model of the package that a person named, as a path inside it.
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// Opens the package of these settings.
    ///
    /// # Errors
    /// As [`Package::open`].
    pub(crate) fn open(&self) -> Result<Package, PackageError> {
        Package::open_chosen(&self.package, Choice { name: self.name.as_deref(), model_file: self.file() })
    }

    /// The package's tokenizer with the user's own limits in place of its own.
    ///
    /// # Errors
    /// As [`Package::tokens`].
    pub(crate) fn tokens(&self, package: &Package) -> Result<Tokens, PackageError> {
        package.tokens(self.tokens_max, self.long_text.unwrap_or_else(|| package.long_text()))
    }

    /// The limits of a slot for a model with this graph.
    pub fn slot(&self, graph: GraphFacts) -> SlotConfig {
        let alone = self.deterministic && graph.dynamically_quantised;
        SlotConfig { rows_per_run: if alone { NonZeroUsize::MIN } else { NonZeroUsize::MAX }, ..self.slot }
    }

    /// The limits of the queue before the model.
    pub(crate) fn queue(&self) -> Limits {
        Limits { bytes_max: self.queue_bytes_max.get(), passed_over_max: PASSED_OVER_MAX }
    }

    /// The package's rules with the user's own temperature and threshold in their place.
    pub fn rules(&self, package: Rules) -> Rules {
        Rules {
            temperature: self.temperature.unwrap_or(package.temperature),
            abstain_below: self.abstain_below.or(package.abstain_below),
            ..package
        }
    }
}

impl TryFrom<Settings> for Config {
    type Error = Vec<Problem>;

    fn try_from(written: Settings) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut expect = |key: &str, is_good: bool, expected: String| {
            if !is_good {
                problems.push(Problem::new(format!("model.{key}"), expected));
            }
        };
        let count = |value: usize| NonZeroUsize::new(value).unwrap_or(NonZeroUsize::MIN);
        expect("package", !written.package.as_os_str().is_empty(), "expected a folder, found nothing".to_owned());
        expect(
            "file",
            written.file.as_deref() != Some(""),
            "expected a path inside the package, found nothing".to_owned(),
        );
        expect(
            "provider",
            written.provider.is_built_in(),
            format!(
                "expected cpu, found {0}: this labelstream was built without the cargo feature `{0}`",
                written.provider.name()
            ),
        );
        for (key, value, least, most) in [
            ("sessions", written.sessions, 0, SESSIONS_MAX),
            ("tokens_per_run", written.tokens_per_run, 1, TOKENS_MAX),
            ("tokens_max", written.tokens_max.unwrap_or(1), 1, TOKENS_MAX),
            ("windows_max", written.windows_max, 1, WINDOWS_MAX),
            ("top_k", written.top_k, 1, usize::MAX),
            ("cache_entries", written.cache_entries, 0, CACHE_ENTRIES_MAX),
            ("queue_bytes_max", written.queue_bytes_max, 1, usize::MAX),
            ("failures_max", written.failures_max, 1, usize::MAX),
        ] {
            let range = if most == usize::MAX { format!("at least {least}") } else { format!("{least} to {most}") };
            expect(key, (least..=most).contains(&value), format!("expected {range}, found {value}"));
        }
        let (found, least) = (written.tokens_per_run, written.tokens_max.unwrap_or(0));
        let expected = format!("expected at least model.tokens_max ({least}), found {found}");
        expect("tokens_per_run", found >= least, expected);
        if let Some(temperature) = written.temperature {
            let is_good = temperature.is_finite() && temperature > 0.0;
            expect("temperature", is_good, format!("expected a number above 0, found {temperature}"));
        }
        if let Some(share) = written.abstain_below {
            expect("abstain_below", (0.0..=1.0).contains(&share), format!("expected 0 to 1, found {share}"));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let sessions = NonZeroUsize::new(written.sessions).unwrap_or_else(usable_cores);
        Ok(Self {
            sessions,
            long_text: long_text(&written),
            queue_bytes_max: count(written.queue_bytes_max),
            slot: SlotConfig {
                tokens_per_run: count(written.tokens_per_run),
                rows_per_run: NonZeroUsize::MAX,
                pool: written.strided_pool,
                cache_entries: written.cache_entries,
                failures_max: count(written.failures_max),
            },
            package: written.package,
            name: None,
            file: written.file,
            provider: written.provider,
            tokens_max: written.tokens_max,
            temperature: written.temperature,
            abstain_below: written.abstain_below,
            top_k: written.top_k,
            deterministic: written.deterministic,
        })
    }
}

fn long_text(written: &Settings) -> Option<LongText> {
    match written.long_text {
        LongTextKind::Package => None,
        LongTextKind::Head => Some(LongText::Head),
        LongTextKind::Tail => Some(LongText::Tail),
        LongTextKind::HeadTail => Some(LongText::HeadTail),
        LongTextKind::Strided => {
            Some(LongText::Strided { overlap: written.stride_overlap, windows_max: written.windows_max })
        }
    }
}

/// Cores that this process may use, by its cgroup quota and affinity.
pub(crate) fn usable_cores() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defaults() -> Settings {
        Settings::of_package("models/any".into())
    }

    fn problems(change: impl FnOnce(&mut Settings)) -> Vec<String> {
        let mut written = defaults();
        change(&mut written);
        let problems = Config::try_from(written).err().unwrap_or_default();
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_defaults_are_good_and_use_the_cores() {
        let config = Config::try_from(defaults()).expect("the defaults pass");
        assert_eq!(config.sessions, usable_cores());
        assert_eq!(config.long_text, None);
        let dynamic = GraphFacts { dynamically_quantised: true, ..GraphFacts::default() };
        assert_eq!(config.slot(dynamic).rows_per_run, NonZeroUsize::MIN);
        assert_eq!(config.slot(GraphFacts::default()).rows_per_run, NonZeroUsize::MAX);
    }

    #[test]
    fn the_optional_keys_are_declared_with_good_examples() {
        let with_examples = DEFAULTS.replace("#? ", "");
        let written = toml::from_str::<Root>(&with_examples).expect("the examples are settings").model;
        assert!(written.tokens_max.is_some() && written.temperature.is_some() && written.abstain_below.is_some());
        assert!(Config::try_from(written).is_ok());
    }

    #[test]
    fn reports_every_problem_at_once_with_its_key() {
        let found = problems(|written| {
            written.package = PathBuf::new();
            written.sessions = 5000;
            written.windows_max = usize::MAX;
            written.tokens_per_run = 64;
            written.tokens_max = Some(128);
            written.top_k = 0;
            written.temperature = Some(0.0);
            written.abstain_below = Some(1.5);
            written.failures_max = 0;
        });
        for (problem, expected) in found.iter().zip([
            "model.package: expected a folder, found nothing",
            "model.sessions: expected 0 to 1024, found 5000",
            "model.windows_max: expected 1 to 10000, found 18446744073709551615",
            "model.top_k: expected at least 1, found 0",
            "model.failures_max: expected at least 1, found 0",
            "model.tokens_per_run: expected at least model.tokens_max (128), found 64",
            "model.temperature: expected a number above 0, found 0",
            "model.abstain_below: expected 0 to 1, found 1.5",
        ]) {
            assert_eq!(problem, expected);
        }
        assert_eq!(found.len(), 8);
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn refuses_a_provider_that_was_not_built_in() {
        let found = problems(|written| written.provider = Provider::Cuda);
        assert!(found[0].contains("without the cargo feature `cuda`"), "{found:?}");
    }
}
