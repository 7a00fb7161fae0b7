//! Model packages are input: good ones of every layout work, bad ones are refused with the file and the place, and no
//! bytes make the loader panic.

mod hugging_face;
mod tiny;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use engine::load::{self, LoadError};
use engine::onnx::SessionError;
use engine::package::Package;
use engine::settings::{Config, LongTextKind, Settings};
use engine::tokens::LongText;
use engine::{Client, Engine, Prediction, Removal};
use proptest::prelude::*;
use service::chain;
use tests::workspace;
use tiny::{Graph, Tiny};

pub(crate) fn settings(dir: &Path) -> Settings {
    Settings { sessions: 2, tokens_per_run: 16, ..Settings::of_package(dir.to_owned()) }
}

/// Loads with these settings; nothing where ONNX Runtime is not installed.
pub(crate) fn load(test: &str, settings: Settings) -> Option<Result<Client, LoadError>> {
    let config = Config::try_from(settings).expect("good settings");
    match load::load(&config) {
        Err(LoadError::Session(SessionError::Runtime(error))) => {
            workspace::skip_without_tool(test, &error.to_string());
            None
        }
        other => Some(other),
    }
}

pub(crate) fn predict(client: &Client, texts: &[&str]) -> Vec<Result<Arc<Prediction>, String>> {
    let answers = client.predict(texts).expect("the model works");
    answers.into_iter().map(|answer| answer.map_err(|error| chain(&*error))).collect()
}

pub(crate) fn close(found: f32, expected: f64) {
    assert!((f64::from(found) - expected).abs() < 1e-6, "found {found}, expected {expected}");
}

#[test]
fn a_package_of_hugging_face_files_only_works_unchanged() {
    let tiny = Tiny::new();
    let Some(client) = load("a_package_of_hugging_face_files_only", settings(tiny.dir())) else { return };
    let client = client.unwrap_or_else(|error| panic!("the tiny package loads: {error}"));
    let model = Arc::clone(client.model());
    assert_eq!(model.name, tiny.dir().file_name().expect("a name").to_string_lossy());
    assert_eq!(model.digest.len(), "sha256:".len() + 64);
    assert!(model.digest[7..].starts_with(&model.version));

    let answers = predict(&client, &["Good good", "bad", "huge huge", "good what"]);
    // logits (2, -2), (-1, 2), infinite, (1, -1)
    let first = answers[0].as_ref().expect("a label");
    assert_eq!(first.labels.label.as_deref(), Some("positive"));
    close(first.labels.top[0].score, 1.0 / (1.0 + (-4f64).exp()));
    assert_eq!((first.signals.n_tokens, first.signals.characters, first.signals.truncated), (3, 9, false));
    assert_eq!(answers[1].as_ref().expect("a label").labels.label.as_deref(), Some("negative"));
    let error = answers[2].as_ref().expect_err("infinity is no score");
    assert!(error.contains("not a finite number"), "{error}");
    close(answers[3].as_ref().expect("a label").signals.unknown_rate, 0.5);
}

#[test]
fn the_digest_follows_the_content_and_not_the_folder() {
    let (one, two) = (Tiny::new(), Tiny::new());
    let digest = |tiny: &Tiny| Package::open(tiny.dir()).expect("the tiny package opens").id.digest;
    assert_eq!(digest(&one), digest(&two));
    two.write("README.md", "not part of the scores");
    assert_eq!(digest(&one), digest(&two));
    two.write("labelstream.json", "{}");
    assert_ne!(digest(&one), digest(&two));
}

#[test]
fn takes_the_optimum_layout_and_links_as_in_the_hugging_face_cache() {
    let tiny = Tiny::new();
    fs::create_dir_all(tiny.path("onnx")).expect("writable");
    fs::rename(tiny.path("model.onnx"), tiny.path("onnx/model.onnx")).expect("writable");
    #[cfg(unix)]
    {
        fs::rename(tiny.path("config.json"), tiny.path("blob")).expect("writable");
        std::os::unix::fs::symlink("blob", tiny.path("config.json")).expect("links are possible");
    }
    let package = Package::open(tiny.dir()).expect("this layout is taken");
    assert!(package.files.iter().any(|file| file.name == "onnx/model.onnx"));
}

#[test]
fn sigmoid_regression_thresholds_and_temperature_come_from_the_package_and_settings_win() {
    let test = "sigmoid_regression_thresholds_and_temperature";
    let sigmoid = tiny::CONFIG.replacen('{', r#"{"problem_type": "multi_label_classification", "#, 1);
    let manifest = r#"{"name": "tiny", "version": "7", "temperature": 2, "tokens_max": 6,
        "thresholds": {"abstain_below": 0.9, "per_label": {"negative": 0.1}}}"#;
    let tiny = Tiny::new().with("config.json", sigmoid).with("labelstream.json", manifest);
    let Some(client) = load(test, settings(tiny.dir())) else { return };
    let client = client.unwrap_or_else(|error| panic!("the tiny package loads: {error}"));
    assert_eq!((client.model().name.as_str(), client.model().version.as_str()), ("tiny", "7"));
    let answers = predict(&client, &["good", "good good good good good"]);
    assert_eq!(answers[0].as_ref().expect("scores").labels.label, None, "sigmoid(1/2) is below 0.9");
    let sure = answers[1].as_ref().expect("scores");
    close(sure.labels.top[0].score, 1.0 / (1.0 + (-2.5f64).exp()));

    let own = Settings { temperature: Some(1.0), abstain_below: Some(0.0), ..settings(tiny.dir()) };
    let client = load(test, own).expect("as before").unwrap_or_else(|error| panic!("settings win: {error}"));
    let answers = predict(&client, &["good"]);
    let top = &answers[0].as_ref().expect("scores").labels.top;
    close(top[0].score, 1.0 / (1.0 + (-1f64).exp()));
    assert_eq!(top.len(), 2, "negative, sigmoid(-1) = 0.27, is over its own threshold: {top:?}");
}

#[test]
fn windows_of_a_long_text_are_scored_together() {
    let tiny = Tiny::new();
    let strided =
        Settings { long_text: LongTextKind::Strided, stride_overlap: 0, tokens_max: Some(3), ..settings(tiny.dir()) };
    let Some(client) = load("windows_of_a_long_text", strided) else { return };
    let client = client.unwrap_or_else(|error| panic!("the tiny package loads: {error}"));
    let answers = predict(&client, &["good good what what bad bad bad"]);
    let prediction = answers[0].as_ref().expect("scores");
    // windows of two words: (2, -2), (0, 0), (-2, 4), (-1, 2); the highest of each label is (2, 4)
    close(prediction.labels.top[0].score, 1.0 / (1.0 + (-2f64).exp()));
    assert_eq!(prediction.labels.label.as_deref(), Some("negative"));
    assert!(!prediction.signals.truncated && prediction.signals.n_tokens == 8);
}

#[test]
fn golden_texts_with_other_scores_are_listed_by_number() {
    let manifest = r#"{"golden": [{"text": "good", "label": "positive", "score": 0.880797},
        {"text": "bad", "label": "positive", "score": 0.5}, {"text": "good good", "label": "positive", "score": 0.7}]}"#;
    let tiny = Tiny::new().with("labelstream.json", manifest);
    let Some(client) = load("golden_texts_with_other_scores", settings(tiny.dir())) else { return };
    let error = chain(&client.err().expect("two texts differ"));
    assert!(error.contains("2 differ; number 1: expected positive 0.5, found negative 0.95257"), "{error}");
    assert!(error.contains("number 2: expected positive 0.7, found positive 0.98201"), "{error}");
    assert!(!error.contains("good"), "a text stays out of the log: {error}");
}

#[test]
fn a_package_joins_a_running_engine_and_one_that_fails_leaves_the_others_as_they_were() {
    let (old, new) = (Tiny::new(), Tiny::new());
    let Some(client) = load("a_package_joins_a_running_engine", settings(old.dir())) else { return };
    let client = client.unwrap_or_else(|error| panic!("the tiny package loads: {error}"));
    let engine = Engine::of(&client);
    let config = |tiny: &Tiny| Config::try_from(settings(tiny.dir())).expect("good settings");

    let manifest = r#"{"golden": [{"text": "bad", "label": "positive", "score": 0.5}]}"#;
    let failing = Tiny::new().with("labelstream.json", manifest);
    let error = load::load_into(&engine, &config(&failing)).err();
    assert!(matches!(error, Some(LoadError::Golden { .. })), "{error:?}");
    assert_eq!(engine.models(), [Arc::clone(client.model())]);
    assert_eq!(predict(&client, &["good"]).iter().filter(|answer| answer.is_ok()).count(), 1);

    let engine_of_thread = engine.clone();
    let config = config(&new);
    let loading = std::thread::spawn(move || load::load_into(&engine_of_thread, &config));
    let loaded = loading.join().expect("no panic").unwrap_or_else(|error| panic!("the tiny package loads: {error}"));
    assert_eq!(engine.models(), [Arc::clone(client.model()), Arc::clone(loaded.client.model())]);
    client.remove(Removal::Finish);
    assert_eq!(engine.models(), [Arc::clone(loaded.client.model())]);
    assert_eq!(predict(&loaded.client, &["good"]).iter().filter(|answer| answer.is_ok()).count(), 1);
}

#[test]
fn a_bad_file_is_refused_with_its_name_and_what_is_wrong() {
    let check = |name: &str, content: &[u8], expected: &str| {
        let tiny = Tiny::new().with(name, content);
        let package = Package::open(tiny.dir());
        let opened = package.and_then(|package| package.tokens(None, LongText::Head).map(|_| package));
        let error = chain(&opened.err().unwrap_or_else(|| panic!("{name} is refused: {expected}")));
        assert!(error.contains(name) && error.contains(expected), "expected {name}: {expected}, found {error}");
    };
    check("config.json", b"{\n  \"id2label\": }", "expected value at line 2 column 15");
    check("config.json", b"\xff", "as JSON: expected value at line 1 column 1");
    check("config.json", b"{\"id2label\": {\"0\": \"a\", \"2\": \"b\"}}", "id2label has 2 labels but none for logit 1");
    let small = tiny::CONFIG.replace("\"vocab_size\": 6", "\"vocab_size\": 5");
    check("config.json", small.as_bytes(), "vocab_size is 5, but tokenizer.json has ids up to 5");
    check("tokenizer.json", b"{\"model\": ", "as JSON: EOF");
    check("tokenizer.json", b"{\"model\": {\"type\": \"Magic\"}}", "the tokenizer failed");
    let types = tiny::tokenizer().replace("\"type_id\":0", "\"type_id\":1");
    check("tokenizer.json", types.as_bytes(), "token types other than 0");
    check("model.onnx", b"", "byte 0 does not belong to an ONNX model");
    check("model.onnx", b"version https://git-lfs.github.com/spec/v1", "does not belong to an ONNX model");
    let external = Graph { external: Some("../../secret.bin"), ..Graph::default() }.bytes();
    check("model.onnx", &external, "external data");
    for (json, expected) in [
        ("{\"temprature\": 2}", "unknown field `temprature`, expected one of"),
        ("{\"temperature\": 0}", "temperature is 0"),
        ("{\"golden_tolerance\": -1}", "golden_tolerance is -1"),
        ("{\"thresholds\": {\"abstain_below\": 2}}", "thresholds.abstain_below is 2"),
        ("{\"thresholds\": {\"per_label\": {\"other\": 0.5}}}", "names the label \"other\""),
        ("{\"golden\": [{\"text\": \"a\", \"label\": \"other\", \"score\": 1}]}", "number 0 has the label \"other\""),
        ("{\"tokens_max\": 9}", "tokens_max is 9, but the model has positions for 8"),
        ("{\"tokens_max\": 0}", "tokens_max is 0"),
        ("{\"files\": {\"../x\": {\"sha256\": \"0\"}}}", "not a path inside the package"),
    ] {
        check("labelstream.json", json.as_bytes(), expected);
    }
}

#[test]
fn a_digest_or_a_size_that_differs_and_a_missing_file_are_refused() {
    let check = |manifest: &str, expected: &str| {
        let tiny = Tiny::new().with("labelstream.json", manifest);
        let error = Package::open(tiny.dir()).err().expect("the manifest is at odds with the files").to_string();
        assert!(error.contains(expected), "expected {expected}, found {error}");
    };
    check(r#"{"files": {"config.json": {"sha256": "00"}}}"#, "its SHA-256 is");
    check(r#"{"files": {"config.json": {"sha256": "00", "bytes": 3}}}"#, "labelstream.json says 3");
    check(r#"{"files": {"absent.json": {"sha256": "00"}}}"#, "absent.json");
    for name in ["config.json", "tokenizer.json", "model.onnx"] {
        let tiny = Tiny::new();
        fs::remove_file(tiny.path(name)).expect("the file is there");
        let error = Package::open(tiny.dir()).err().expect("a file is missing").to_string();
        assert!(error.contains("it has no") && error.contains(name), "{error}");
    }
    let nowhere = Package::open(Path::new("/nowhere/at/all")).err().expect("no such folder").to_string();
    assert!(nowhere.contains("/nowhere/at/all: it is not a folder"), "{nowhere}");
}

#[test]
fn a_model_of_another_shape_is_refused_when_it_is_loaded() {
    let plain = Graph::default;
    for (graph, expected) in [
        (Graph { input: "pixels", ..plain() }, "it has the input \"pixels\": expected input_ids"),
        (Graph { input: "attention_mask", ..plain() }, "it has no input input_ids"),
        (Graph { output: "scores", ..plain() }, "its first output is \"scores\": expected logits"),
        (Graph { input_type: 1, ..plain() }, "its input \"input_ids\" holds f32: expected i64 or i32"),
    ] {
        let tiny = Tiny::new().with("model.onnx", graph.bytes());
        let Some(client) = load("a_model_of_another_shape", settings(tiny.dir())) else { return };
        let error = chain(&client.err().expect("the model is refused"));
        assert!(error.contains("model.onnx") && error.contains(expected), "expected {expected}, found {error}");
    }
    let three = tiny::CONFIG.replace("\"1\": \"negative\"", "\"1\": \"negative\", \"2\": \"neutral\"");
    for (width, expected) in
        [(2, "have the shape [-1, 2], but config.json names 3 labels: 2 are needed"), (0, "3 labels")]
    {
        let tiny = Tiny::new().with("config.json", &three).with("model.onnx", Graph { width, ..plain() }.bytes());
        let Some(client) = load("a_model_of_another_shape", settings(tiny.dir())) else { return };
        let error = chain(&client.err().expect("two logits for three labels"));
        assert!(error.contains(expected), "expected {expected}, found {error}");
    }
}

#[test]
fn a_run_smaller_than_a_text_is_refused() {
    let tiny = Tiny::new();
    let Some(client) = load("a_run_smaller_than_a_text", Settings { tokens_per_run: 7, ..settings(tiny.dir()) }) else {
        return;
    };
    let error = chain(&client.err().expect("a text may have 8 tokens"));
    assert!(error.contains("model.tokens_per_run = 7") && error.contains("at least the 8 tokens"), "{error}");
}

/// Cuts, repeats, or overwrites a part of a file.
fn mutated(content: &[u8], at: prop::sample::Index, bytes: &[u8], how: u8) -> Vec<u8> {
    let at = at.index(content.len());
    let end = (at + bytes.len()).min(content.len());
    let (before, rest) = (&content[..at], &content[at..]);
    match how % 4 {
        0 => before.to_vec(),
        1 => [before, bytes, rest].concat(),
        2 => [before, bytes, &content[end..]].concat(),
        _ => [before, &content[end..]].concat(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_bytes_make_the_loader_panic(
        file in 0..4usize,
        at in any::<prop::sample::Index>(),
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..20),
            "[0-9{}\\[\\]:,\"nul.e-]{0,12}".prop_map(String::into_bytes),
        ],
        how in any::<u8>(),
    ) {
        let manifest = r#"{"name": "tiny", "thresholds": {"per_label": {"negative": 0.1}}, "golden": []}"#;
        let tiny = Tiny::new().with("labelstream.json", manifest);
        let name = ["config.json", "tokenizer.json", "labelstream.json", "model.onnx"][file];
        let content = fs::read(tiny.path(name)).expect("the file is there");
        tiny.write(name, mutated(&content, at, &bytes, how));
        match Package::open(tiny.dir()).and_then(|package| package.tokens(None, LongText::Head)) {
            Ok(tokens) => {
                let encoded = tokens.encode("good what [CLS] bad");
                prop_assert!(encoded.is_err() || encoded.is_ok_and(|it| it.rows.len() == 1));
            }
            Err(error) => prop_assert!(error.to_string().contains(&*tiny.dir().to_string_lossy()), "{}", error),
        }
    }
}
