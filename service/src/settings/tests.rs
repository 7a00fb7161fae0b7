//! The loader over a small root of its own: order of the layers, every kind of problem, secrets.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use schemas::Problem;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::merge::MASK;
use super::{Flag, Layers, LoadedSettings, Place, SettingsError, SettingsFile};

const DEFAULTS: &str = r#"
[kafka]
brokers = ["localhost:9092"]
#? password = "secret"
#? password_file = "/run/secrets/password"

[kafka.properties]
#* "client.rack" = "rack-1"

[input]
format = "json"
records_max = 256
share = 0.5
check = true
"#;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Root {
    kafka: Kafka,
    input: Input,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kafka {
    brokers: Vec<String>,
    password: Option<SecretString>,
    properties: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    format: Format,
    records_max: u16,
    share: f64,
    check: bool,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Format {
    Json,
    Text,
}

#[derive(Debug)]
struct Checked(Root);

impl Checked {
    fn check(root: Root) -> Result<Self, Vec<Problem>> {
        if root.input.share > 1.0 {
            let expected = format!("expected at most 1, or input.check off, found {}", root.input.share);
            return Err(vec![Problem::new("input.share", expected)]);
        }
        Ok(Self(root))
    }
}

#[derive(Default)]
struct Given<'a> {
    file: &'a str,
    environment: &'a [(&'a str, &'a str)],
    flags: &'a [(&'static str, &'static str, &'a str)],
    sets: &'a [&'a str],
}

impl Given<'_> {
    fn load(&self) -> Result<LoadedSettings<Checked>, SettingsError> {
        self.load_for(&["kafka", "input"])
    }

    fn load_for(&self, uses: &[&str]) -> Result<LoadedSettings<Checked>, SettingsError> {
        let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), OsString::from(text));
        let flag =
            |(name, key, text): &(&'static str, &'static str, &str)| Flag { name, key, text: (*text).to_owned() };
        super::load(
            DEFAULTS,
            &Layers {
                strangers: Vec::new(),
                file: (!self.file.is_empty())
                    .then(|| SettingsFile { path: PathBuf::from("my.toml"), text: self.file.to_owned() }),
                environment: self.environment.iter().map(owned).collect(),
                flags: self.flags.iter().map(flag).collect(),
                sets: self.sets.iter().map(|set| (*set).to_owned()).collect(),
            },
            uses,
            Checked::check,
        )
    }

    #[track_caller]
    fn fails(&self, expected: &[&str]) {
        let error = self.load().expect_err("these settings are bad");
        let found: Vec<_> = error.mistakes().iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn later_layers_win_and_every_key_knows_its_place() {
    let loaded = Given {
        file: "[input]\nrecords_max = 1\nshare = 1\ncheck = false\n\n[kafka]\nproperties.\"a.b\" = 5\nproperties.c.d = true\n",
        environment: &[("LABELSTREAM__INPUT__RECORDS_MAX", "2"), ("LABELSTREAM__KAFKA__PROPERTIES__E__F", "x")],
        flags: &[("--brokers", "kafka.brokers", "one:1,two:2")],
        sets: &["input.records_max=3", "input.format=text"],
    }
    .load()
    .expect("good settings");
    let Root { kafka, input } = loaded.config.0;
    assert_eq!((input.records_max, input.share, input.check), (3, 1.0, false));
    assert_eq!(input.format, Format::Text);
    assert_eq!(kafka.brokers, ["one:1", "two:2"]);
    let properties: Vec<_> = kafka.properties.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(properties, ["a.b=5", "c.d=true", "e.f=x"]);
    let changed: Vec<_> = loaded
        .changed
        .iter()
        .map(|setting| format!("{} = {} ({})", setting.key, setting.value, setting.place))
        .collect();
    assert_eq!(
        changed,
        [
            "input.check = false (my.toml:4)",
            "input.format = \"text\" (--set input.format)",
            "input.records_max = 3 (--set input.records_max)",
            "input.share = 1.0 (my.toml:3)",
            "kafka.brokers = [\"one:1\", \"two:2\"] (--brokers)",
            "kafka.properties.a.b = \"5\" (my.toml:7)",
            "kafka.properties.c.d = \"true\" (my.toml:8)",
            "kafka.properties.e.f = \"x\" (environment variable LABELSTREAM__KAFKA__PROPERTIES__E__F)",
        ]
    );
}

#[test]
fn every_problem_is_reported_at_once_with_its_place() {
    Given {
        file: "[kafka]\nbroker = \"a:1\"\nbrokers = \"a:1\"\n[input]\nrecords_max = -1\nformat = \"xml\"\n[inputt]\ncheck = false\n[other]\n",
        environment: &[("LABELSTREAM__INPUT__CHECK", "yes")],
        sets: &["input.share=1.5", "colour=blue", "nonsense", "input=5"],
        ..Given::default()
    }
    .fails(&[
        "--set nonsense: expected key=value, such as kafka.brokers=localhost:9092",
        "input.format (my.toml:6): unknown variant `xml`, expected `json` or `text`",
        "input.records_max (my.toml:5): invalid value: integer `-1`, expected u16",
        "inputt.check (my.toml:8): no such setting; did you mean input.check?",
        "kafka.broker (my.toml:2): no such setting; did you mean kafka.brokers?",
        "kafka.brokers (my.toml:3): expected a list of strings such as [\"a\", \"b\"], found the string \"a:1\"",
        "other (my.toml:9): no such setting",
        "input.check (environment variable LABELSTREAM__INPUT__CHECK): expected true or false, found the string \"yes\"",
        "colour (--set colour): no such setting",
        "input (--set input): is a section: set the keys in it",
        "input.share (--set input.share): expected at most 1, or input.check off, found 1.5",
    ]);
}

#[test]
fn a_broken_relation_names_the_place_of_both_keys() {
    Given { file: "input.share = 2.0\ninput.check = true", ..Given::default() }.fails(&[
        "input.share (my.toml:1): expected at most 1, or input.check off, found 2 (input.check is set in my.toml:2)",
    ]);
}

#[test]
fn a_bad_value_is_reported_even_where_a_later_layer_wins() {
    Given { file: "input.check = 1", sets: &["input.check=true"], ..Given::default() }
        .fails(&["input.check (my.toml:1): expected true or false, found the number 1"]);
}

#[test]
fn a_file_that_is_not_toml_is_named_with_its_line_and_the_other_layers_are_still_checked() {
    let error = Given { file: "[input]\nshare = = 5\n", sets: &["input.chek=1"], ..Given::default() }
        .load()
        .expect_err("not TOML");
    let found: Vec<_> = error.mistakes().iter().map(ToString::to_string).collect();
    assert!(found[0].starts_with("my.toml:2: not TOML: "), "{found:?}");
    assert_eq!(
        found.last().map(String::as_str),
        Some("input.chek (--set input.chek): no such setting; did you mean input.check?")
    );
}

#[test]
fn a_secret_comes_from_its_file_and_is_never_shown() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("password");
    std::fs::write(&path, "hunter2\n").expect("write the secret");
    let set = format!("kafka.password_file={}", path.display());
    let loaded = Given { sets: &[&set], ..Given::default() }.load().expect("good settings");
    assert_eq!(loaded.config.0.kafka.password.as_ref().map(SecretString::expose_secret), Some("hunter2"));
    assert!(!format!("{loaded:?}").contains("hunter2"));
    assert_eq!(loaded.changed[0].key, "kafka.password");
    assert!(
        matches!(&loaded.changed[0].place, Place::SecretFile { named_by, .. } if matches!(**named_by, Place::Set(_)))
    );

    Given { file: "kafka.password = 5", ..Given::default() }
        .fails(&["kafka.password (my.toml:1): expected a string in quotes, found something else"]);
    Given { sets: &["kafka.password=hunter2", "kafka.password_file=/nowhere"], ..Given::default() }.fails(&[
        "kafka.password_file (--set kafka.password_file): expected one of kafka.password and kafka.password_file, found both; the other is set in --set kafka.password",
    ]);
    Given { sets: &["kafka.password_file=/nowhere/at/all"], ..Given::default() }.fails(&[
        "kafka.password_file (--set kafka.password_file): expected a file that can be read, found /nowhere/at/all: No such file or directory (os error 2)",
    ]);
}

#[test]
fn free_names_that_look_secret_are_masked() {
    let loaded = Given { sets: &["kafka.properties.ssl.key.password=hunter2"], ..Given::default() }
        .load()
        .expect("good settings");
    assert_eq!(loaded.changed[0].value, MASK);
}

#[test]
fn defaults_that_do_not_fit_are_a_bug_of_ours_and_say_so() {
    let found = super::load("kafka = {}", &Layers::default(), &["kafka"], Checked::check);
    assert!(matches!(found, Err(SettingsError::Defaults(_))), "{found:?}");
}

#[test]
fn a_section_that_is_not_used_stops_nobody_unless_its_names_do_not_exist() {
    let bad = Given { file: "[kafka]\nbrokers = 5\n[input]\nshare = 0.1\n", ..Given::default() };
    let loaded = bad.load_for(&["input"]).expect("the bad section is another's");
    assert_eq!(loaded.config.0.kafka.brokers, ["localhost:9092"], "its defaults stand in");
    assert_eq!(loaded.changed.len(), 1, "what it sets changed nothing");
    assert!(bad.load_for(&["kafka", "input"]).is_err());
    let secret = Given { sets: &["kafka.password_file=/no/such/file"], ..Given::default() };
    assert!(secret.load_for(&["input"]).is_ok(), "its secrets are not read");
    let unknown = Given { file: "[kafka]\nbroker = 5\n[kafca]\nx = 1\n", ..Given::default() };
    let error = unknown.load_for(&["input"]).expect_err("names that do not exist");
    assert_eq!(error.mistakes().len(), 2, "{error}");
}

#[test]
fn durations_and_sizes_are_written_with_their_unit_or_as_before() {
    const DEFAULTS: &str = "[input]\nwait_ms = 5\npart_bytes = 7\n";
    #[derive(Debug, Deserialize)]
    struct Root {
        input: Input,
    }
    #[derive(Debug, Deserialize)]
    struct Input {
        wait_ms: u64,
        part_bytes: u64,
    }
    let load = |file: &str, sets: &[&str], environment: &[(&str, &str)]| {
        let file = SettingsFile { path: PathBuf::from("my.toml"), text: file.to_owned() };
        let environment = environment.iter().map(|(name, text)| ((*name).to_owned(), OsString::from(text)));
        let sets = sets.iter().map(|set| (*set).to_owned()).collect();
        let layers = Layers { file: Some(file), sets, environment: environment.collect(), ..Layers::default() };
        super::load(DEFAULTS, &layers, &["input"], |root: Root| {
            let Input { wait_ms, part_bytes } = root.input;
            let least = Problem::new("input.wait_ms", format!("expected 2 or more, found {wait_ms}"));
            if wait_ms < 2 { Err(vec![least]) } else { Ok((wait_ms, part_bytes)) }
        })
    };
    let good = |file: &str, sets: &[&str], environment: &[(&str, &str)]| {
        load(file, sets, environment).map(|loaded| loaded.config).map_err(|error| error.to_string())
    };
    assert_eq!(good("input.wait_ms = \"1m30s\"\ninput.part_bytes = \"16MiB\"", &[], &[]), Ok((90_000, 16_777_216)));
    assert_eq!(good("input.wait_ms = 250\ninput.part_bytes = 10", &[], &[]), Ok((250, 10)));
    let both = [("LABELSTREAM__INPUT__WAIT_MS", "10s"), ("LABELSTREAM__INPUT__PART_BYTES", "1 MB")];
    assert_eq!(good("", &[], &both), Ok((10_000, 1_000_000)));
    assert_eq!(good("", &["input.wait_ms=250ms", "input.part_bytes=\"2kB\""], &[]), Ok((250, 2_000)));
    let told = |file: &str, sets: &[&str]| {
        let error = load(file, sets, &[]).expect_err("a bad value");
        error.mistakes().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(
        told("input.wait_ms = \"10\"", &[]),
        "input.wait_ms (my.toml:1): expected a whole number of milliseconds, or a duration such as \"10s\", \"1m30s\" or \"7d\", found the string \"10\""
    );
    assert_eq!(
        told("", &["input.part_bytes=10s"]),
        "input.part_bytes (--set input.part_bytes): expected a whole number of bytes, or a size such as \"16MiB\" or \"1MB\", found the string \"10s\""
    );
    assert_eq!(
        told("", &["input.wait_ms=1ms"]),
        "input.wait_ms (--set input.wait_ms): expected 2 or more, found 1, written as \"1ms\""
    );
}
