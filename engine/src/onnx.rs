//! ONNX Runtime behind the [`Model`] trait: one session per thread, one intra-op thread per session.
//!
//! S sessions of one thread beat one session of S threads, and no thread spins. Weights stored as int8 are dequantised
//! once when a session loads, so such a package runs at fp32 speed with scores that do not depend on the batch.
//!
//! Each session holds its own weights: 65 MB for the default package. ONNX Runtime shares pre-packed weights only for
//! initializers that the caller owns, which weights made at load are not (measured: no difference in resident memory).

mod runtime;
mod shape;

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use half::{bf16, f16};
use ort::ep::{CPU, ExecutionProviderDispatch};
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, Tensor, TensorElementType, TensorRef, ValueType};
use serde::Deserialize;

use crate::model::{Model, ModelError, Scores, TokenBatch};
use crate::package::Package;
pub use runtime::{LIBRARY_VARIABLE, RuntimeError};
use shape::{InputKind, Shape, Width};

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
    #[error("run the model on {0}: this labelstream was built without it (cargo feature `{0}`)", provider.name())]
    NotBuiltIn { provider: Provider },
    #[error("load {file} on {}", provider.name())]
    Load { file: PathBuf, provider: Provider, source: ort::Error },
    #[error("use {file}: {problem}")]
    Shape { file: PathBuf, problem: String },
}

/// A session and the inputs it takes.
pub struct OnnxModel {
    session: Session,
    shape: Shape,
    /// Zeros for `token_type_ids`, grown as needed.
    zeros: Vec<i64>,
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
            let shape = shape::of(&session, package.config.labels.len(), &package.probabilities)
                .map_err(|problem| SessionError::Shape { file: file.clone(), problem })?;
            Ok(OnnxModel { session, shape, zeros: Vec::new() })
        })
        .collect()
}

fn options(
    builder: SessionBuilder,
    package: &Package,
    provider: Provider,
) -> Result<SessionBuilder, ort::Error<SessionBuilder>> {
    let builder = package.external.iter().try_fold(builder, |builder, file| {
        builder.with_external_initializer_file_in_memory(&file.location, Arc::clone(&file.content))
    })?;
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
        let mut inputs: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = Vec::with_capacity(self.shape.inputs.len());
        for input in &self.shape.inputs {
            let data = match input.kind {
                InputKind::Tokens => batch.input_ids.as_slice(),
                InputKind::Mask => batch.attention_mask.as_slice(),
                InputKind::TokenTypes => &self.zeros[..size],
            };
            let shape = [batch.rows, batch.columns];
            let tensor: SessionInputValue<'_> = match input.width {
                Width::I64 => TensorRef::from_array_view((shape, data)).map_err(failed)?.into(),
                Width::I32 => Tensor::from_array((shape, narrow(data))).map_err(failed)?.into(),
            };
            inputs.push((input.kind.name().into(), tensor));
        }
        let outputs = self.session.run(inputs).map_err(failed)?;
        let output = &outputs[self.shape.output];
        let expected = |found: String| ModelError::Output { expected: format!("[{}, labels]", batch.rows), found };
        let ValueType::Tensor { shape, .. } = output.dtype() else { return Err(expected("no tensor".to_owned())) };
        let rows_fit = shape.first().is_some_and(|rows| usize::try_from(*rows) == Ok(batch.rows));
        // A single logit may come without a dimension of its own.
        let classes = match &shape[..] {
            [_] if rows_fit => Some(1),
            [_, classes] if rows_fit => usize::try_from(*classes).ok(),
            _ => None,
        };
        let classes = classes.ok_or_else(|| expected(format!("{:?}", &shape[..])))?;
        Ok(Scores { logits: floats(output).map_err(failed)?, classes })
    }
}

/// Token ids are those of a vocabulary: far below 2^31.
#[expect(clippy::cast_possible_truncation, reason = "ids, masks and types fit")]
fn narrow(data: &[i64]) -> Vec<i32> {
    data.iter().map(|value| *value as i32).collect()
}

/// An output as f32, whatever floats it holds.
fn floats(output: &DynValue) -> ort::Result<Vec<f32>> {
    match output.dtype() {
        ValueType::Tensor { ty: TensorElementType::Float16, .. } => {
            Ok(output.try_extract_tensor::<f16>()?.1.iter().map(|value| value.to_f32()).collect())
        }
        ValueType::Tensor { ty: TensorElementType::Bfloat16, .. } => {
            Ok(output.try_extract_tensor::<bf16>()?.1.iter().map(|value| value.to_f32()).collect())
        }
        ValueType::Tensor { ty: TensorElementType::Float64, .. } => {
            Ok(output.try_extract_tensor::<f64>()?.1.iter().map(|value| shorten(*value)).collect())
        }
        _ => Ok(output.try_extract_tensor::<f32>()?.1.to_vec()),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a logit beyond f32 becomes infinite, and fails its text")]
fn shorten(value: f64) -> f32 {
    value as f32
}
