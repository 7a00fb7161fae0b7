//! A profile survives its file; whatever is no profile is refused by name.

use std::collections::BTreeMap;

use super::*;
use crate::compare::streams::{Mix, Stream, hour};

fn about(counts: &WindowCounts, has_words: bool) -> About {
    About {
        name: "april".to_owned(),
        model: ModelId { name: "banking".to_owned(), version: "1".to_owned(), digest: "sha256:aa".to_owned() },
        made_from: "a test".to_owned(),
        first_ms: 0,
        last_ms: 3_600_000,
        records: counts.records(),
        has_words,
        has_dead_letters: false,
        calibrations: Vec::new(),
    }
}

fn profile() -> Profile {
    let counts = Stream::new(1).counts(&Mix::default(), 300);
    Profile::new(about(&counts, false), counts)
}

#[test]
fn what_is_written_is_read_under_the_same_id() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (file, profile) = (dir.path().join("april.profile"), profile());
    profile.write(&file).expect("writable");
    let read = Profile::read(&file).expect("our own file");
    assert_eq!((read.about(), read.id()), (profile.about(), profile.id()));
    assert_eq!(read.counts(), profile.counts());
    assert!(read.id().starts_with("sha256:") && read.id().len() == 7 + 64);
    assert_eq!(std::fs::read_dir(dir.path()).expect("readable").count(), 1);
}

#[test]
fn words_are_readable_only_where_asked_for() {
    let counts = Stream::new(2).counts(&Mix::default(), 300);
    let words = |has_words| {
        let kept = Profile::new(about(&counts, has_words), counts.clone()).counts();
        match kept.all().view(&Feature::Words) {
            Some(View::Words(words)) => (words.kept().len(), words.buckets().len()),
            _ => (0, 0),
        }
    };
    let ((with, buckets), (without, same)) = (words(true), words(false));
    assert!(with >= 12 && buckets >= 12 && without == 0 && same == buckets, "{with} {without} {buckets} {same}");
}

#[test]
fn what_is_no_profile_is_refused_with_its_file_and_what_was_expected() {
    let bytes = profile().to_bytes();
    let line = bytes.iter().position(|byte| *byte == b'\n').expect("a first line");
    let (header, counts) = (String::from_utf8_lossy(&bytes[..line]).into_owned(), &bytes[line..]);
    let changed = |from: &str, to: &str| [header.replacen(from, to, 1).as_bytes(), counts].concat();
    for (bytes, expected) in [
        (b"PK\x03\x04".to_vec(), "expected a file that begins with"),
        (Vec::new(), "expected a file that begins with"),
        (bytes[..line].to_vec(), "expected counts after its first line"),
        (changed("\"version\":1", "\"version\":2"), "its format is version 2, this program reads up to 1"),
        (changed("\"records\":300", "\"records\":301"), "it counts 300 records and says 301"),
        (changed("\"first_ms\":0", "\"first_ms\":9999999"), "first_ms is later than last_ms"),
        (changed("\"made_from\"", "\"mode_from\""), "read the header of the profile x.profile"),
        (bytes[..bytes.len() - 3].to_vec(), "read the counts of the profile x.profile"),
    ] {
        let error = Profile::parse(Path::new("x.profile"), &bytes).expect_err(expected).to_string();
        assert!(error.contains(expected) && error.contains("x.profile"), "{error}");
    }
    let error = Profile::read(Path::new("no/such.profile")).expect_err("no file").to_string();
    assert!(error.starts_with("read the profile no/such.profile"), "{error}");
}

#[test]
fn a_profile_of_another_model_names_the_labels_that_it_lacks() {
    let (profile, labels) =
        (profile(), |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect::<Vec<Arc<str>>>());
    let model = |digest: &str| ModelId { digest: digest.to_owned(), ..profile.about().model.clone() };
    assert!(profile.check_model(&model("sha256:aa"), &[]).is_ok());
    // Without a digest, name and version decide.
    assert!(profile.check_model(&model(""), &[]).is_ok());
    let known = labels(&["card_arrival", "fees", "top_up"]);
    let error = profile.check_model(&model("sha256:bb"), &known).expect_err("another model").to_string();
    assert!(error.contains("banking 1 sha256:aa") && error.contains("banking 1 sha256:bb"), "{error}");
    assert!(error.contains("does not have the labels lost_card;"), "{error}");
}

#[test]
fn the_default_package_ships_a_profile_of_its_model() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/banking77-minilm");
    let profile = Profile::read(&package.join("drift.profile")).expect("the default package's profile");
    let manifest = std::fs::read(package.join("labelstream.json")).expect("the default package");
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("JSON");
    let ModelId { name, version, .. } = &profile.about().model;
    assert_eq!((&manifest["name"], &manifest["version"]), (&name.as_str().into(), &version.as_str().into()));
    assert_eq!((profile.about().records, profile.about().has_words), (3579, false));
    let listed = manifest["drift_reference"]["sha256"].as_str().unwrap_or_default();
    assert_eq!(profile.id(), format!("sha256:{listed}"));
    assert_eq!(Profile::new(profile.about().clone(), (*profile.counts()).clone()).id(), profile.id());
}

#[test]
fn the_nearest_length_lends_its_design_effects() {
    let counts = Stream::new(3).counts(&Mix::default(), 300);
    let calibration = |granularity_ms: i64, effect: f64| StreamCalibration {
        granularity_ms,
        windows: 10,
        records_per_window: 30.0,
        design_effects: BTreeMap::from([("score".to_owned(), effect)]),
        duplicates: None,
    };
    let calibrations = vec![calibration(60_000, 1.5), calibration(86_400_000, 4.0)];
    let profile = Profile::new(About { calibrations, ..about(&counts, false) }, counts);
    assert_eq!(profile.design_effect(hour(), &Feature::Score), Some(4.0));
    let minute = Granularity::from_millis(60_000).expect("a minute");
    assert_eq!(profile.design_effect(minute, &Feature::Score), Some(1.5));
    assert_eq!(profile.design_effect(minute, &Feature::Label), None);
}
