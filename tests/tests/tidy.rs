//! The house rules that a compiler does not hold: who may import what, how long things may grow, what a name stands for,
//! what is documented.
//!
//! Each rule is a table or a number at the top; each test walks it. Length of functions and their parameters is clippy's.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;
use tests::{circles, workspace};
use toml::{Table, Value};

/// Which crates of ours each crate may import; `cli -> demo -> workers -> {classifier, drift} -> {engine, ingest,
/// packages, sink} -> {formats, kafka} -> service -> schemas`, one way.
#[rustfmt::skip] // a line a crate
const ARROWS: &[(&str, &[&str])] = &[
    ("schemas", &[]),
    ("formats", &["schemas"]),
    ("service", &["schemas"]),
    ("kafka", &["schemas", "service"]),
    ("ingest", &["formats", "schemas"]),
    ("packages", &["schemas", "service"]),
    ("sink", &["formats", "kafka", "schemas", "service"]),
    ("engine", &["schemas", "service"]),
    ("classifier", &["engine", "formats", "kafka", "schemas", "service", "sink"]),
    ("statistics", &[]),
    ("drift", &["formats", "kafka", "schemas", "service", "sink", "statistics"]),
    ("devbroker", &[]),
    ("workers", &["classifier", "drift", "engine", "formats", "ingest", "kafka", "packages", "schemas", "service", "sink"]),
    ("explain", &["drift", "schemas", "sink"]),
    ("demo", &["classifier", "devbroker", "drift", "engine", "explain", "formats", "kafka", "schemas", "service", "sink", "workers"]),
    ("cli", &["classifier", "demo", "devbroker", "drift", "engine", "explain", "ingest", "kafka", "packages", "schemas", "service", "sink", "workers"]),
    ("tests", &["classifier", "cli", "devbroker", "drift", "engine", "formats", "kafka", "packages", "schemas", "service", "sink"]),
    ("bench", &["classifier", "drift", "engine", "schemas", "service", "statistics", "tests", "workers"]),
];

/// Which crates may import a library: an edge or an engine has one home. Crates that only test may import any.
const HOMES: &[(&str, &[&str])] = &[
    ("rdkafka", &["kafka"]), // suites and benchmarks also play the user's producer and reader
    ("ort", &["engine"]),
    ("tokenizers", &["engine"]),
    ("axum", &["service"]),
    ("hyper", &["service"]),
    ("kafka-protocol", &["devbroker"]),
    ("config", &["service"]),
    ("arrow", &["ingest", "sink"]),
    ("csv", &["ingest", "sink"]),
    ("parquet", &["ingest", "sink"]), // ingest: histories in files, for backtests
    ("object_store", &["packages", "sink"]),
    ("reqwest", &["packages", "sink"]),
    ("rustls", &["packages", "sink"]),
    ("tar", &["packages"]),
    ("zip", &["packages"]),
    ("statrs", &["statistics"]),
    ("metrics-exporter-prometheus", &["service"]),
    ("clap", &["cli"]),
    ("ratatui", &["demo"]),
];

/// Crates that nobody ships.
const TEST_CRATES: &[&str] = &["bench", "tests"];

/// Names that say nothing about what is inside.
const BANNED_NAMES: &[&str] = &["common", "helper", "helpers", "manager", "misc", "mod", "util", "utils"];

/// Words that say nothing without another one: each names at most one type, private ones and those of tests included.
const VAGUE_TYPES: &[&str] = &["Data", "Fault", "Info", "Kind", "Outcome", "Status", "Type", "Verdict"];

/// Names of several exported types. One is needed at a time, and its crate or module says whose it is.
const SHARED_TYPES: &[(&str, &str)] = &[
    ("Config", "a crate's settings as it uses them"),
    ("Limits", "the bounds that a pipeline, the engine or devbroker is given"),
    ("Parts", "what one of the two pipelines is made of"),
    ("PipelineError", "why one of the two pipelines ended"),
    ("Progress", "how far one of the two pipelines is"),
    ("Stage", "the stages of one of the two pipelines"),
];

/// Lines of a source file without its unit tests: one idea fits in 80 to 300.
const FILE_LINES_MAX: usize = 400;

/// What every exported metric begins with: the names of crates change, and others' programs have metrics, too.
const METRIC_PREFIX: &str = "labelstream_";

/// Lines of a `main.rs`: it is wiring.
const MAIN_LINES_MAX: usize = 120;

/// Lines of ARCHITECTURE.md: a newcomer reads it in five minutes.
const ARCHITECTURE_LINES_MAX: usize = 150;

#[test]
fn crates_import_only_what_lies_below_them() {
    let ours: BTreeSet<_> = ARROWS.iter().map(|(name, _)| *name).collect();
    let mut wrong = Vec::new();
    for member in members() {
        let Some((_, below)) = ARROWS.iter().find(|(name, _)| *name == member) else {
            wrong.push(format!("{member} is not drawn in ARROWS"));
            continue;
        };
        let imported = dependencies(&member);
        let above = imported.iter().filter(|name| ours.contains(name.as_str()) && !below.contains(&name.as_str()));
        wrong.extend(above.map(|name| format!("{member} imports {name}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn libraries_stay_in_their_homes() {
    let mut wrong = Vec::new();
    for member in members().iter().filter(|member| !TEST_CRATES.contains(&member.as_str())) {
        let imported = dependencies(member);
        let astray =
            HOMES.iter().filter(|(library, homes)| imported.contains(*library) && !homes.contains(&member.as_str()));
        wrong.extend(astray.map(|(library, _)| format!("{member} imports {library}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_do_not_use_each_other_in_a_circle() {
    // `cargo run --package tests --example circles` prints them.
    let circles = members().into_iter().map(|member| (circles::circles(&workspace::root().join(&member)), member));
    let wrong: Vec<_> = circles.filter(|(circles, _)| !circles.is_empty()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn crates_inherit_the_lints() {
    let lax: Vec<_> =
        members().into_iter().filter(|member| lookup(&manifest(member), &["lints", "workspace"]).is_none()).collect();
    assert!(lax.is_empty(), "without `lints.workspace = true`: {lax:?}");
}

#[test]
fn files_are_short_and_named_after_their_idea() {
    let mut wrong = Vec::new();
    for file in sources() {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if BANNED_NAMES.contains(&name.as_str()) {
            wrong.push(format!("{} is named after nothing", file.display()));
        }
        let allowed = if file.ends_with("src/main.rs") { MAIN_LINES_MAX } else { FILE_LINES_MAX };
        let text = read(&file);
        let lines = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().lines().count();
        if lines > allowed {
            wrong.push(format!("{} has {lines} lines without its tests, {allowed} are allowed", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_source_file_opens_with_its_idea() {
    let is_rust = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "rs");
    let opens = |file: &PathBuf| read(file).starts_with("//!") || file.ends_with("tests.rs");
    let silent: Vec<_> = sources().into_iter().filter(|file| is_rust(file) && !opens(file)).collect();
    assert!(silent.is_empty(), "without a //! header: {silent:#?}");
}

#[test]
fn a_name_stands_for_one_type() {
    let definition = Regex::new(r"(?m)^ *(pub(?:\([a-z ]+\))? )?(?:enum|struct|trait|type|union) ([A-Z]\w*)");
    let definition = definition.expect("a good pattern");
    let mut homes: BTreeMap<String, Vec<(PathBuf, bool)>> = BTreeMap::new();
    for file in sources().into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs")) {
        for found in definition.captures_iter(&read(&file)) {
            let is_exported = found.get(1).is_some_and(|word| word.as_str() == "pub ");
            homes.entry(found[2].to_owned()).or_default().push((file.clone(), is_exported));
        }
    }
    let exported = |name: &str| homes.get(name).into_iter().flatten().filter(|(_, is_exported)| *is_exported).count();
    let is_shared = |name: &str| SHARED_TYPES.iter().any(|(shared, _)| *shared == name);
    let is_clear = |name: &str, types: usize| match VAGUE_TYPES.contains(&name) {
        true => types < 2,
        false => exported(name) < 2 || is_shared(name),
    };
    let unclear: Vec<_> = homes.iter().filter(|(name, types)| !is_clear(name, types.len())).collect();
    let stale: Vec<_> = SHARED_TYPES.iter().filter(|(name, _)| exported(name) < 2).collect();
    assert!(unclear.is_empty(), "give each a name that says what it is: {unclear:#?}");
    assert!(stale.is_empty(), "no longer shared: {stale:#?}");
}

#[test]
fn the_architecture_fits_on_its_page() {
    let lines = read(&workspace::root().join("ARCHITECTURE.md")).lines().count();
    assert!(lines <= ARCHITECTURE_LINES_MAX, "ARCHITECTURE.md has {lines} lines, {ARCHITECTURE_LINES_MAX} are allowed");
}

#[test]
fn exported_and_documented_metrics_agree() {
    let homes = members().into_iter().flat_map(|member| {
        ["src/metrics.rs", "src/pipeline/metrics.rs"].map(|file| workspace::root().join(&member).join(file))
    });
    let exported: BTreeSet<_> =
        homes.filter(|file| file.exists()).flat_map(|file| metric_names(&read(&file))).collect();
    let page = read(&workspace::root().join("docs/metrics.md"));
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let documented: BTreeSet<_> = rows.map(|name| name.split('{').next().unwrap_or(name).to_owned()).collect();

    let missing: Vec<_> = exported.difference(&documented).collect();
    let stale: Vec<_> = documented.difference(&exported).collect();
    assert!(missing.is_empty() && stale.is_empty(), "docs/metrics.md misses {missing:#?} and still has {stale:#?}");
    assert!(!exported.is_empty(), "no metrics.rs has a constant");
    let strange: Vec<_> = exported.iter().filter(|name| !name.starts_with(METRIC_PREFIX)).collect();
    assert!(strange.is_empty(), "without {METRIC_PREFIX}: {strange:#?}");
}

/// A `cargo` that knows `deny` or does not, and writes down what it is asked.
fn make_deny(knows_deny: bool) -> (String, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cargo = folder.path().join("cargo");
    let code = i32::from(!knows_deny);
    let asked = folder.path().join("asked");
    fs::write(&cargo, format!("#!/bin/sh\necho \"$@\" >> '{}'\nexit {code}\n", asked.display()))
        .expect("our own folder");
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).expect("our own file");
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap_or_default());
    let made = Command::new("make").arg("deny").current_dir(workspace::root()).env("PATH", path).output();
    let made = made.expect("make starts");
    assert!(made.status.success(), "{made:?}");
    (read(&asked), String::from_utf8_lossy(&made.stderr).into_owned())
}

#[test]
fn lint_checks_advisories_and_says_what_it_did_not_run() {
    let lint = read(&workspace::root().join("Makefile"));
    let recipe = lint.split("\nlint:").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("a target lint");
    assert!(recipe.contains("$(MAKE) --no-print-directory deny"), "lint runs deny: {recipe}");
    let (asked, said) = make_deny(true);
    assert!(
        asked.contains("deny check advisories bans licenses sources") && !said.contains("NOT RUN"),
        "{asked} {said}"
    );
    let (asked, said) = make_deny(false);
    assert!(!asked.contains("check"), "{asked}");
    assert!(said.contains("NOT RUN: cargo deny check") && said.contains("cargo install --locked cargo-deny"), "{said}");
}

/// The values of `const NAME: &str = "..";` lines.
fn metric_names(source: &str) -> Vec<String> {
    let constants = source.lines().filter(|line| line.contains("const ") && line.contains(": &str = \""));
    constants.filter_map(|line| Some(line.split('"').nth(1)?.to_owned())).collect()
}

fn members() -> Vec<String> {
    let root = manifest("");
    let members = lookup(&root, &["workspace", "members"]).and_then(Value::as_array).expect("a workspace has members");
    members.iter().filter_map(|member| member.as_str().map(str::to_owned)).collect()
}

/// What a crate imports when it runs; its own tests may import more.
fn dependencies(member: &str) -> BTreeSet<String> {
    let manifest = manifest(member);
    let table = lookup(&manifest, &["dependencies"]).and_then(Value::as_table);
    table.map(|table| table.keys().cloned().collect()).unwrap_or_default()
}

fn manifest(member: &str) -> Table {
    let file = workspace::root().join(member).join("Cargo.toml");
    read(&file).parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn lookup<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Value> {
    let (last, parents) = path.split_last()?;
    parents.iter().try_fold(table, |table, key| table.get(*key)?.as_table())?.get(*last)
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Our own source files, in any language, without what git ignores by a leading dot or as a build.
fn sources() -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![workspace::root()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder").flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if path.is_dir() {
                folders.extend((!name.starts_with('.') && name != "target").then_some(path));
            } else if [".rs", ".py", ".java", ".sh"].iter().any(|ending| name.ends_with(ending)) {
                files.push(path);
            }
        }
    }
    files
}
