//! The default package gives the scores that onnxruntime gives in Python, whatever batch a text comes in.
//!
//! `tests/golden/banking77-minilm.json` is written by `training/`, with the reference tokenizer and runtime.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use engine::load::{self, LoadError};
use engine::onnx::SessionError;
use engine::package::Package;
use engine::settings::{Config, Settings};
use engine::tokens::LongText;
use engine::{Client, Prediction};
use serde::Deserialize;
use tests::workspace;

/// Largest difference of a probability: fp32 kernels differ in the last digits between CPUs, and the reference is
/// rounded to six digits.
const TOLERANCE: f32 = 1e-4;

#[derive(Deserialize)]
struct Reference {
    model_sha256: String,
    tokens_max: usize,
    cases: Vec<Case>,
}

/// The text is `piece`, `repeat` times.
#[derive(Deserialize)]
struct Case {
    name: String,
    piece: String,
    repeat: usize,
    ids: Vec<u32>,
    top: Vec<(String, f32)>,
}

fn reference() -> (Reference, Vec<String>) {
    let file = workspace::root().join("tests/golden/banking77-minilm.json");
    let written = fs::read(&file).expect("the golden file is in the repository");
    let reference: Reference = serde_json::from_slice(&written).expect("the golden file has the known fields");
    let texts = reference.cases.iter().map(|case| case.piece.repeat(case.repeat)).collect();
    (reference, texts)
}

fn folder() -> PathBuf {
    workspace::root().join("models/banking77-minilm")
}

fn config(change: impl FnOnce(Settings) -> Settings) -> Config {
    let settings = Settings { sessions: 2, cache_entries: 0, top_k: 5, ..Settings::of_package(folder()) };
    Config::try_from(change(settings)).expect("good settings")
}

/// The default model, or nothing where ONNX Runtime is not installed.
fn client(test: &str, config: &Config) -> Option<Client> {
    match load::load(config) {
        Ok(client) => Some(client),
        Err(LoadError::Session(SessionError::Runtime(error))) => {
            workspace::skip_without_tool(test, &error.to_string());
            None
        }
        Err(error) => panic!("the default package loads: {error}"),
    }
}

fn predict(client: &Client, texts: &[&str]) -> Vec<Arc<Prediction>> {
    let answers = client.predict(texts).expect("the model works");
    answers.into_iter().map(|answer| answer.expect("every text has scores")).collect()
}

#[test]
fn token_ids_are_those_of_the_reference() {
    let (reference, texts) = reference();
    let package = Package::open(&folder()).expect("the default package opens");
    assert!(
        package.files.iter().any(|file| file.sha256 == reference.model_sha256),
        "the golden file belongs to another model: run the training script's golden step"
    );
    let tokens = package.tokens(Some(reference.tokens_max), LongText::Head).expect("the tokenizer is good");
    for (case, text) in reference.cases.iter().zip(&texts) {
        let encoded = tokens.encode(text).expect("any text has tokens");
        assert_eq!(encoded.rows, [case.ids.as_slice()], "{}", case.name);
        assert_eq!(encoded.truncated, encoded.n_tokens > case.ids.len(), "{}", case.name);
    }
}

#[test]
fn probabilities_are_those_of_the_reference() {
    let test = "probabilities_are_those_of_the_reference";
    let Some(client) = client(test, &config(|settings| settings)) else { return };
    let (reference, texts) = reference();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut worst = 0f32;
    for (case, prediction) in reference.cases.iter().zip(predict(&client, &texts)) {
        let top = &prediction.labels.top;
        assert_eq!(prediction.labels.label.as_deref(), Some(case.top[0].0.as_str()), "{}", case.name);
        for ((expected, score), found) in case.top.iter().zip(top) {
            let differs = (found.score - score).abs();
            worst = worst.max(differs);
            assert!(differs < TOLERANCE, "{}: expected {expected} {score}, found {found:?}", case.name);
        }
    }
    println!("largest difference of a probability: {worst:e}");
}

#[test]
fn a_text_gets_the_same_bits_alone_and_in_any_batch() {
    let test = "a_text_gets_the_same_bits_alone_and_in_any_batch";
    let Some(wide) = client(test, &config(|settings| settings)) else { return };
    let narrow = config(|settings| Settings { sessions: 1, tokens_per_run: 128, ..settings });
    let Some(narrow) = client(test, &narrow) else { return };
    let (_, texts) = reference();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let together = predict(&wide, &texts);
    for (text, expected) in texts.iter().zip(&together) {
        assert_eq!(predict(&narrow, &[text])[0], *expected);
    }
    let backwards: Vec<&str> = texts.iter().rev().copied().collect();
    assert!(predict(&narrow, &backwards).iter().rev().eq(&together));
}

#[test]
fn every_way_to_show_a_long_text_agrees_on_short_ones() {
    let test = "every_way_to_show_a_long_text_agrees_on_short_ones";
    use engine::settings::LongTextKind::{Head, HeadTail, Strided, Tail};
    let question = "Where is my card? ";
    let long = format!("{question}{}", "Hello there, I hope you are well. ".repeat(60));
    let mut labels = Vec::new();
    for long_text in [Head, Tail, HeadTail, Strided] {
        let Some(client) = client(test, &config(|settings| Settings { long_text, ..settings })) else { return };
        let prediction = predict(&client, &[question, &long]);
        assert_eq!(prediction[0].labels.label.as_deref(), Some("card_arrival"), "{long_text:?}");
        assert!(!prediction[0].signals.truncated);
        assert_eq!(prediction[1].signals.truncated, long_text != Strided);
        assert_eq!(prediction[1].signals.n_tokens, 547);
        labels.push((long_text, prediction[1].labels.label.clone()));
    }
    println!("a question before a long text: {labels:?}");
}

#[test]
fn the_check_of_the_default_package_finds_it_good() {
    let report = match engine::check::check(&config(|settings| settings)) {
        Ok(report) => report,
        Err(LoadError::Session(SessionError::Runtime(error))) => {
            return workspace::skip_without_tool("the_check_of_the_default_package", &error.to_string());
        }
        Err(error) => panic!("the default package loads: {error}"),
    };
    println!("{report}");
    assert!(report.is_good() && !report.golden.is_empty() && report.files_listed >= 3);
    let text = report.to_string();
    for expected in ["banking77-minilm", "sha256:", "model.onnx", "77, exactly one is right", "texts/s", "cpu ("] {
        assert!(text.contains(expected), "{expected} is missing:\n{text}");
    }
}
