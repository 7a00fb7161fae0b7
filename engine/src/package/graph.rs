//! Looks through `model.onnx` for what has to be known before it is run: operators that change how it must be run,
//! outputs that are probabilities already, and weights kept in other files.
//!
//! Reads protobuf's wire format directly (<https://protobuf.dev/programming-guides/encoding/>), only the fields of
//! `onnx.proto` that lead to nodes and tensors. It borrows the bytes, copies no weights, and recurses a bounded number
//! of times. ONNX Runtime checks everything else when it loads the model.

use std::collections::BTreeSet;

/// Subgraphs inside subgraphs that are followed.
const DEPTH_MAX: usize = 16;

/// What the graph says about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GraphFacts {
    /// Scores depend on the other rows of a run: activations are quantised with a scale over the whole batch.
    pub dynamically_quantised: bool,
    /// Activations are quantised with fixed scales; the quantised operators are to be used.
    pub statically_quantised: bool,
    /// Some tensor is in another file.
    pub external_data: bool,
    /// Nodes, those of subgraphs included.
    pub nodes: usize,
}

/// What was found in a graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) facts: GraphFacts,
    /// Files that hold weights, as the model names them, relative to its own folder.
    pub(super) external_files: BTreeSet<String>,
    /// Values that a softmax or sigmoid made.
    pub(super) probabilities: BTreeSet<String>,
}

/// The byte at which the file stops being an ONNX model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) at: usize,
}

/// Looks through a serialised `ModelProto`.
pub(super) fn inspect(model: &[u8]) -> Result<Found, Malformed> {
    let mut found = Found::default();
    let walker = Walker { whole: model };
    walker.walk(model, MessageKind::Model, 0, &mut found)?;
    if found.facts.nodes == 0 {
        return Err(Malformed { at: 0 });
    }
    Ok(found)
}

/// The messages of `onnx.proto` that are looked into.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MessageKind {
    Model,
    Function,
    Graph,
    Node,
    Attribute,
    Sparse,
    Tensor,
}

impl MessageKind {
    /// The message inside the field of this number, by `onnx.proto`.
    fn child(self, field: u64) -> Option<Self> {
        Some(match (self, field) {
            (Self::Model, 7) | (Self::Attribute, 6 | 11) => Self::Graph,
            (Self::Model, 25) => Self::Function,
            (Self::Graph, 1) | (Self::Function, 7) => Self::Node,
            (Self::Node, 5) => Self::Attribute,
            (Self::Graph, 5) | (Self::Attribute, 5 | 10) | (Self::Sparse, 1 | 2) => Self::Tensor,
            (Self::Graph, 15) | (Self::Attribute, 22 | 23) => Self::Sparse,
            _ => return None,
        })
    }
}

struct Walker<'a> {
    whole: &'a [u8],
}

impl Walker<'_> {
    fn walk(&self, message: &[u8], kind: MessageKind, depth: usize, found: &mut Found) -> Result<(), Malformed> {
        if kind == MessageKind::Node {
            found.facts.nodes += 1;
            note_probabilities(message, found);
        }
        let mut rest = message;
        while !rest.is_empty() {
            let at = self.position(rest);
            let (field, value, after) = next_field(rest).ok_or(Malformed { at })?;
            rest = after;
            match (kind, field, value) {
                // NodeProto.op_type
                (MessageKind::Node, 4, Value::Bytes(name)) => note_operator(name, &mut found.facts),
                // TensorProto.data_location = EXTERNAL, or any external_data entry
                (MessageKind::Tensor, 14, Value::Number(1)) => found.facts.external_data = true,
                (MessageKind::Tensor, 13, Value::Bytes(entry)) => {
                    found.facts.external_data = true;
                    found.external_files.extend(location(entry));
                }
                (_, _, Value::Bytes(inner)) => {
                    if let Some(child) = kind.child(field) {
                        if depth >= DEPTH_MAX * 3 {
                            return Err(Malformed { at });
                        }
                        self.walk(inner, child, depth + 1, found)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Where `part` begins in the whole file: every part is a slice of it.
    fn position(&self, part: &[u8]) -> usize {
        (part.as_ptr() as usize).saturating_sub(self.whole.as_ptr() as usize)
    }
}

fn note_operator(name: &[u8], facts: &mut GraphFacts) {
    facts.dynamically_quantised |= name.starts_with(b"DynamicQuantize");
    facts.statically_quantised |= name == b"QuantizeLinear" || name.starts_with(b"QLinear") || name == b"QGemm";
}

/// The outputs of a node whose operator makes probabilities.
fn note_probabilities(node: &[u8], found: &mut Found) {
    let is_one = |name: &str| matches!(name, "Softmax" | "LogSoftmax" | "Sigmoid");
    if texts(node, 4).next().is_some_and(is_one) {
        found.probabilities.extend(texts(node, 2).map(str::to_owned));
    }
}

/// The file that an entry of `external_data` names.
fn location(entry: &[u8]) -> Option<String> {
    let is_location = texts(entry, 1).next() == Some("location");
    is_location.then(|| texts(entry, 2).next().unwrap_or_default().to_owned())
}

/// The texts of a message's fields of this number; those that are none are left out.
fn texts(message: &[u8], wanted: u64) -> impl Iterator<Item = &str> {
    let mut rest = message;
    let fields = std::iter::from_fn(move || {
        let (field, value, after) = next_field(rest)?;
        rest = after;
        Some((field, value))
    });
    fields.filter_map(move |(field, value)| match value {
        Value::Bytes(text) if field == wanted => std::str::from_utf8(text).ok(),
        _ => None,
    })
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Four or eight bytes; no field of interest has them.
    Fixed,
}

/// Field number, value, and what follows; `None` when the bytes are no field.
fn next_field(bytes: &[u8]) -> Option<(u64, Value<'_>, &[u8])> {
    let (tag, rest) = varint(bytes)?;
    let (field, wire_type) = (tag >> 3, tag & 7);
    if field == 0 {
        return None;
    }
    let fixed = |length: usize| Some((field, Value::Fixed, rest.get(length..)?));
    match wire_type {
        0 => {
            let (number, rest) = varint(rest)?;
            Some((field, Value::Number(number), rest))
        }
        1 => fixed(8),
        2 => {
            let (length, rest) = varint(rest)?;
            let (value, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            Some((field, Value::Bytes(value), rest))
        }
        5 => fixed(4),
        _ => None,
    }
}

/// A base-128 number of at most ten bytes.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    for (place, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(7 * u32::try_from(place).ok()?)?;
        if byte & 0x80 == 0 {
            return Some((value, &bytes[place + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).expect("tests use short messages");
        assert!(length < 0x80 && number < 16);
        [&[number << 3 | 2, length], content].concat()
    }

    fn model(node: &[u8], tensor: &[u8]) -> Vec<u8> {
        field(7, &[field(1, node), field(5, tensor)].concat())
    }

    #[test]
    fn notes_quantisation_and_weights_in_other_files() {
        let check = |node: &[u8], tensor: &[u8], expected: GraphFacts| {
            assert_eq!(inspect(&model(node, tensor)).map(|found| found.facts), Ok(expected));
        };
        let plain = GraphFacts { nodes: 1, ..GraphFacts::default() };
        check(&field(4, b"MatMul"), &field(8, b"weights"), plain);
        let dynamic = field(4, b"DynamicQuantizeLinear");
        check(&dynamic, &[], GraphFacts { dynamically_quantised: true, ..plain });
        check(&field(4, b"QuantizeLinear"), &[], GraphFacts { statically_quantised: true, ..plain });
        check(&field(4, b"DequantizeLinear"), &[], plain);
        let external = GraphFacts { external_data: true, ..plain };
        check(&field(4, b"Add"), &[14 << 3, 1], external);
        check(&field(4, b"Add"), &field(13, b"x"), external);
        // a Constant node whose attribute holds the tensor
        let attribute = field(5, &field(5, &[14 << 3, 1]));
        check(&[field(4, b"Constant"), attribute].concat(), &[], external);
    }

    #[test]
    fn names_the_files_of_weights_and_the_values_that_are_probabilities() {
        let entry = |key: &[u8], value: &[u8]| field(13, &[field(1, key), field(2, value)].concat());
        let tensor = [entry(b"location", b"model.onnx_data"), entry(b"offset", b"0")].concat();
        let node = [field(4, b"Softmax"), field(1, b"logits"), field(2, b"scores")].concat();
        let found = inspect(&model(&node, &tensor)).expect("a model");
        assert_eq!(found.external_files.into_iter().collect::<Vec<_>>(), ["model.onnx_data"]);
        assert_eq!(found.probabilities.into_iter().collect::<Vec<_>>(), ["scores"]);
        let plain = inspect(&model(&[field(4, b"Gemm"), field(2, b"logits")].concat(), &[])).expect("a model");
        assert_eq!((plain.external_files.len(), plain.probabilities.len()), (0, 0));
    }

    #[test]
    fn says_where_the_file_stops_being_a_model() {
        let good = model(&field(4, b"Add"), &[]);
        assert_eq!(inspect(&good[..good.len() - 1]), Err(Malformed { at: 0 }));
        assert_eq!(inspect(&[&good[..], &[0x0b]].concat()), Err(Malformed { at: good.len() }));
        assert_eq!(inspect(b""), Err(Malformed { at: 0 }));
        assert_eq!(inspect(b"not a model"), Err(Malformed { at: 0 }));
    }

    #[test]
    fn subgraphs_nested_without_end_are_refused() {
        let mut graph = field(1, &field(4, b"Add"));
        let mut refused = false;
        for _ in 0..40 {
            let mut node = vec![5 << 3 | 2];
            let attribute = [&[6 << 3 | 2][..], &length(&graph), &graph].concat();
            node.extend(length(&attribute));
            node.extend(&attribute);
            graph = [&[1 << 3 | 2][..], &length(&node), &node].concat();
            let whole = [&[7 << 3 | 2][..], &length(&graph), &graph].concat();
            refused |= inspect(&whole).is_err();
        }
        assert!(refused);
    }

    fn length(content: &[u8]) -> Vec<u8> {
        let (low, high) = (content.len() & 0x7f, content.len() >> 7);
        let byte = |value: usize| u8::try_from(value).expect("tests use short messages");
        vec![byte(low | 0x80), byte(high)]
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let found = inspect(&bytes);
            prop_assert!(found.is_err() || found.is_ok_and(|found| found.facts.nodes > 0));
        }
    }
}
