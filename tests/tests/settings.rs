//! The settings as a person meets them: the page that documents every key, and the list of mistakes with what is said.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use service::settings::declared_keys;
use tests::process::labelstream;
use tests::workspace::root;

const INTRODUCTION: &str = "\
# Settings

This page is generated from `workers/default.toml`, `engine/src/settings/default.toml` and `packages/src/default.toml` by
`tests/tests/settings.rs`; `UPDATE=1 cargo test -p tests --test settings` regenerates it.

Write only what differs from the defaults. Settings are read in this order; later ones win:

1. the defaults below,
2. a TOML file: `--config FILE`, else `labelstream.toml` in the working directory if it exists,
3. the environment: `LABELSTREAM__KAFKA__BROKERS=one:9092,two:9092` for `kafka.brokers`. Two underscores separate names,
   also inside `kafka.properties` (`LABELSTREAM__KAFKA__PROPERTIES__CLIENT__RACK` for `client.rack`),
4. dedicated flags, such as `--brokers`,
5. `--set key=value`: TOML values, bare strings, lists with commas.

A duration (`..._ms`) is a number of milliseconds or a string such as `\"10s\"`, `\"1m30s\"` or `\"7d\"`; a size (`..._bytes`,
`..._bytes_max`) is a number of bytes or a string such as `\"16MiB\"` or `\"1MB\"`.

Each command checks the sections that it uses. All problems are reported at once, each with its key, where it was set, and
what was expected; the exit code is 78.
A key without a default is unset unless you set it. Secrets are never printed. Each secret can be read from a file: add
`_file` to its key.
";

/// One documented key.
struct Key {
    section: String,
    name: String,
    /// As written in TOML; empty when there is no default.
    default: String,
    meaning: String,
}

/// A section with what is said about it.
struct Section {
    name: String,
    meaning: String,
}

#[derive(Default)]
struct Defaults {
    sections: Vec<Section>,
    keys: Vec<Key>,
}

/// Reads the defaults with their comments, which a TOML parser would drop.
fn read(text: &str) -> Defaults {
    let mut read = Defaults::default();
    let mut comment = Vec::new();
    for line in text.lines() {
        let (line, optional) = match line.strip_prefix("#? ").or_else(|| line.strip_prefix("#* ")) {
            Some(line) => (line, true),
            None => (line, false),
        };
        if let Some(said) = line.strip_prefix('#') {
            comment.push(said.trim().to_owned());
        } else if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            let meaning = std::mem::take(&mut comment).join(" ");
            read.sections.push(Section { name: name.to_owned(), meaning });
        } else if let Some((name, value)) = line.split_once(" = ") {
            let section = read.sections.last().expect("every key lies in a section").name.clone();
            let meaning = std::mem::take(&mut comment).join(" ");
            let example = if optional { format!(" Example: `{value}`.") } else { String::new() };
            let default = if optional { String::new() } else { value.to_owned() };
            let meaning = format!("{}{example}", meaning.trim());
            read.keys.push(Key { section, name: name.to_owned(), default, meaning: meaning.trim().to_owned() });
        } else {
            assert!(line.is_empty(), "a line of the defaults is neither comment, section nor key: {line}");
            comment.clear(); // the head of the file
        }
    }
    read
}

fn page(defaults: &Defaults) -> String {
    let mut page = INTRODUCTION.to_owned();
    for Section { name, meaning } in &defaults.sections {
        write!(page, "\n## `[{name}]`\n\n{meaning}\n\n| key | default | meaning |\n|---|---|---|\n").expect("memory");
        for key in defaults.keys.iter().filter(|key| key.section == *name) {
            let default = if key.default.is_empty() { String::new() } else { format!("`{}`", key.default) };
            writeln!(page, "| `{}` | {default} | {} |", key.name, key.meaning.replace('|', "\\|")).expect("memory");
        }
    }
    page
}

fn default_toml() -> String {
    let read = |path| fs::read_to_string(root().join(path)).expect("the defaults are in the repository");
    let files = ["workers/default.toml", "engine/src/settings/default.toml", "packages/src/default.toml"];
    files.map(read).join("\n")
}

#[test]
fn the_page_tells_every_key_and_its_default() {
    let path = root().join("docs/settings.md");
    let expected = page(&read(&default_toml()));
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &expected).expect("write the page");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "docs/settings.md is not what the defaults say; UPDATE=1 writes it again");
}

#[test]
fn every_key_is_explained() {
    let text = default_toml();
    let read = read(&text);
    let declared = declared_keys(&text).expect("the defaults are TOML");
    let mut told: Vec<_> = read.keys.iter().map(|key| format!("{}.{}", key.section, key.name)).collect();
    told.retain(|key| !key.contains('"')); // examples of free names
    told.sort();
    assert_eq!(told, declared);
    for key in &read.keys {
        let told = !key.meaning.is_empty() && !key.meaning.starts_with("Example");
        assert!(told, "{}.{} is not explained", key.section, key.name);
    }
    for section in &read.sections {
        assert!(!section.meaning.is_empty(), "[{}] is not explained", section.name);
    }
}

/// Mistakes of one start.
#[derive(Default)]
struct Mistakes<'a> {
    /// `classify` when empty.
    command: &'a [&'a str],
    file: &'a str,
    environment: &'a [(&'a str, &'a str)],
    arguments: &'a [&'a str],
}

impl Mistakes<'_> {
    /// Starts the command with them, in a folder of its own where the file is `labelstream.toml`.
    #[track_caller]
    fn are_told(&self, expected: &[&str]) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        if !self.file.is_empty() {
            fs::write(folder.path().join("labelstream.toml"), self.file).expect("write the file");
        }
        let output = Command::new(labelstream())
            .args(if self.command.is_empty() { &["classify"] } else { self.command })
            .args(self.arguments)
            .envs(self.environment.iter().copied())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .expect("the binary starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{said}");
        for line in expected {
            assert!(said.lines().any(|own| own.trim() == *line), "nothing says {line:?}:\n{said}");
        }
        let count = said.lines().filter(|line| line.starts_with("  ")).count();
        assert_eq!(count, expected.len(), "another number of problems:\n{said}");
    }
}

#[test]
fn the_list_of_bad_settings() {
    Mistakes { file: "[kafka]\nbroker = [\"one:9092\"]\n", ..Mistakes::default() }
        .are_told(&["kafka.broker (labelstream.toml:2): no such setting; did you mean kafka.brokers?"]);
    Mistakes { file: "[source]\ntopics = \"messages\"\n", ..Mistakes::default() }.are_told(&[
        "source.topics (labelstream.toml:2): expected a list of strings such as [\"a\", \"b\"], found the string \"messages\"",
    ]);
    Mistakes { environment: &[("LABELSTREAM__BATCH__RECORDS_MAX", "0")], ..Mistakes::default() }.are_told(&[
        "batch.records_max (environment variable LABELSTREAM__BATCH__RECORDS_MAX): expected 1 or more, found 0",
    ]);
    Mistakes { environment: &[("LABELSTREAM__RUN__REWINDS_MAX", "-1")], ..Mistakes::default() }.are_told(&[
        "run.rewinds_max (environment variable LABELSTREAM__RUN__REWINDS_MAX): invalid value: integer `-1`, expected u32",
    ]);
    Mistakes { arguments: &["--brokers", "nowhere"], ..Mistakes::default() }
        .are_told(&["kafka.brokers (--brokers): expected host:port such as localhost:9092, found \"nowhere\""]);
    Mistakes { arguments: &["--set", "decode.format=xml"], ..Mistakes::default() }
        .are_told(&["decode.format (--set decode.format): unknown variant `xml`, expected `json` or `text`"]);
    Mistakes { arguments: &["--set", "decode.text_pointer=text"], ..Mistakes::default() }.are_told(&[
        "decode.text_pointer (--set decode.text_pointer): expected a JSON pointer that begins with /, such as /text or /message/body, found \"text\"",
    ]);
    Mistakes { arguments: &["--input", "a", "--output", "a"], ..Mistakes::default() }.are_told(&[
        "sink.output_topic (--output): expected a topic that is not among source.topics, found \"a\": that would be an endless loop (source.topics is set in --input)",
    ]);
    // Two workers without a name would have one transactional id.
    Mistakes { arguments: &["--instance", ""], ..Mistakes::default() }.are_told(&[
        "source.instance (--instance): expected a name that no other replica of the group has: the transactional id is derived from it, found an empty string",
    ]);
    Mistakes { file: "run.shutdown_grace_ms = 5000", ..Mistakes::default() }.are_told(&[
        "run.shutdown_grace_ms (labelstream.toml:1): expected at least sink.publish_wait_ms, sink.commit_wait_ms and source.close_wait_ms together (23000), found 5000",
    ]);
    Mistakes { file: "[http]\nlisten = \"localhost\"\n[log]\nlevel = \"loud\"\n", ..Mistakes::default() }.are_told(&[
        "http.listen (labelstream.toml:2): expected an address and a port such as 127.0.0.1:9464 or 0.0.0.0:9464, found \"localhost\"",
        "log.level (labelstream.toml:4): expected off, error, warn, info, debug, trace or directives such as info,librdkafka=debug, found \"loud\"",
    ]);
    Mistakes { file: "kafka.properties.\"isolation.level\" = \"read_uncommitted\"", ..Mistakes::default() }.are_told(&[
        "kafka.properties.isolation.level (labelstream.toml:1): expected another property, this one is refused: uncommitted records would be labelled",
    ]);
    Mistakes { arguments: &["--set", "kafka.sasl_password_file=/no/such/secret"], ..Mistakes::default() }.are_told(&[
        "kafka.sasl_password_file (--set kafka.sasl_password_file): expected a file that can be read, found /no/such/secret: No such file or directory (os error 2)",
    ]);
}

#[test]
fn the_list_of_bad_drift_settings() {
    const DRIFT: &[&str] = &["drift"];
    Mistakes { command: DRIFT, file: "[drift]\ngroup = \"labelstream\"\n", ..Mistakes::default() }.are_told(&[
        "drift.group (labelstream.toml:2): expected another group than source.group, or each would wait for the other's partitions, found \"labelstream\" for both",
    ]);
    Mistakes { command: DRIFT, arguments: &["--set", "drift.granularities=1m,90s"], ..Mistakes::default() }.are_told(&[
        "drift.granularities (--set drift.granularities): expected each length to be a multiple of the one before, found \"90s\" after PT1M",
    ]);
    Mistakes { command: DRIFT, arguments: &["--set", "state.topic=messages"], ..Mistakes::default() }.are_told(&[
        "state.topic (--set state.topic): expected a topic of its own, found \"messages\", which is in source.topics",
    ]);
    Mistakes { command: DRIFT, arguments: &["--set", "drift.topics=a", "--set", "drift.dead_letter_topics=a"], ..Mistakes::default() }
        .are_told(&[
            "drift.dead_letter_topics (--set drift.dead_letter_topics): expected other topics than those of labelled events, found \"a\" in drift.topics (drift.topics is set in --set drift.topics)",
            "drift.topics (--set drift.topics): expected every topic once, found \"a\" again",
        ]);
    Mistakes { command: DRIFT, file: "[verdict]\nfalse_alarm_budget = \"weekly\"\nrecords_min = 8\n", ..Mistakes::default() }.are_told(&[
        "verdict.false_alarm_budget (labelstream.toml:2): expected a number above 0 and a period, such as \"1 per week\" (hour, day, week, month or year), found \"weekly\"",
        "verdict.records_min (labelstream.toml:3): expected at least 20, found 8",
    ]);
    Mistakes {
        command: DRIFT,
        file: "[observe]\nslices = [\"colour\"]\n[reports]\nurl = \"gs://bucket\"\n[labels]\nttl_ms = 1\n",
        ..Mistakes::default()
    }
    .are_told(&[
        "observe.slices (labelstream.toml:2): expected \"header:<name>\", \"field:<JSON pointer>\" or \"model\", found \"colour\"",
        "reports.url (labelstream.toml:4): expected a folder or s3://bucket/prefix, found \"gs://bucket\"",
        "labels.ttl_ms (labelstream.toml:6): expected 1000 to 31536000000 ms (a year), found 1",
    ]);
}

#[test]
fn all_mistakes_of_all_layers_come_at_once() {
    Mistakes {
        command: &[],
        file: "[kafka]\nbrokers = [\"nowhere\"]\n[sink]\ncompression = \"brotli\"\n[sinc]\nlayout = \"nest\"\n",
        environment: &[("LABELSTREAM__DECODE__PAYLOAD_BYTES_MAX", "lots")],
        arguments: &["--set", "http.enabled=maybe", "--set", "sink.attempts_max=0"],
    }
    .are_told(&[
        "kafka.brokers (labelstream.toml:2): expected host:port such as localhost:9092, found \"nowhere\"",
        "sink.compression (labelstream.toml:4): unknown variant `brotli`, expected one of `none`, `gzip`, `snappy`, `lz4`, `zstd`",
        "sinc.layout (labelstream.toml:6): no such setting; did you mean sink.layout?",
        "decode.payload_bytes_max (environment variable LABELSTREAM__DECODE__PAYLOAD_BYTES_MAX): expected a whole number of bytes, or a size such as \"16MiB\" or \"1MB\", found the string \"lots\"",
        "http.enabled (--set http.enabled): expected true or false, found the string \"maybe\"",
        "sink.attempts_max (--set sink.attempts_max): expected at least 1, found 0",
    ]);
}

#[test]
fn a_secret_never_appears_in_a_message() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let secret: &Path = &folder.path().join("password");
    fs::write(secret, "hunter2\n").expect("write the secret");
    let output = Command::new(labelstream())
        .args(["classify", "--set", "kafka.sasl_password=hunter2"])
        .arg("--set")
        .arg(format!("kafka.sasl_password_file={}", secret.display()))
        .args(["--set", "kafka.ssl_private_key_password=hunter2", "--set", "kafka.brokers=nowhere"])
        .current_dir(folder.path())
        .output()
        .expect("the binary starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("kafka.sasl_password_file") && !said.contains("hunter2"), "{said}");
}

/// A value that its section refuses, and the section.
const BAD: &[(&str, &str)] = &[
    ("kafka", "brokers = [\"nowhere\"]"),
    ("source", "session_timeout_ms = \"soon\""),
    ("decode", "format = \"xml\""),
    ("model", "tokens_max = 0"),
    ("packages", "retry_wait_ms = \"soon\""),
    ("batch", "records_max = 0"),
    ("sink", "attempts_max = 0"),
    ("drift", "granularities = [\"90\"]"),
    ("observe", "slices = [\"colour\"]"),
    ("state", "bytes_max = \"lots\""),
    ("reference", "kind = \"yesterday\""),
    ("verdict", "records_min = 8"),
    ("labels", "ttl_ms = 1"),
    ("reports", "url = \"gs://bucket\""),
    ("run", "stall_max_ms = 1"),
    ("http", "listen = \"localhost\""),
    ("log", "level = \"loud\""),
];

/// Every section is bad at once: a command names those that it uses and no other, and what exists nowhere.
#[test]
fn a_bad_section_stops_only_the_commands_that_use_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sections: Vec<_> = BAD.iter().map(|(section, bad)| format!("[{section}]\n{bad}\n")).collect();
    fs::write(folder.path().join("labelstream.toml"), format!("{}[sinc]\nx = 1\n", sections.concat())).expect("write");
    fs::write(folder.path().join("texts.csv"), "text\nhello\n").expect("write");
    fs::write(folder.path().join("history.jsonl"), "{}\n").expect("write");
    let of_all: Vec<_> = BAD.iter().map(|(section, _)| *section).collect();
    let of_stream = ["kafka", "source", "sink", "log"];
    let of_model = ["model", "packages"];
    let of_tests = ["drift", "observe", "reference", "verdict", "reports"];
    let check = |command: &[&str], used: &[&str]| {
        let output = Command::new(labelstream()).args(command).current_dir(folder.path()).stdin(Stdio::null()).output();
        let output = output.expect("the binary starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{command:?}: {said}");
        let told = |section: &str| said.lines().any(|line| line.trim_start().starts_with(&format!("{section}.")));
        let found: Vec<_> = of_all.iter().copied().filter(|section| told(section)).collect();
        let expected: Vec<_> = of_all.iter().copied().filter(|section| used.contains(section)).collect();
        assert_eq!(found, expected, "{command:?}: {said}");
        assert!(told("sinc"), "{command:?}: a section that does not exist is always told\n{said}");
    };
    check(&["classify"], &[&of_stream[..], &of_model, &["decode", "batch", "run", "http"]].concat());
    check(&["check"], &of_all);
    check(&["replay"], &[&of_stream[..], &["run"]].concat());
    let of_worker = ["batch", "state", "labels", "run", "http"];
    check(&["drift"], &[&of_stream[..], &of_model, &of_tests, &of_worker].concat());
    let of_drift_tests = [&of_stream[..], &of_model, &of_tests].concat();
    check(&["drift", "calibrate", "history.jsonl", "--out", "a.profile"], &of_drift_tests);
    check(&["drift", "replay", "--from", "-6h"], &of_drift_tests);
    check(&["drift", "backtest", "history.jsonl"], &of_drift_tests);
    check(&["drift", "explain", "latest"], &["source", "sink", "drift", "observe", "reports", "log"]);
    let of_scores = ["model", "packages", "log"];
    check(&["score", "texts.csv", "--out", "labels.csv"], &of_scores);
    check(&["model", "check", "."], &of_scores);
    check(&["model", "list"], &of_scores);
}
