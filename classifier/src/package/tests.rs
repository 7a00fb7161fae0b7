//! The default package as a whole: its drift reference is held against its digest and changes no other one.

use std::fs;

use super::*;

/// What `sha256sum config.json labelstream.json model.onnx tokenizer.json | sha256sum` gave before the package had a
/// drift reference.
const DIGEST: &str = "sha256:e20f5edd4d9c9aef383f487ce463d8c6a346b69f067dd49a9f0775276d8c0567";

fn default_package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/banking77-minilm")
}

/// A copy that may be damaged; the model is linked.
fn copy() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for name in [CONFIG, MANIFEST, TOKENIZER, "drift.profile"] {
        fs::copy(default_package().join(name), dir.path().join(name)).expect("the default package has this file");
    }
    fs::hard_link(default_package().join(MODELS[0]), dir.path().join(MODELS[0]))
        .or_else(|_| fs::copy(default_package().join(MODELS[0]), dir.path().join(MODELS[0])).map(|_| ()))
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
