//! The records that the demo sends: mostly clean messages, and among them what real topics also hold.
//!
//! Each record says what should become of it, so that the summary can tell whether it did.

use fastrand::Rng;
use schemas::Reason;
use serde_json::json;

use crate::messages::{Messages, Mix};

/// One record in this many is not a clean message.
const ODD_EVERY: usize = 16;
/// Length of the long message, bytes: far more than the model reads, so it is truncated, and its label says so.
const LONG_BYTES: usize = 20_000;
/// Customers that write; the customer is the record's key.
const CUSTOMERS: u32 = 400;

/// What should become of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Label,
    DeadLetter(Reason),
}

/// A record to send.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) key: Vec<u8>,
    /// `None` is a tombstone.
    pub(crate) payload: Option<Vec<u8>>,
    pub(crate) expected: Expected,
}

/// Makes the stream of records: the same seed, the same records.
#[derive(Debug)]
pub(crate) struct Records {
    messages: Messages,
    random: Rng,
    count: u64,
}

/// The kinds of records that are not clean messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Odd {
    Tombstone,
    NoBytes,
    BlankText,
    NotUtf8,
    BrokenJson,
    NotAnObject,
    NoTextField,
    TextIsANumber,
    FieldClash,
    Long,
    Emoji,
    OtherLanguage,
}

impl Odd {
    const ALL: [Self; 12] = [
        Self::Tombstone,
        Self::NoBytes,
        Self::BlankText,
        Self::NotUtf8,
        Self::BrokenJson,
        Self::NotAnObject,
        Self::NoTextField,
        Self::TextIsANumber,
        Self::FieldClash,
        Self::Long,
        Self::Emoji,
        Self::OtherLanguage,
    ];

    fn expected(self) -> Expected {
        match self {
            Self::Tombstone | Self::NoBytes | Self::BlankText => Expected::DeadLetter(Reason::Empty),
            Self::NotUtf8 => Expected::DeadLetter(Reason::NotUtf8),
            Self::BrokenJson | Self::NotAnObject => Expected::DeadLetter(Reason::BadJson),
            Self::NoTextField | Self::TextIsANumber => Expected::DeadLetter(Reason::NoText),
            Self::FieldClash => Expected::DeadLetter(Reason::FieldClash),
            Self::Long | Self::Emoji | Self::OtherLanguage => Expected::Label,
        }
    }
}

const EMOJI: [&str; 5] = [
    "my card 💳 is lost 😱😱 help 🙏",
    "💸💸 charged twice again?? 🤬",
    "👋 new phone 📱 and I can't log in 🔐",
    "🏧 ate my card 😭",
    "top up ✅ money ❌ 🤷‍♀️",
];

const OTHER_LANGUAGES: [&str; 8] = [
    "Meine Karte ist noch nicht angekommen, wann kommt sie?",
    "On m'a facturé deux fois le même achat, pouvez-vous vérifier ?",
    "He perdido mi tarjeta, ¿qué hago ahora?",
    "Il mio bonifico è ancora in sospeso da tre giorni.",
    "Gdzie mogę zmienić kod PIN do karty?",
    "カードが届きません。いつ届きますか。",
    "لماذا تم رفض بطاقتي؟",
    "Чому мій платіж відхилено?",
];

impl Records {
    pub(crate) fn new(messages: Messages, seed: u64) -> Self {
        Self { messages, random: Rng::with_seed(seed), count: 0 }
    }

    /// The next record of the stream.
    pub(crate) fn draw(&mut self, mix: Mix) -> Record {
        self.count += 1;
        if self.random.usize(..ODD_EVERY) == 0 {
            let odd = Odd::ALL[self.random.usize(..Odd::ALL.len())];
            self.odd(odd)
        } else {
            let text = self.messages.draw(mix).to_owned();
            self.record(Some(self.object(&text)), Expected::Label)
        }
    }

    fn odd(&mut self, odd: Odd) -> Record {
        let payload = match odd {
            Odd::Tombstone => None,
            Odd::NoBytes => Some(Vec::new()),
            Odd::BlankText => Some(self.object(" \n ")),
            Odd::NotUtf8 => Some(b"{\"text\":\"caf\xe9 charged me twice\"}".to_vec()),
            Odd::BrokenJson => {
                let mut bytes = self.object("my card was declined");
                bytes.truncate(bytes.len() / 2);
                Some(bytes)
            }
            Odd::NotAnObject => Some(b"[\"my card was declined\"]".to_vec()),
            Odd::NoTextField => Some(format!("{{\"id\":\"m-{}\"}}", self.count).into_bytes()),
            Odd::TextIsANumber => Some(br#"{"text":4711}"#.to_vec()),
            Odd::FieldClash => Some(br#"{"text":"where is my card?","label":"urgent"}"#.to_vec()),
            Odd::Long => {
                let mut text = String::with_capacity(LONG_BYTES + 200);
                while text.len() < LONG_BYTES {
                    text.push_str(self.messages.draw(Mix::Usual));
                    text.push(' ');
                }
                Some(self.object(&text))
            }
            Odd::Emoji => {
                let text = EMOJI[self.random.usize(..EMOJI.len())];
                Some(self.object(text))
            }
            Odd::OtherLanguage => {
                let text = OTHER_LANGUAGES[self.random.usize(..OTHER_LANGUAGES.len())];
                Some(self.object(text))
            }
        };
        self.record(payload, odd.expected())
    }

    /// A support message as an application would write it.
    fn object(&self, text: &str) -> Vec<u8> {
        json!({"id": format!("m-{}", self.count), "channel": "chat", "text": text}).to_string().into_bytes()
    }

    fn record(&mut self, payload: Option<Vec<u8>>, expected: Expected) -> Record {
        Record { key: format!("customer-{}", self.random.u32(..CUSTOMERS)).into_bytes(), payload, expected }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records() -> Records {
        Records::new(Messages::new(1).unwrap(), 1)
    }

    #[test]
    fn clean_messages_and_every_reason_that_input_can_cause() {
        let mut stream = records();
        let drawn: Vec<_> = (0..5_000).map(|_| stream.draw(Mix::Usual)).collect();
        let clean = drawn.iter().filter(|record| record.expected == Expected::Label).count();
        assert!((4_600..4_900).contains(&clean), "{clean} to be labelled");
        for reason in [Reason::Empty, Reason::NotUtf8, Reason::BadJson, Reason::NoText, Reason::FieldClash] {
            assert!(
                drawn.iter().any(|record| record.expected == Expected::DeadLetter(reason)),
                "no record for {reason}"
            );
        }
    }

    #[test]
    fn odd_records_are_what_their_names_say() {
        let mut stream = records();
        let mut payload = |odd| stream.odd(odd).payload;
        assert_eq!(payload(Odd::Tombstone), None);
        assert_eq!(payload(Odd::NoBytes), Some(Vec::new()));
        let broken = payload(Odd::BrokenJson).unwrap();
        assert!(serde_json::from_slice::<serde_json::Value>(&broken).is_err());
        assert!(std::str::from_utf8(&payload(Odd::NotUtf8).unwrap()).is_err());
        let long: serde_json::Value = serde_json::from_slice(&payload(Odd::Long).unwrap()).unwrap();
        assert!(long["text"].as_str().unwrap().len() >= LONG_BYTES);
        for odd in [Odd::Emoji, Odd::OtherLanguage] {
            let found: serde_json::Value = serde_json::from_slice(&payload(odd).unwrap()).unwrap();
            assert!(!found["text"].as_str().unwrap().is_ascii() || odd == Odd::OtherLanguage);
        }
    }
}
