//! ONNX Runtime behind the [`Model`] trait: one session per thread, one intra-op thread per session.
//!
//! S sessions of one thread beat one session of S threads, and no thread spins. Weights stored as int8 are dequantised
//! once when a session loads, so such a package runs at fp32 speed with scores that do not depend on the batch.
//!
//! Each session holds its own weights: 65 MB for the default package. ONNX Runtime shares pre-packed weights only for
//! initializers that the caller owns, which weights made at load are not (measured: no difference in resident memory).

mod runtime;

use std::borrow::Cow;
use std::path::PathBuf;

use ort::ep::{CPU, ExecutionProviderDispatch};
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{Session, SessionInputValue};
use ort::value::{TensorElementType, TensorRef, ValueType};
use serde::Deserialize;

use crate::model::{Model, ModelError, Scores, TokenBatch};
use crate::package::Package;
pub use runtime::{LIBRARY_VARIABLE, RuntimeError};

const INPUT_IDS: &str = "input_ids";
const ATTENTION_MASK: &str = "attention_mask";
const TOKEN_TYPE_IDS: &str = "token_type_ids";
const LOGITS: &str = "logits";

/// What the model runs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    #[default]
    Cpu,
    /// NVIDIA GPUs, in builds with the cargo feature `cuda`. Never falls back to the CPU.
    Cuda,
}

impl Provider {
    /// The word in settings, metrics and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        }
    }

    /// False when this build was made without the provider.
    pub fn is_built_in(self) -> bool {
        match self {
            Self::Cpu => true,
            Self::Cuda => cfg!(feature = "cuda"),
        }
    }
}

/// Why a package's model cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    #[error("run the model on {0}: this build of labelstream was made without it (cargo feature `{0}`)", provider.name())]
    NotBuiltIn { provider: Provider },
    #[error("load {file} on {}", provider.name())]
    Load { file: PathBuf, provider: Provider, source: ort::Error },
    #[error("use {file}: {problem}")]
    Shape { file: PathBuf, problem: String },
}

/// A session and the inputs it takes.
pub struct OnnxModel {
    session: Session,
    /// The model's inputs, in its own order.
    inputs: Vec<Input>,
    /// Zeros for `token_type_ids`, grown as needed.
    zeros: Vec<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Tokens,
    Mask,
    TokenTypes,
}

impl Input {
    fn named(name: &str) -> Option<Self> {
        match name {
            INPUT_IDS => Some(Self::Tokens),
            ATTENTION_MASK => Some(Self::Mask),
            TOKEN_TYPE_IDS => Some(Self::TokenTypes),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Tokens => INPUT_IDS,
            Self::Mask => ATTENTION_MASK,
            Self::TokenTypes => TOKEN_TYPE_IDS,
        }
    }
}

/// Loads the package's model `sessions` times.
///
/// # Errors
/// When ONNX Runtime is not found, the provider is not there, or the model is not one that takes token ids and gives
/// one row of `logits` per text.
pub fn load(package: &Package, provider: Provider, sessions: usize) -> Result<Vec<OnnxModel>, SessionError> {
    if !provider.is_built_in() {
        return Err(SessionError::NotBuiltIn { provider });
    }
    let environment = runtime::environment()?;
    let file = package.model_file();
    let failed = |source| SessionError::Load { file: file.clone(), provider, source };
    let mut builder = Session::builder(&environment)
        .map_err(failed)
        .and_then(|builder| options(builder, package, provider).map_err(|error| failed(error.into())))?;
    (0..sessions)
        .map(|_| {
            let session = builder.commit_from_memory(&package.model).map_err(failed)?;
            let inputs = check_shape(&session, package.config.labels.len())
                .map_err(|problem| SessionError::Shape { file: file.clone(), problem })?;
            Ok(OnnxModel { session, inputs, zeros: Vec::new() })
        })
        .collect()
}

fn options(
    builder: SessionBuilder,
    package: &Package,
    provider: Provider,
) -> Result<SessionBuilder, ort::Error<SessionBuilder>> {
    builder
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        .with_parallel_execution(false)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        // shapes differ from run to run, so a remembered memory plan never fits
        .with_memory_pattern(false)?
        // weights stored as int8 become fp32 once, here; models with quantised activations keep their operators
        .with_quant_qdq(package.graph.statically_quantised)?
        .with_execution_providers([dispatch(provider)])
}

fn dispatch(provider: Provider) -> ExecutionProviderDispatch {
    match provider {
        #[cfg(feature = "cuda")]
        Provider::Cuda => ort::ep::CUDA::default().build().error_on_failure(),
        _ => CPU::default().with_arena_allocator(true).build().error_on_failure(),
    }
}

fn check_shape(session: &Session, labels: usize) -> Result<Vec<Input>, String> {
    let mut inputs = Vec::new();
    for outlet in session.inputs() {
        let name = outlet.name();
        let input = Input::named(name).ok_or_else(|| {
            format!("it has the input {name:?}: expected {INPUT_IDS}, {ATTENTION_MASK} or {TOKEN_TYPE_IDS}")
        })?;
        let shape = tensor(name, outlet.dtype(), TensorElementType::Int64)?;
        if shape.len() != 2 || shape.iter().any(|size| *size >= 0) {
            return Err(format!(
                "its input {name:?} has the shape {shape:?}: expected two open sizes, [batch, tokens]"
            ));
        }
        inputs.push(input);
    }
    if !inputs.contains(&Input::Tokens) {
        return Err(format!("it has no input {INPUT_IDS}"));
    }
    let output = session.outputs().first().ok_or("it has no output")?;
    if output.name() != LOGITS {
        return Err(format!("its first output is {:?}: expected {LOGITS}", output.name()));
    }
    let shape = tensor(LOGITS, output.dtype(), TensorElementType::Float32)?;
    // A model may leave its output's shape or width open: then the warm-up tells.
    match shape {
        [] | [_, -1] => Ok(inputs),
        [_, width] if usize::try_from(*width) == Ok(labels) => Ok(inputs),
        _ => Err(format!("its {LOGITS} have the shape {shape:?}, but config.json names {labels} labels")),
    }
}

/// The shape of a tensor of this element type; -1 where a size is open.
fn tensor<'a>(name: &str, value: &'a ValueType, expected: TensorElementType) -> Result<&'a [i64], String> {
    match value {
        ValueType::Tensor { ty, shape, .. } if *ty == expected => Ok(shape),
        ValueType::Tensor { ty, .. } => Err(format!("its {name:?} holds {ty}: expected {expected}")),
        _ => Err(format!("its {name:?} is not a tensor")),
    }
}

impl Model for OnnxModel {
    fn scores(&mut self, batch: &TokenBatch) -> Result<Scores, ModelError> {
        let size = batch.rows * batch.columns;
        if self.zeros.len() < size {
            self.zeros.resize(size, 0);
        }
        let failed = |source: ort::Error| ModelError::Run {
            rows: batch.rows,
            columns: batch.columns,
            source: source.to_string().into(),
        };
        let mut inputs: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = Vec::with_capacity(self.inputs.len());
        for input in &self.inputs {
            let data = match input {
                Input::Tokens => batch.input_ids.as_slice(),
                Input::Mask => batch.attention_mask.as_slice(),
                Input::TokenTypes => &self.zeros[..size],
            };
            let tensor = TensorRef::from_array_view(([batch.rows, batch.columns], data)).map_err(failed)?;
            inputs.push((input.name().into(), tensor.into()));
        }
        let outputs = self.session.run(inputs).map_err(failed)?;
        let (shape, logits) = outputs[0].try_extract_tensor::<f32>().map_err(failed)?;
        let expected = |found: String| ModelError::Output { expected: format!("[{}, labels]", batch.rows), found };
        match &shape[..] {
            [rows, classes] if usize::try_from(*rows) == Ok(batch.rows) => {
                let classes = usize::try_from(*classes).map_err(|_| expected(format!("{shape:?}")))?;
                Ok(Scores { logits: logits.to_vec(), classes })
            }
            _ => Err(expected(format!("{shape:?}"))),
        }
    }
}
