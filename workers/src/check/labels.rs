//! The newest records, labelled as a worker would: what each becomes, and what its time says.

use classifier::labeled::labeled;
use engine::Client;
use formats::Decoder;
use schemas::{Batch, DeadLetter, Fate, Generation, LabeledEvent, RawEvent, TextEvent, Tombstone};
use service::chain;

use super::error::CheckError;
use super::report::Report;
use crate::settings::Config;

/// Characters of a text that are shown.
const TEXT_SHOWN: usize = 60;

/// Labels the records as a worker would, and shows them.
pub(super) fn check(
    config: &Config,
    model: Client,
    records: Vec<RawEvent>,
    report: &mut Report<'_>,
) -> Result<(), CheckError> {
    let decoder = config.decoder();
    let decoded = Batch::read(records, Generation::default()).sift(|record| decoder.decode(record));
    let count = decoded.records();
    check_times(&decoder, decoded.items(), report)?;
    let texts: Vec<&str> = decoded.items().iter().map(|event| event.text.as_str()).collect();
    match model.predict(&texts) {
        Ok(answers) => {
            let answered = decoded.zip_map(answers, |event, answer| (event, answer));
            let labeled = answered.try_map(|(event, answer)| labeled(event, answer, model.model()));
            let found = format!("{} of the newest {count} have a text to label", labeled.items().len());
            if labeled.items().is_empty() && !labeled.rejects().is_empty() {
                let fix = "does decode.format match the payloads, and decode.text_pointer the position of the text?";
                report.fail("records", &found, fix)?;
            } else {
                report.ok("records", &format!("{found}; nothing was committed"))?;
            }
            labeled.items().iter().try_for_each(|event| report.detail(&show(event)))?;
            labeled.rejects().iter().try_for_each(|letter| report.detail(&show_dead_letter(letter)))?;
            labeled.tombstones().iter().try_for_each(|tombstone| report.detail(&show_tombstone(tombstone)))
        }
        Err(error) => report.fail("records", &chain(&error), "the model fails on every text: try another package"),
    }
}

/// Times that are hardly meant: they are labelled as they are, and drift would not count them.
fn check_times(decoder: &Decoder, events: &[TextEvent], report: &mut Report<'_>) -> Result<(), CheckError> {
    let doubts: Vec<_> = events.iter().filter_map(|event| decoder.doubt(event)).collect();
    match doubts.first() {
        Some(first) => report.note(
            "event times",
            &format!(
                "{} of {} are before 2000 or after 2100, such as {first}; is decode.event_time_unit right?",
                doubts.len(),
                events.len()
            ),
        ),
        None => Ok(()),
    }
}

fn show_tombstone(tombstone: &Tombstone) -> String {
    let fate = match tombstone.fate {
        Fate::Skip => "passed over",
        Fate::Forward => "forwarded without a payload",
    };
    format!("{}  tombstone: {fate} (decode.tombstones)", tombstone.raw.origin)
}

fn show(event: &LabeledEvent) -> String {
    let label = event.labels.label.as_deref().unwrap_or("(no label)");
    let score = event.labels.score.or(event.labels.value).map(|score| format!(" {score:.3}")).unwrap_or_default();
    let mut text: String = event.event.text.chars().take(TEXT_SHOWN).map(visible).collect();
    if event.event.text.chars().nth(TEXT_SHOWN).is_some() {
        text.push('…');
    }
    format!("{}  {label}{score}  {text}", event.event.raw.origin)
}

fn show_dead_letter(letter: &DeadLetter) -> String {
    format!("{}  dead letter ({}): {}", letter.raw.origin, letter.reason, letter.error)
}

/// A terminal must not obey what stands in a record.
fn visible(sign: char) -> char {
    if sign.is_control() { ' ' } else { sign }
}
