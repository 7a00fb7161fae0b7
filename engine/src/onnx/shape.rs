//! What a classifier's graph must look like: token ids in, one row of logits per text out.
//!
//! Exports differ in the integers that they take, in the floats that they give, and in what else they give beside the
//! logits. All of that is taken; what is no classifier is refused with the inputs or outputs that it has.

use std::collections::BTreeSet;

use ort::session::Session;
use ort::value::{Outlet, TensorElementType, ValueType};

const INPUT_IDS: &str = "input_ids";
const ATTENTION_MASK: &str = "attention_mask";
const TOKEN_TYPE_IDS: &str = "token_type_ids";
const LOGITS: &str = "logits";

/// What has to be fed to a model, and where its logits come out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// In the model's own order.
    pub(super) inputs: Vec<Input>,
    /// Place of the logits among the outputs.
    pub(super) output: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Input {
    pub(super) kind: InputKind,
    pub(super) width: Width,
}

/// What an input takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InputKind {
    Tokens,
    Mask,
    TokenTypes,
}

/// The integers of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    I32,
    I64,
}

impl InputKind {
    fn named(name: &str) -> Option<Self> {
        match name {
            INPUT_IDS => Some(Self::Tokens),
            ATTENTION_MASK => Some(Self::Mask),
            TOKEN_TYPE_IDS => Some(Self::TokenTypes),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tokens => INPUT_IDS,
            Self::Mask => ATTENTION_MASK,
            Self::TokenTypes => TOKEN_TYPE_IDS,
        }
    }
}

/// Holds a loaded model against the labels of its package; `probabilities` are values that a softmax or sigmoid made.
///
/// # Errors
/// A sentence that begins with "it" or "its".
pub(super) fn of(session: &Session, labels: usize, probabilities: &BTreeSet<String>) -> Result<Shape, String> {
    let inputs: Vec<Input> = session.inputs().iter().map(input).collect::<Result<_, _>>()?;
    if !inputs.iter().any(|input| input.kind == InputKind::Tokens) {
        return Err(format!("it has no input {INPUT_IDS}"));
    }
    let outputs = session.outputs();
    let output = output(outputs, labels, probabilities)?;
    check_logits(&outputs[output], labels)?;
    Ok(Shape { inputs, output })
}

fn input(outlet: &Outlet) -> Result<Input, String> {
    let name = outlet.name();
    let kind = InputKind::named(name).ok_or_else(|| {
        format!("it has the input {name:?}: expected {INPUT_IDS}, {ATTENTION_MASK} or {TOKEN_TYPE_IDS}")
    })?;
    let ValueType::Tensor { ty, shape, .. } = outlet.dtype() else {
        return Err(format!("its input {name:?} is not a tensor"));
    };
    let width = match ty {
        TensorElementType::Int64 => Width::I64,
        TensorElementType::Int32 => Width::I32,
        other => return Err(format!("its input {name:?} holds {other}: expected i64 or i32")),
    };
    if shape.len() != 2 || shape.iter().any(|size| *size >= 0) {
        let shape = &shape[..];
        return Err(format!("its input {name:?} has the shape {shape:?}: expected two open sizes, [batch, tokens]"));
    }
    Ok(Input { kind, width })
}

/// The output called `logits`, else the only one that has a column for each label and is not of probabilities.
fn output(outputs: &[Outlet], labels: usize, probabilities: &BTreeSet<String>) -> Result<usize, String> {
    if let Some(place) = outputs.iter().position(|outlet| outlet.name() == LOGITS) {
        return Ok(place);
    }
    let has_columns = |outlet: &Outlet| {
        let is_row = |shape: &[i64]| shape.len() == 2 && usize::try_from(shape[1]) == Ok(labels);
        matches!(outlet.dtype(), ValueType::Tensor { ty, shape, .. } if is_float(*ty) && is_row(shape))
    };
    let fitting: Vec<usize> = (0..outputs.len()).filter(|place| has_columns(&outputs[*place])).collect();
    let what = match fitting.as_slice() {
        [only] => {
            let name = outputs[*only].name();
            if !probabilities.contains(name) && !sounds_like_probabilities(name) {
                return Ok(*only);
            }
            format!("and {name:?} holds probabilities: export the model without its last softmax or sigmoid.")
        }
        _ => format!(
            "or one other output with a column for each of the {labels} labels of config.json: was it exported for text \
             classification?"
        ),
    };
    let first = outputs.first().ok_or("it has no output")?;
    let found: Vec<String> = outputs.iter().map(|outlet| format!("{:?} {}", outlet.name(), told(outlet))).collect();
    Err(format!("its first output is {:?}: expected {LOGITS}, {what} It has {}", first.name(), found.join(", ")))
}

/// Names that exports give to what a softmax or sigmoid made, which the graph does not always show.
fn sounds_like_probabilities(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["prob", "score", "softmax", "sigmoid"].iter().any(|part| name.contains(part))
}

/// A model may leave its output's shape or width open: then the warm-up tells.
fn check_logits(outlet: &Outlet, labels: usize) -> Result<(), String> {
    let name = outlet.name();
    let ValueType::Tensor { ty, shape, .. } = outlet.dtype() else {
        return Err(format!("its {name:?} is not a tensor"));
    };
    if !is_float(*ty) {
        return Err(format!("its {name:?} holds {ty}: expected f32, f16, bf16 or f64"));
    }
    match &shape[..] {
        [] | [_, -1] => Ok(()),
        [_] if labels == 1 => Ok(()),
        [_, width] if usize::try_from(*width) == Ok(labels) => Ok(()),
        [_, width] => Err(format!(
            "its {name} have the shape {:?}, but config.json names {labels} labels: {width} are needed, in id2label",
            &shape[..]
        )),
        _ => Err(format!(
            "its {name} have the shape {:?}: expected one row per text, [batch, {labels}], as a model for text \
             classification gives",
            &shape[..]
        )),
    }
}

fn is_float(element: TensorElementType) -> bool {
    use TensorElementType::{Bfloat16, Float16, Float32, Float64};
    matches!(element, Float32 | Float16 | Bfloat16 | Float64)
}

/// An output's elements and shape, for a message.
fn told(outlet: &Outlet) -> String {
    match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => format!("{ty} {:?}", &shape[..]),
        _ => "not a tensor".to_owned(),
    }
}
