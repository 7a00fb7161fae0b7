//! A model package of a few hundred bytes, written by hand: logits are the sum of one row of weights per token.
//!
//! `onnx.proto` is written field by field, so that tests can bend every part of it.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Word `i` has the id `i + 3`; 0 to 2 are padding, unknown and a frame around each text.
pub(crate) const WORDS: [&str; 3] = ["good", "bad", "huge"];

/// One row of weights per token id. `huge` overflows to infinity when it stands twice.
const WEIGHTS: [[f32; 2]; 6] = [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [1.0, -1.0], [-1.0, 2.0], [3e38, 0.0]];

/// The parts of the graph that a test may bend.
#[derive(Clone)]
pub(crate) struct Graph {
    pub(crate) input: &'static str,
    pub(crate) output: &'static str,
    /// Labels that the declared output has room for; 0 leaves the size open.
    pub(crate) width: u64,
    /// `TensorProto.DataType` of the token ids: 7 is i64.
    pub(crate) input_type: u64,
    /// Logits of each text; the third and later ones are 0.
    pub(crate) columns: usize,
    /// `TensorProto.DataType` of the logits: 1 is f32, 10 f16, 11 f64, 16 bf16.
    pub(crate) output_type: u64,
    /// Give `last_hidden_state`, before the logits.
    pub(crate) hidden: bool,
    /// Give a row of logits for each token, as a token classifier does.
    pub(crate) rows: bool,
    /// Give probabilities instead of logits.
    pub(crate) softmax: bool,
    /// Keep the weights in this file.
    pub(crate) external: Option<&'static str>,
}

impl Default for Graph {
    fn default() -> Self {
        Self {
            input: "input_ids",
            output: "logits",
            width: 0,
            input_type: 7,
            columns: 2,
            output_type: 1,
            hidden: false,
            rows: false,
            softmax: false,
            external: None,
        }
    }
}

/// A folder with a package, removed when dropped.
pub(crate) struct Tiny {
    folder: TempDir,
}

impl Tiny {
    pub(crate) fn new() -> Self {
        let tiny = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        tiny.write("config.json", CONFIG);
        tiny.write("tokenizer.json", tokenizer());
        tiny.write("model.onnx", Graph::default().bytes());
        tiny
    }

    pub(crate) fn with(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.write(name, content);
        self
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let file = self.path(name);
        fs::create_dir_all(file.parent().expect("inside the package")).expect("a writable folder");
        fs::write(file, content).expect("a writable folder");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    pub(crate) fn dir(&self) -> &Path {
        self.folder.path()
    }
}

pub(crate) const CONFIG: &str = r#"{"id2label": {"0": "positive", "1": "negative"}, "pad_token_id": 0, "vocab_size": 6,
"max_position_embeddings": 8, "model_type": "bert"}"#;

pub(crate) fn tokenizer() -> String {
    let mut vocab = serde_json::json!({ "[PAD]": 0, "[UNK]": 1, "[CLS]": 2 });
    for (id, word) in (3..).zip(WORDS) {
        vocab[word] = serde_json::json!(id);
    }
    let single = serde_json::json!([
        { "SpecialToken": { "id": "[CLS]", "type_id": 0 } },
        { "Sequence": { "id": "A", "type_id": 0 } },
    ]);
    serde_json::json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [{
            "id": 2, "content": "[CLS]", "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true,
        }],
        "normalizer": { "type": "Lowercase" },
        "pre_tokenizer": { "type": "Whitespace" },
        "post_processor": {
            "type": "TemplateProcessing", "single": single, "pair": single,
            "special_tokens": { "[CLS]": { "id": "[CLS]", "ids": [2], "tokens": ["[CLS]"] } },
        },
        "decoder": null,
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocab,
        },
    })
    .to_string()
}

impl Graph {
    /// The serialised `ModelProto`.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let hidden = "last_hidden_state";
        // AttributeProto of type INT
        let attribute =
            |name: &str, value| message(5, &[message(1, name.as_bytes()), number(3, value), number(20, 2)].concat());
        // Gather takes no other integers, and no floats.
        let ids = [node("Cast", &[self.input], "ids"), attribute("to", 7)].concat();
        let is_taken = matches!(self.input_type, 6 | 7);
        let gather = node("Gather", &["weights", if is_taken { self.input } else { "ids" }], hidden);
        let sum = [node("ReduceSum", &[hidden, "axis"], "sum"), attribute("keepdims", 0)].concat();
        let cast = [node("Cast", &[if self.rows { hidden } else { "sum" }], "cast"), attribute("to", self.output_type)]
            .concat();
        let last = node(if self.softmax { "Softmax" } else { "Identity" }, &["cast"], self.output);
        let open = |name: &'static str| Size::from(name);
        let mut sizes = vec![open("batch"), self.width.into()];
        if self.rows {
            sizes.insert(1, open("tokens"));
        }
        let mut outputs = message(12, &value(self.output, self.output_type, &sizes));
        if self.hidden {
            let columns = Size::from(self.columns as u64);
            let first = value(hidden, 1, &[open("batch"), open("tokens"), columns]);
            outputs = [message(12, &first), outputs].concat();
        }
        let graph = [
            if is_taken { Vec::new() } else { message(1, &ids) },
            message(1, &gather),
            message(1, &sum),
            message(1, &cast),
            message(1, &last),
            message(2, b"graph"),
            message(5, &self.weights()),
            message(5, &tensor("axis", &[1], 7, &1i64.to_le_bytes())),
            message(11, &value(self.input, self.input_type, &[open("batch"), open("tokens")])),
            outputs,
        ]
        .concat();
        let opset = number(2, 17);
        [number(1, 8), message(7, &graph), message(8, &opset)].concat()
    }

    /// What lies in the file of external data.
    pub(crate) fn data(&self) -> Vec<u8> {
        let row = |weights: &[f32; 2]| {
            (0..self.columns).map(|column| weights.get(column).copied().unwrap_or(0.0)).collect::<Vec<_>>()
        };
        WEIGHTS.iter().flat_map(row).flat_map(f32::to_le_bytes).collect()
    }

    pub(crate) fn weights(&self) -> Vec<u8> {
        let sizes = [WEIGHTS.len() as u64, self.columns as u64];
        let Some(location) = self.external else { return tensor("weights", &sizes, 1, &self.data()) };
        let entry =
            |key: &str, value: &str| message(13, &[message(1, key.as_bytes()), message(2, value.as_bytes())].concat());
        [tensor_of("weights", &sizes, 1), entry("location", location), entry("offset", "0"), number(14, 1)].concat()
    }
}

/// A named size, or a number; 0 is open.
pub(crate) enum Size {
    Named(&'static str),
    Number(u64),
}

impl From<&'static str> for Size {
    fn from(name: &'static str) -> Self {
        Self::Named(name)
    }
}

impl From<u64> for Size {
    fn from(size: u64) -> Self {
        if size == 0 { Self::Named("open") } else { Self::Number(size) }
    }
}

pub(crate) fn node(operator: &str, inputs: &[&str], output: &str) -> Vec<u8> {
    let inputs = inputs.iter().flat_map(|input| message(1, input.as_bytes()));
    inputs.chain(message(2, output.as_bytes())).chain(message(4, operator.as_bytes())).collect()
}

pub(crate) fn tensor(name: &str, sizes: &[u64], data_type: u64, data: &[u8]) -> Vec<u8> {
    [tensor_of(name, sizes, data_type), message(9, data)].concat()
}

/// A tensor whose data is elsewhere.
fn tensor_of(name: &str, sizes: &[u64], data_type: u64) -> Vec<u8> {
    let sizes = sizes.iter().flat_map(|size| number(1, *size));
    sizes.chain(number(2, data_type)).chain(message(8, name.as_bytes())).collect()
}

pub(crate) fn value(name: &str, data_type: u64, sizes: &[Size]) -> Vec<u8> {
    let sizes: Vec<u8> = sizes
        .iter()
        .flat_map(|size| match size {
            Size::Named(name) => message(1, &message(2, name.as_bytes())),
            Size::Number(size) => message(1, &number(1, *size)),
        })
        .collect();
    let tensor_type = [number(1, data_type), message(2, &sizes)].concat();
    [message(1, name.as_bytes()), message(2, &message(1, &tensor_type))].concat()
}

/// A protobuf field of bytes.
pub(crate) fn message(field: u64, content: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

/// A protobuf field of one number.
pub(crate) fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn varint(value: u64) -> Vec<u8> {
    let mut groups: Vec<u8> =
        (0..10).map(|place| (value >> (7 * place)) & 0x7f).map(|group| group.try_into().expect("seven bits")).collect();
    while groups.len() > 1 && groups.last() == Some(&0) {
        groups.pop();
    }
    let last = groups.len() - 1;
    groups[..last].iter_mut().for_each(|group| *group |= 0x80);
    groups
}
