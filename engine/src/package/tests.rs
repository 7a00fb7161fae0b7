//! The default package as a whole: its drift reference is held against its digest and changes no other one.

use std::fs;

use super::*;
use service::chain;

/// What `sha256sum config.json labelstream.json model.onnx tokenizer.json | sha256sum` gives of the package without its
/// drift reference.
const DIGEST: &str = "sha256:875d7a3e90de1e9de9a2ac66e93f1ac80cf010e66e8ef3bb2c2a5fd923b52bcc";

fn default_package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/banking77-minilm")
}

/// A copy that may be damaged; the model is linked.
fn copy() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for name in [CONFIG, MANIFEST, TOKENIZER, "drift.profile"] {
        fs::copy(default_package().join(name), dir.path().join(name)).expect("the default package has this file");
    }
    fs::hard_link(default_package().join("model.onnx"), dir.path().join("model.onnx"))
        .or_else(|_| fs::copy(default_package().join("model.onnx"), dir.path().join("model.onnx")).map(|_| ()))
        .expect("the default package has a model");
    dir
}

#[test]
fn the_drift_reference_comes_along_and_does_not_rename_the_package() {
    let package = Package::open(&default_package()).expect("the default package");
    assert_eq!(package.id.digest, DIGEST);
    let reference = package.drift_reference.expect("the default package ships one");
    assert!(reference.content.starts_with(br#"{"format":"labelstream drift profile""#));
    let listed = package.files.iter().find(|file| file.name == "drift.profile").expect("listed with the others");
    assert_eq!(listed.bytes, reference.content.len() as u64);
    assert!(listed.bytes < 200_000);
}

#[test]
fn a_drift_reference_that_is_not_the_listed_one_is_refused() {
    let dir = copy();
    let file = dir.path().join("drift.profile");
    let mut content = fs::read(&file).expect("the copy");
    *content.last_mut().expect("it is not empty") ^= 1;
    fs::write(&file, &content).expect("writable");
    assert!(matches!(Package::open(dir.path()), Err(PackageError::Digest { file: named, .. }) if named == file));
    content.push(0);
    fs::write(&file, &content).expect("writable");
    assert!(matches!(Package::open(dir.path()), Err(PackageError::Size { file: named, .. }) if named == file));
    fs::remove_file(&file).expect("writable");
    assert!(matches!(Package::open(dir.path()), Err(PackageError::Read { file: named, .. }) if named == file));
}

#[test]
fn a_drift_reference_outside_of_the_package_is_refused() {
    let dir = copy();
    let manifest = dir.path().join(MANIFEST);
    let content = fs::read_to_string(&manifest).expect("the copy").replace("\"drift.profile\"", "\"../drift.profile\"");
    fs::write(&manifest, content).expect("writable");
    let error = Package::open(dir.path()).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("drift_reference.file") && error.contains("../drift.profile"), "{error}");
}

/// A copy whose `labelstream.json` has these members instead of its own of the same names.
fn with_members(members: &str) -> tempfile::TempDir {
    let dir = copy();
    let manifest = dir.path().join(MANIFEST);
    let parse = |text: &str| serde_json::from_str::<serde_json::Map<_, serde_json::Value>>(text).expect("an object");
    let mut content = parse(&fs::read_to_string(&manifest).expect("the copy"));
    content.extend(parse(&format!("{{{members}}}")));
    fs::write(&manifest, serde_json::to_vec(&content).expect("JSON")).expect("writable");
    dir
}

#[test]
fn what_training_knows_of_scores_and_data_is_read_and_checked() {
    let calibration = |curve: &str| {
        format!(
            r#""calibration": {{"method": "temperature", "texts": 499, "ece_held_out": 0.02,
                "ece_held_out_without": 0.04, "score_curve": [{curve}],
                "margin_curve": [{{"at_least": 0.01, "coverage": 1, "accuracy": 0.92}}]}}"#
        )
    };
    let good =
        r#"{"at_least": 0.1, "coverage": 1, "accuracy": 0.92}, {"at_least": 0.5, "coverage": 0.8, "accuracy": 1}"#;
    let package = Package::open(with_members(&calibration(good)).path()).expect("these are the fields");
    let read = package.manifest.calibration.expect("it was read");
    assert_eq!((read.texts, read.score_curve.len(), read.margin_curve.len()), (499, 2, 1));

    let bad = r#"{"at_least": 0.5, "coverage": 1, "accuracy": 0.9}, {"at_least": 0.1, "coverage": 1, "accuracy": 0.9}"#;
    for (members, expected) in [
        (calibration(bad), "calibration.score_curve"),
        (calibration(r#"{"at_least": 0.5, "coverage": 1, "acuracy": 0.9}"#), "acuracy"),
        (
            r#""calibration": {"method": "magic", "texts": 1, "ece_held_out": 0, "ece_held_out_without": 0}"#.into(),
            "magic",
        ),
    ] {
        let error = Package::open(with_members(&members).path()).err().expect("it is wrong");
        assert!(chain(&error).contains(expected), "{}", chain(&error));
    }
}

#[test]
fn data_may_be_listed_by_file_and_older_packages_still_load() {
    let older = r#"{"name": "m", "thresholds": {"abstain_below": null}, "data": [{"name": "one", "sha256": "ab"}]}"#;
    let older = Manifest::parse(Path::new(MANIFEST), older.as_bytes()).expect("fields of the first version");
    assert_eq!((older.calibration, older.data[0].files.len(), older.data[0].dropped.len()), (None, 0, 0));
    let content = r#"{"data": [{"name": "two", "sha256": "ab", "files": [{"name": "a.csv", "sha256": "cd", "rows": 7},
        {"name": "b.csv", "sha256": "ef"}], "dropped": {"in_test": 3}}]}"#;
    let manifest = Manifest::parse(Path::new(MANIFEST), content.as_bytes()).expect("these are the fields");
    let data = &manifest.data[0];
    assert_eq!((data.files[0].rows, data.files[1].rows, data.dropped["in_test"]), (Some(7), None, 3));
    let wrong = content.replace("rows", "row");
    assert!(Manifest::parse(Path::new(MANIFEST), wrong.as_bytes()).is_err());
}
