//! What labels a batch of tokens: the one trait between the pipeline and an inference engine.

/// Token ids of several texts, padded to the longest of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenBatch {
    /// `[rows, columns]` i64, row-major; padding holds the model's padding id.
    pub input_ids: Vec<i64>,
    /// `[rows, columns]` i64, row-major: 1 = a token, 0 = padding.
    pub attention_mask: Vec<i64>,
    pub rows: usize,
    /// Tokens of the longest text.
    pub columns: usize,
}

/// A model's raw outputs, before temperature and softmax.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// `[rows, classes]` f32, row-major.
    pub logits: Vec<f32>,
    pub classes: usize,
}

impl Scores {
    /// The logits of each text, in the order of the batch.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, f32> {
        self.logits.chunks_exact(self.classes)
    }
}

/// Why a run of the model failed; which text is to blame is found by bisecting the batch.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error("run the model on {rows} texts of up to {columns} tokens")]
    Run {
        rows: usize,
        columns: usize,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("read the model's output: expected {expected}, found {found}")]
    Output { expected: String, found: String },
    #[error("read the model's output: a score is not a finite number")]
    NotFinite,
}

/// An inference engine that one thread owns.
pub trait Model: Send {
    /// Runs the model. Equal rows give equal scores whatever the batch, unless the package is dynamically quantised.
    ///
    /// # Errors
    /// See [`ModelError`]; the model can be called again.
    fn scores(&mut self, batch: &TokenBatch) -> Result<Scores, ModelError>;
}
