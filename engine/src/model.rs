//! What labels a batch of tokens: the one trait between the labeller and an inference engine.
//!
//! A batch of tokens is one padded run. Which texts share a run is decided in `batching.rs`; what the numbers mean
//! is decided in [`crate::label`].

/// Token ids of several texts, padded to the longest of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenBatch {
    /// `[rows, columns]` i64, row-major; padding holds the model's padding id.
    pub input_ids: Vec<i64>,
    /// `[rows, columns]` i64, row-major: 1 = a token, 0 = padding.
    pub attention_mask: Vec<i64>,
    pub rows: usize,
    /// Tokens of the longest text, or a few more.
    pub columns: usize,
}

impl TokenBatch {
    /// Pads the rows to this many columns.
    ///
    /// # Panics
    /// When a row is longer.
    pub fn pad(rows: &[&[u32]], columns: usize, pad_id: u32) -> Self {
        assert!(rows.iter().all(|row| row.len() <= columns), "a row is longer than its run");
        let mut input_ids = Vec::with_capacity(rows.len() * columns);
        let mut attention_mask = Vec::with_capacity(rows.len() * columns);
        for row in rows {
            input_ids.extend(row.iter().map(|id| i64::from(*id)));
            attention_mask.extend(std::iter::repeat_n(1, row.len()));
            input_ids.resize(input_ids.len() + columns - row.len(), i64::from(pad_id));
            attention_mask.resize(input_ids.len(), 0);
        }
        Self { input_ids, attention_mask, rows: rows.len(), columns }
    }
}

/// A model's raw outputs, before temperature and softmax.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// `[rows, classes]` f32, row-major. A number that is not finite fails its own text only.
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
    Run { rows: usize, columns: usize, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("read the model's output: expected {expected}, found {found}")]
    Output { expected: String, found: String },
    #[error("read the model's output: a score is not a finite number")]
    NotFinite,
    #[error("run the model: it panicked")]
    Panicked,
}

/// An inference engine that one thread owns.
pub trait Model: Send {
    /// Runs the model. Equal rows give equal scores whatever the batch, unless the package is dynamically quantised.
    ///
    /// # Errors
    /// See [`ModelError`]; the model can be called again.
    fn scores(&mut self, batch: &TokenBatch) -> Result<Scores, ModelError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pads_to_the_columns_and_masks_the_padding() {
        let batch = TokenBatch::pad(&[&[5, 6, 7], &[8]], 4, 9);
        assert_eq!((batch.rows, batch.columns), (2, 4));
        assert_eq!(batch.input_ids, [5, 6, 7, 9, 8, 9, 9, 9]);
        assert_eq!(batch.attention_mask, [1, 1, 1, 0, 1, 0, 0, 0]);
    }
}
