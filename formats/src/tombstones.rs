//! What becomes of records that say that their key is gone, by the topic they were read from.
//!
//! That is a record without a payload, and the change event of Debezium before it: `"op": "d"` with `"after": null`, where
//! the text pointer leads through `after`. One deletion of a row makes one of each.

use std::collections::BTreeMap;

use schemas::{Aside, DeadLetter, Fate, Fields, Problem, RawEvent, Reason, Tombstone};
use serde::Deserialize;

use crate::pointer::Pointer;

/// The member that holds a row as it is now, and the one that says what happened to it.
const AFTER: &str = "after";
const OPERATION: &str = "op";
const DELETE: &str = "\"d\"";

/// What becomes of a tombstone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tombstones {
    /// Nothing is written; it is counted, and its offset committed.
    #[default]
    Skip,
    /// A record of the same key without a payload goes to the output topic.
    Forward,
    /// A dead letter, as for any record without a text.
    DeadLetter,
}

impl Tombstones {
    const NAMES: [(&'static str, Self); 3] =
        [("skip", Self::Skip), ("forward", Self::Forward), ("dead_letter", Self::DeadLetter)];

    fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(own, _)| *own == name).map(|(_, choice)| *choice)
    }
}

/// The choice for every topic.
#[derive(Clone, Debug)]
pub(crate) struct Choices {
    usual: Tombstones,
    of_topic: BTreeMap<String, Tombstones>,
}

impl Choices {
    /// `of_topic` are entries `topic=choice`.
    pub(crate) fn new(usual: Tombstones, of_topic: &[String], problems: &mut Vec<Problem>) -> Self {
        let mut choices = Self { usual, of_topic: BTreeMap::new() };
        for entry in of_topic {
            let chosen = entry.split_once('=').and_then(|(topic, choice)| Some((topic, Tombstones::named(choice)?)));
            let expected = match chosen {
                Some((topic, choice)) if !topic.is_empty() => {
                    if choices.of_topic.insert(topic.to_owned(), choice).is_none() {
                        continue;
                    }
                    format!("expected every topic once, found {topic:?} again")
                }
                _ => format!("expected topic=skip, topic=forward or topic=dead_letter, found {entry:?}"),
            };
            problems.push(Problem::new("decode.tombstones_by_topic", expected));
        }
        choices
    }

    /// Settles a tombstone; `otherwise` is the dead letter where it is to be one.
    pub(crate) fn settle(&self, raw: RawEvent, otherwise: impl FnOnce(RawEvent) -> DeadLetter) -> Aside {
        let choice = self.of_topic.get(&*raw.origin.topic).copied().unwrap_or(self.usual);
        match choice {
            Tombstones::Skip => Tombstone { raw, fate: Fate::Skip }.into(),
            Tombstones::Forward if raw.key.is_some() => Tombstone { raw, fate: Fate::Forward }.into(),
            // Without a key it takes nothing back, and a compacted topic refuses it.
            Tombstones::Forward => {
                let error = "the record has neither payload nor key: there is nothing that it deletes";
                DeadLetter::new(raw, Reason::Empty, error).into()
            }
            Tombstones::DeadLetter => otherwise(raw).into(),
        }
    }
}

/// True for the change event of a deletion, as Debezium writes it.
pub(crate) fn tells_deletion(fields: &Fields, text: &Pointer) -> bool {
    let Some(after) = text.up_to(AFTER) else { return false };
    let written = |pointer: &Pointer| pointer.find(fields).map(|value| value.get().to_owned());
    written(&after).as_deref() == Some("null") && written(&after.beside(OPERATION)).as_deref() == Some(DELETE)
}
