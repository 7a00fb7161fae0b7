//! An event and the model's answer for its text, as a labelled event or a dead letter.

use std::sync::Arc;

use engine::Answer;
use schemas::{DeadLetter, LabeledEvent, ModelId, Reason, TextEvent};
use service::chain;

/// Joins an event with its answer.
///
/// # Errors
/// The dead letter of a text that the model has no answer for.
pub fn labeled(event: TextEvent, answer: Answer, model: &Arc<ModelId>) -> Result<LabeledEvent, DeadLetter> {
    match answer {
        Ok(prediction) => Ok(LabeledEvent {
            event,
            labels: prediction.labels.clone(),
            signals: prediction.signals.clone(),
            model: Arc::clone(model),
        }),
        Err(error) => Err(DeadLetter::new(event.raw, Reason::ModelFailed, chain(&*error))),
    }
}
