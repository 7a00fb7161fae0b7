//! Folders as Hugging Face's libraries write them give what `transformers` gives for the same folder, or say what to do.
//!
//! Expected values follow the rules of transformers 5.23: `TextClassificationPipeline.postprocess`, `PreTrainedConfig`
//! and `PreTrainedTokenizerFast`, read in its source and tried.

use std::fs;
use std::time::Duration;

use engine::package::Package;
use engine::settings::{Config, LongTextKind, Settings};
use engine::{Client, Prediction};
use service::chain;
use tests::process::Process;
use tests::workspace;

use crate::tiny::{self, Graph, Tiny};
use crate::{close, load, predict, settings};

/// A labeller for a package that has to load; nothing where ONNX Runtime is not installed.
fn client(test: &str, tiny: &Tiny) -> Option<Client> {
    let loaded = load(test, settings(tiny.dir()))?;
    Some(loaded.unwrap_or_else(|error| panic!("{test}: {}", chain(&error))))
}

fn one(client: &Client, text: &str) -> Prediction {
    let prediction = predict(client, &[text]).remove(0).unwrap_or_else(|error| panic!("{text}: {error}"));
    (*prediction).clone()
}

/// Why a package does not load; nothing where ONNX Runtime is not installed.
fn refusal(test: &str, tiny: &Tiny) -> Option<String> {
    let loaded = load(test, settings(tiny.dir()))?;
    Some(chain(&loaded.err().unwrap_or_else(|| panic!("{test}: it is refused"))))
}

/// `config.json` with these members beside the sizes of the tiny model.
fn config(members: &str) -> String {
    format!(r#"{{{members} "pad_token_id": 0, "vocab_size": 6, "max_position_embeddings": 8, "model_type": "bert"}}"#)
}

#[test]
fn labels_that_config_json_does_not_name_are_those_of_transformers_with_a_note() {
    let test = "labels_that_config_json_does_not_name";
    for (members, columns, expected, note) in [
        ("", 2, "LABEL_0", "no id2label (transformers leaves it out for two labels)"),
        (r#""id2label": null, "label2id": null,"#, 2, "LABEL_0", "no id2label"),
        (r#""num_labels": 3,"#, 3, "LABEL_0", "LABEL_0 to LABEL_2"),
        (r#""label2id": {"negative": 1, "positive": 0},"#, 2, "positive", "names of its label2id"),
    ] {
        let model = Graph { columns, ..Graph::default() }.bytes();
        let tiny = Tiny::new().with("config.json", config(members)).with("model.onnx", model);
        let Some(client) = client(test, &tiny) else { return };
        assert_eq!(one(&client, "good").labels.label.as_deref(), Some(expected), "{members}");
        let settings = Config::try_from(settings(tiny.dir())).expect("good settings");
        let report = engine::check::check(&settings).unwrap_or_else(|error| panic!("{members}: {}", chain(&error)));
        assert!(report.notes.iter().any(|said| said.contains(note)), "{members}: {:?}", report.notes);
        let shown = report.to_string();
        assert!(shown.contains(note) && shown.contains("golden texts  none in the package"), "{shown}");
        assert!(shown.contains("the package has no labelstream.json"), "{shown}");
    }
    for (members, columns, expected) in [
        ("", 3, [", 3]", "2 labels"]),
        ("", 1, [", 1]", "2 labels"]),
        (r#""num_labels": 4,"#, 3, [", 3]", "4 labels"]),
        (r#""id2label": ["a", "b"],"#, 3, [", 3]", "2 labels"]),
    ] {
        let model = Graph { columns, ..Graph::default() }.bytes();
        let tiny = Tiny::new().with("config.json", config(members)).with("model.onnx", model);
        let Some(error) = refusal(test, &tiny) else { return };
        assert!(expected.iter().all(|part| error.contains(part)), "{members}: {error}");
    }
}

#[test]
fn names_of_labels_may_be_a_list_or_numbers() {
    for (members, expected) in [
        (r#""id2label": ["a", "b"],"#, ["a", "b"]),
        (r#""id2label": {"1": 1, "0": 0},"#, ["0", "1"]),
        (r#""id2label": {"0": 1.5, "1": true},"#, ["1.5", "true"]),
        (r#""id2label": {"0": "a", "1": "b"}, "label2id": {"b": 0, "a": 1}, "problem_type": null,"#, ["a", "b"]),
    ] {
        let tiny = Tiny::new().with("config.json", config(members));
        let package = Package::open(tiny.dir()).unwrap_or_else(|error| panic!("{members}: {}", chain(&error)));
        let found: Vec<&str> = package.config.labels.iter().map(|name| &**name).collect();
        assert_eq!(found, expected, "{members}");
    }
}

#[test]
fn one_logit_is_a_sigmoid_unless_it_is_a_regression() {
    let test = "one_logit_is_a_sigmoid";
    let model = Graph { columns: 1, ..Graph::default() }.bytes();
    for problem in ["null", r#""single_label_classification""#, r#""multi_label_classification""#] {
        let members = format!(r#""id2label": {{"0": "spam"}}, "problem_type": {problem},"#);
        let tiny = Tiny::new().with("config.json", config(&members)).with("model.onnx", &model);
        let Some(client) = client(test, &tiny) else { return };
        // logits 1 and -1
        let yes = one(&client, "good").labels;
        close(yes.score.expect("a score"), 1.0 / (1.0 + (-1f64).exp()));
        assert_eq!(yes.label.as_deref(), Some("spam"), "{problem}");
        let no = one(&client, "bad").labels;
        close(no.score.expect("a score"), 1.0 / (1.0 + 1f64.exp()));
        assert_eq!(no.label, None, "{problem}: below 0.5 the only label is not given");
    }
    let members = r#""id2label": {"0": "stars"}, "problem_type": "regression","#;
    let tiny = Tiny::new().with("config.json", config(members)).with("model.onnx", &model);
    let Some(client) = client(test, &tiny) else { return };
    let found = one(&client, "good good").labels;
    assert_eq!((found.label, found.score, found.value), (None, None, Some(2.0)));
}

/// `tokenizer.json` with this truncation.
fn tokenizer(truncation: &str) -> String {
    tiny::tokenizer().replace(r#""truncation":null"#, &format!(r#""truncation":{truncation}"#))
}

#[test]
fn a_long_text_is_cut_where_its_tokenizer_cuts_it() {
    let test = "a_long_text_is_cut_where_its_tokenizer_cuts_it";
    let side = |direction: &str| {
        format!(r#"{{"direction":"{direction}","max_length":8,"strategy":"LongestFirst","stride":0}}"#)
    };
    // 8 tokens of each: the model sees 7 of one side, logits (7, -7) or (-7, 14)
    let text = "bad bad bad bad bad bad bad bad good good good good good good good good";
    let (head, tail) = ("negative", "positive");
    let mut digests = Vec::new();
    for (truncation, settings_json, expected) in [
        ("null", None, head),
        (&side("Right"), None, head),
        (&side("Left"), None, tail),
        ("null", Some(r#"{"truncation_side": "left", "model_max_length": 512}"#), tail),
        (&side("Right"), Some(r#"{"truncation_side": "left"}"#), tail),
        (&side("Left"), Some(r#"{"truncation_side": "right"}"#), head),
        (&side("Left"), Some(r#"{"padding_side": "left", "tokenizer_class": "BertTokenizer"}"#), tail),
    ] {
        let tiny = Tiny::new().with("tokenizer.json", tokenizer(truncation));
        if let Some(json) = settings_json {
            tiny.write("tokenizer_config.json", json);
        }
        let Some(client) = client(test, &tiny) else { return };
        digests.push(client.model().digest.clone());
        let found = one(&client, text);
        assert_eq!(found.labels.label.as_deref(), Some(expected), "{truncation} {settings_json:?}");
        assert_eq!((found.signals.truncated, found.signals.n_tokens), (true, 17));
        let own = Settings { long_text: LongTextKind::Head, ..settings(tiny.dir()) };
        let client = load(test, own).expect("as before").unwrap_or_else(|error| panic!("{}", chain(&error)));
        assert_eq!(one(&client, text).labels.label.as_deref(), Some(head), "a setting wins");
    }
    let count = digests.len();
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), count, "what cuts a text is part of the digest");

    let tiny = Tiny::new().with("tokenizer_config.json", r#"{"model_max_length": 3, "truncation_side": "left"}"#);
    let Some(client) = client(test, &tiny) else { return };
    let found = one(&client, "bad good good");
    close(found.labels.score.expect("a score"), 1.0 / (1.0 + (-4f64).exp()));
    let tiny = Tiny::new().with("tokenizer_config.json", r#"{"truncation_side": "middle"}"#);
    let error = chain(&Package::open(tiny.dir()).err().expect("transformers refuses it, too"));
    assert!(error.contains("tokenizer_config.json: truncation_side is \"middle\": expected left or right"), "{error}");
}

#[test]
fn logits_of_every_float_and_token_ids_of_both_integers_are_taken() {
    let test = "logits_of_every_float";
    for (input_type, output_type) in [(7, 1), (7, 10), (7, 11), (7, 16), (6, 1), (6, 10)] {
        let graph = Graph { input_type, output_type, ..Graph::default() };
        let Some(client) = client(test, &Tiny::new().with("model.onnx", graph.bytes())) else { return };
        // logits (2, -2) and (-1, 2), which all of these floats hold exactly
        close(one(&client, "good good").labels.top[0].score, 1.0 / (1.0 + (-4f64).exp()));
        close(one(&client, "bad").labels.top[0].score, 1.0 / (1.0 + (-3f64).exp()));
        let answers = predict(&client, &["huge huge", "good"]);
        assert!(answers[0].as_ref().is_err_and(|error| error.contains("not a finite number")), "{output_type}");
        assert!(answers[1].is_ok(), "{output_type}");
    }
}

#[test]
fn logits_are_found_among_other_outputs() {
    let test = "logits_are_found_among_other_outputs";
    let plain = || Graph { hidden: true, width: 2, ..Graph::default() };
    for graph in [plain(), Graph { width: 0, ..plain() }, Graph { output: "output_0", ..plain() }] {
        let Some(client) = client(test, &Tiny::new().with("model.onnx", graph.bytes())) else { return };
        close(one(&client, "good").labels.top[0].score, 1.0 / (1.0 + (-2f64).exp()));
    }
    for (graph, expected) in [
        (Graph { output: "output_0", softmax: true, ..plain() }, "and \"output_0\" holds probabilities"),
        (Graph { output: "probabilities", ..plain() }, "and \"probabilities\" holds probabilities"),
        (
            Graph { output: "pooler_output", width: 0, columns: 4, ..plain() },
            "its first output is \"last_hidden_state\": expected logits, or one other output with a column for each of \
             the 2 labels of config.json: was it exported for text classification? It has \"last_hidden_state\" f32 \
             [-1, -1, 4], \"pooler_output\" f32 [-1, 4]",
        ),
        (Graph { rows: true, ..Graph::default() }, "have the shape [-1, -1, 2]: expected one row per text, [batch, 2]"),
        (Graph { output_type: 7, ..plain() }, "its \"logits\" holds i64: expected f32, f16, bf16 or f64"),
    ] {
        let Some(error) = refusal(test, &Tiny::new().with("model.onnx", graph.bytes())) else { return };
        assert!(error.contains(expected), "expected {expected}, found {error}");
    }
}

#[test]
fn external_data_beside_the_model_is_loaded_and_is_part_of_the_digest() {
    let test = "external_data_beside_the_model";
    for (model, location, file) in [
        ("model.onnx", "model.onnx_data", "model.onnx_data"),
        ("model.onnx", "model.onnx.data", "model.onnx.data"),
        ("model.onnx", "./weights/all.bin", "weights/all.bin"),
        ("onnx/model.onnx", "model.onnx_data", "onnx/model.onnx_data"),
    ] {
        let graph = Graph { external: Some(location), ..Graph::default() };
        let tiny = Tiny::new();
        fs::remove_file(tiny.path("model.onnx")).expect("writable");
        tiny.write(model, graph.bytes());
        tiny.write(file, graph.data());
        let Some(client) = client(test, &tiny) else { return };
        close(one(&client, "good").labels.top[0].score, 1.0 / (1.0 + (-2f64).exp()));
        let before = client.model().digest.clone();
        let mut other = graph.data();
        other[12 * 2] ^= 1; // the weight of a word that no text has
        tiny.write(file, &other);
        let package = Package::open(tiny.dir()).expect("other weights are as good");
        assert_ne!(package.id.digest, before);
        assert!(package.files.iter().any(|found| found.name == file), "{:?}", package.files);

        tiny.write(file, &other[..20]);
        let Some(error) = refusal(test, &tiny) else { return };
        assert!(error.contains(model), "weights that end too early: {error}");
        fs::remove_file(tiny.path(file)).expect("writable");
        let error = chain(&Package::open(tiny.dir()).err().expect("the weights are gone"));
        assert!(error.contains(&format!("it keeps weights in {file} (external data), which is not in")), "{error}");
    }
    for location in ["/etc/passwd", "weights/../../secret.bin", ""] {
        let graph = Graph { external: Some(location), ..Graph::default() };
        let tiny = Tiny::new().with("model.onnx", graph.bytes());
        let error = chain(&Package::open(tiny.dir()).err().expect("it leads out"));
        assert!(error.contains("which is not a path inside the package"), "{location}: {error}");
    }
}

#[test]
fn the_only_model_is_taken_and_one_of_several_is_chosen_by_a_setting() {
    let test = "the_only_model_is_taken";
    let package = |models: &[&str]| {
        let tiny = Tiny::new();
        fs::remove_file(tiny.path("model.onnx")).expect("writable");
        models.iter().for_each(|name| tiny.write(name, Graph::default().bytes()));
        tiny
    };
    for name in ["model_quantized.onnx", "onnx/model_int8.onnx", "onnx/model_fp16.onnx", "classifier.onnx"] {
        let tiny = package(&[name]);
        let found = Package::open(tiny.dir()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(found.files.iter().any(|file| file.name == name));
    }
    let tiny = package(&["onnx/model_fp16.onnx", "onnx/model_quantized.onnx"]);
    let error = Package::open(tiny.dir()).err().expect("which one?").to_string();
    let expected = "it has no model.onnx or onnx/model.onnx: choose one of onnx/model_fp16.onnx, \
                    onnx/model_quantized.onnx: --set model.file=onnx/model_fp16.onnx";
    assert!(error.contains(expected), "{error}");
    let chosen = |file: &str| Settings { file: Some(file.to_owned()), ..settings(tiny.dir()) };
    let Some(loaded) = load(test, chosen("onnx/model_quantized.onnx")) else { return };
    assert!(loaded.is_ok(), "{}", chain(&loaded.err().expect("an error")));
    for (file, expected) in [
        ("model_int8.onnx", "it has no model_int8.onnx: choose one of onnx/model_fp16.onnx, onnx/model_quantized.onnx"),
        ("../model.onnx", "model.file = \"../model.onnx\": it is not a path inside the package"),
    ] {
        let error = chain(&load(test, chosen(file)).expect("as before").err().expect("it is not there"));
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_file_of_another_format_is_answered_with_the_command_that_makes_the_right_one() {
    let check = |removed: &str, added: &str, expected: &str| {
        let tiny = Tiny::new().with(added, "something");
        fs::remove_file(tiny.path(removed)).expect("it was there");
        let error = Package::open(tiny.dir()).err().expect("a file is missing").to_string();
        let expected = expected.replace("DIR", &tiny.dir().display().to_string());
        assert!(error.contains(&format!("it has no {removed}")) && error.contains(&expected), "{error}");
    };
    let python = "python -c 'from transformers import AutoTokenizer; AutoTokenizer.from_pretrained(\"DIR\").save_pretrained(\"DIR\")'";
    for source in ["vocab.txt", "vocab.json", "sentencepiece.bpe.model", "spiece.model", "tokenizer_config.json"] {
        check("tokenizer.json", source, &format!("create it from {source}: `{python}`"));
    }
    let export = "optimum-cli export onnx --model DIR --task text-classification";
    for weights in ["model.safetensors", "pytorch_model.bin", "tf_model.h5"] {
        check("model.onnx", weights, export);
    }
    check("config.json", "README.md", "model.config.save_pretrained");
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 466081\n";
    for name in ["tokenizer.json", "model.onnx"] {
        let tiny = Tiny::new().with(name, pointer);
        let error = Package::open(tiny.dir()).err().expect("not the file itself").to_string();
        assert!(error.contains(name) && error.contains("`git lfs pull`"), "{error}");
    }
}

#[test]
fn a_tokenizer_without_special_tokens_works_and_is_noted() {
    let mut tokenizer: serde_json::Value = serde_json::from_str(&tiny::tokenizer()).expect("JSON");
    tokenizer["post_processor"] = serde_json::Value::Null;
    let tiny = Tiny::new().with("tokenizer.json", tokenizer.to_string());
    let package = Package::open(tiny.dir()).expect("it is whole");
    assert!(package.notes(None).iter().any(|note| note.contains("no post_processor")), "{:?}", package.notes(None));
    let Some(client) = client("a_tokenizer_without_special_tokens", &tiny) else { return };
    assert_eq!(one(&client, "good").signals.n_tokens, 1);
}

/// The binary on a package of Hugging Face's files alone: no broker is needed to hear what is said about the model.
#[test]
fn check_says_of_golden_texts_only_what_is_there() {
    for (golden, expected) in [
        ("", "loads, and has no golden texts to verify its scores on this machine"),
        (r#"{"text": "good", "label": "positive", "score": 0.880797}"#, "loads, and its golden text has its score"),
        (
            r#"{"text": "good", "label": "positive", "score": 0.880797}, {"text": "bad", "label": "negative", "score": 0.952574}"#,
            "loads, and its 2 golden texts have their scores",
        ),
    ] {
        let tiny = Tiny::new().with("labelstream.json", format!("{{\"golden\": [{golden}]}}"));
        if golden.is_empty() {
            tiny.write("config.json", config(""));
        }
        let folder = tiny.dir().display().to_string();
        let mut check = Process::labelstream(&["check", "--brokers", "127.0.0.1:1", "--model", &folder]);
        check.await_exit(Duration::from_secs(60));
        let said = check.stdout();
        if said.contains("ONNX Runtime") {
            return workspace::skip_without_tool("check_says_of_golden_texts", "onnxruntime");
        }
        assert!(said.contains(expected), "expected {expected}, found {said}");
        assert_eq!(said.contains("note  model: config.json has no id2label"), golden.is_empty(), "{said}");
    }
}
