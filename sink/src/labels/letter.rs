//! A dead letter as the record that leaves, in a form that its topic takes.
//!
//! As it is, where that fits. Else as little as necessary is changed, and said in headers ([`Amendments`]): a claim check
//! without the payload, without the largest headers, under its origin as key, with the time of writing. What is left out
//! is still at the record's origin.

use std::sync::Arc;

use formats::{Amendments, KeyChange, LeftOutPayload, dead_letter};
use kafka::limits::TopicLimits;
use kafka::outgoing::Outgoing;
use kafka::rule::Rule;
use schemas::{DeadLetter, Header, RawEvent};
use sha2::{Digest, Sha256};

/// Characters of the error's sentence that a dead letter keeps in its smallest form.
const ERROR_CHARACTERS_KEPT: usize = 300;

/// What a dead letter is written without or with another value; nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    payload_out: bool,
    headers: Headers,
    key: Key,
    /// The time of writing instead of the record's.
    own_time: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Headers {
    #[default]
    All,
    /// The largest are left out until the rest fits.
    Fitting,
    None,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Key {
    #[default]
    AsItIs,
    /// The origin, where the record has none.
    Given,
    /// The origin, whatever the record has.
    Origin,
}

impl Form {
    const SMALLEST: Self = Self { payload_out: true, headers: Headers::None, key: Key::Origin, own_time: true };

    pub(super) fn is_smallest(self) -> bool {
        self == Self::SMALLEST
    }

    /// The form to try after the broker refused this one for `rule`; `None` when there is no other.
    pub(super) fn after(self, rule: Rule) -> Option<Self> {
        let keyed = Self { key: if self.key == Key::AsItIs { Key::Given } else { self.key }, ..self };
        let candidate = match rule {
            Rule::Size { .. } => Self { payload_out: true, ..self },
            Rule::Key => keyed,
            Rule::TooNew { .. } | Rule::TooOld { .. } | Rule::Time => Self { own_time: true, ..self },
            Rule::Invalid => Self { own_time: true, ..keyed },
            Rule::Policy | Rule::Answer(_) => Self::SMALLEST,
        };
        let next = if candidate == self { Self::SMALLEST } else { candidate };
        (next != self).then_some(next)
    }
}

/// A dead letter as it is written.
pub(super) struct Composed {
    pub(super) record: Outgoing,
    /// A part of the record is only at its origin.
    pub(super) is_claim_check: bool,
}

/// Writes a dead letter for `topic` in `form`, changed further where the topic's known rules ask for it.
pub(super) fn compose(
    letter: &DeadLetter,
    topic: &Arc<str>,
    limits: &TopicLimits,
    form: Form,
    now_ms: i64,
) -> Composed {
    let rules = limits.of(topic);
    let raw = &letter.raw;
    let mut form = form;
    if rules.keeps_keys && form.key == Key::AsItIs {
        form.key = Key::Given;
    }
    // 0 cannot be sent (it becomes the time of sending), so it is kept beside.
    form.own_time |= raw.timestamp_ms == Some(0) || rules.time_broken_by(raw.timestamp_ms, now_ms, 0).is_some();
    let bytes_max = limits.certain_bytes_max(topic);
    let forms = [
        form,
        Form { payload_out: true, ..form },
        Form { headers: form.headers.at_least(Headers::Fitting), ..form },
        Form { payload_out: true, headers: form.headers.at_least(Headers::Fitting), ..form },
    ];
    let mut written = forms.into_iter().map(|form| write(letter, topic, form, bytes_max));
    written.find(|composed| composed.record.bytes() <= bytes_max).unwrap_or_else(|| {
        let smallest = Form { own_time: form.own_time, ..Form::SMALLEST };
        write(letter, topic, smallest, bytes_max)
    })
}

impl Headers {
    fn at_least(self, other: Self) -> Self {
        if self == Self::All { other } else { self }
    }
}

fn write(letter: &DeadLetter, topic: &Arc<str>, form: Form, bytes_max: usize) -> Composed {
    let raw = &letter.raw;
    let mut amendments = Amendments::default();
    let payload = match &raw.payload {
        // Not null, which would remove the key's dead letters from a topic that keeps keys.
        Some(payload) if form.payload_out && !payload.is_empty() => {
            amendments.payload = Some(LeftOutPayload { bytes: payload.len() as u64, digest: digest(payload) });
            Some(Vec::new())
        }
        payload => payload.clone(),
    };
    let key = key(raw, form.key, &mut amendments);
    if form.own_time {
        amendments.timestamp_ms = raw.timestamp_ms;
    }
    let mut record = Outgoing {
        topic: Arc::clone(topic),
        partition: raw.origin.partition,
        key,
        payload,
        headers: Vec::new(),
        timestamp_ms: raw.timestamp_ms.filter(|_| !form.own_time),
    };
    let mut kept: Vec<&Header> = raw.headers.iter().filter(|_| form.headers != Headers::None).collect();
    loop {
        amendments.headers_left_out = raw.headers.len() - kept.len();
        record.headers = headers(letter, &kept, &amendments, form);
        if form.headers != Headers::Fitting || record.bytes() <= bytes_max || kept.is_empty() {
            return Composed { record, is_claim_check: amendments.needs_origin() };
        }
        let largest = (0..kept.len()).max_by_key(|place| bytes_of(kept[*place])).unwrap_or(0);
        kept.remove(largest);
    }
}

fn bytes_of(header: &Header) -> usize {
    header.name.len() + header.value.as_ref().map_or(0, Vec::len)
}

fn headers(letter: &DeadLetter, kept: &[&Header], amendments: &Amendments, form: Form) -> Vec<Header> {
    let mut headers: Vec<Header> = kept.iter().map(|header| (*header).clone()).collect();
    headers.extend(amendments.headers());
    dead_letter::add_headers(letter, &mut headers);
    let error = headers.iter_mut().rfind(|header| header.name == dead_letter::ERROR_HEADER);
    if let Some(error) = error.filter(|_| form.headers == Headers::None) {
        let short: String = letter.error.chars().take(ERROR_CHARACTERS_KEPT).collect();
        error.value = Some(short.into_bytes());
    }
    headers
}

fn key(raw: &RawEvent, form: Key, amendments: &mut Amendments) -> Option<Vec<u8>> {
    let change = match (form, &raw.key) {
        (Key::Given | Key::Origin, None) => KeyChange::Given,
        (Key::Origin, Some(_)) => KeyChange::LeftOut,
        (_, key) => return key.clone(),
    };
    amendments.key = Some(change);
    Some(raw.origin.to_string().into_bytes())
}

/// The digest of a payload, as a dead letter that was written without it says it: `sha256:` and hexadecimal.
pub fn digest(payload: &[u8]) -> String {
    format!("sha256:{:x}", Sha256::digest(payload))
}

#[cfg(test)]
mod tests {
    use kafka::rules::TopicRules;
    use schemas::{Origin, Reason};

    use super::*;

    const NOW: i64 = 1_800_000_000_000;
    const HOUR: i64 = 3_600_000;

    fn letter(payload: usize, headers: &[usize]) -> DeadLetter {
        let header =
            |(place, bytes): (usize, &usize)| Header { name: format!("h{place}"), value: Some(vec![b'h'; *bytes]) };
        let raw = RawEvent {
            origin: Origin { topic: "messages".into(), partition: 3, offset: 7 },
            key: None,
            payload: Some(vec![b'p'; payload]),
            headers: headers.iter().enumerate().map(header).collect(),
            timestamp_ms: Some(NOW),
        };
        DeadLetter::new(raw, Reason::NoText, "why")
    }

    fn limits(bytes_max: usize, rules: TopicRules) -> TopicLimits {
        TopicLimits::known(bytes_max, true, [("dead".into(), rules)])
    }

    /// The record with the amendments and own headers that a reader finds in it.
    fn composed(letter: &DeadLetter, limits: &TopicLimits, form: Form) -> (Outgoing, Amendments, Vec<Header>) {
        let Composed { record, is_claim_check } = compose(letter, &"dead".into(), limits, form, NOW);
        let mut found = dead_letter::read_headers(&record.headers).expect("a dead letter");
        assert_eq!((found.reason, &found.origin), (letter.reason, &letter.raw.origin));
        let amendments = Amendments::take(&mut found.headers);
        assert_eq!(is_claim_check, amendments.needs_origin());
        (record, amendments, found.headers)
    }

    #[test]
    fn what_fits_is_written_as_it_is() {
        let letter = letter(5000, &[10, 10]);
        let (record, amendments, headers) = composed(&letter, &limits(10_000, TopicRules::default()), Form::default());
        assert_eq!(amendments, Amendments::default());
        assert_eq!((&record.payload, &headers), (&letter.raw.payload, &letter.raw.headers));
        assert_eq!((record.key, record.timestamp_ms), (None, Some(NOW)));
    }

    #[test]
    fn what_is_too_large_is_left_out_and_nothing_else() {
        let limits = limits(4000, TopicRules::default());
        let check = |letter: &DeadLetter, without_payload: bool, headers_out: usize| {
            let (record, amendments, headers) = composed(letter, &limits, Form::default());
            assert!(record.bytes() <= 4000, "{} bytes", record.bytes());
            let left_out = amendments.payload.map(|payload| payload.bytes);
            assert_eq!(left_out, without_payload.then(|| letter.raw.payload.as_ref().map_or(0, Vec::len) as u64));
            assert_eq!(record.payload.map(|payload| payload.is_empty()), Some(without_payload));
            assert_eq!(
                (amendments.headers_left_out, headers.len()),
                (headers_out, letter.raw.headers.len() - headers_out)
            );
            assert_eq!((amendments.key, record.key), (None, None));
        };
        check(&letter(5000, &[10, 10]), true, 0);
        check(&letter(100, &[2000, 10, 3000]), false, 1);
        check(&letter(5000, &[2000, 10, 3000]), true, 1);
        let (_, amendments, _) = composed(&letter(5000, &[]), &limits, Form::default());
        let digest = amendments.payload.expect("left out").digest;
        assert_eq!(digest, "sha256:2481100a61f36d74c065bf6d143500a2e5fcd3208c86927de66c1103872827d1");
    }

    #[test]
    fn a_key_that_is_too_large_is_left_out_too() {
        let mut letter = letter(10, &[10]);
        letter.raw.key = Some(vec![b'k'; 9000]);
        letter.error = "e".repeat(9000);
        let (record, amendments, _) = composed(&letter, &limits(4000, TopicRules::default()), Form::default());
        assert!(record.bytes() <= 4000, "{} bytes", record.bytes());
        assert_eq!(amendments.key, Some(KeyChange::LeftOut));
        assert_eq!(record.key.as_deref(), Some(&b"messages[3]@7"[..]));
        assert_eq!(record.timestamp_ms, Some(NOW), "nothing is wrong with its time");
    }

    #[test]
    fn key_and_time_follow_the_topics_rules() {
        let rules = TopicRules { keeps_keys: true, after_max_ms: Some(HOUR), ..TopicRules::default() };
        let limits = limits(10_000, rules);
        let mut letter = letter(10, &[]);
        for (time, kept) in [(NOW, true), (NOW + 2 * HOUR, false), (i64::MAX, false), (0, false), (-5, true)] {
            letter.raw.timestamp_ms = Some(time);
            let (record, amendments, _) = composed(&letter, &limits, Form::default());
            assert_eq!(amendments.key, Some(KeyChange::Given));
            assert_eq!(record.key.as_deref(), Some(&b"messages[3]@7"[..]));
            assert_eq!(
                (record.timestamp_ms, amendments.timestamp_ms),
                if kept { (Some(time), None) } else { (None, Some(time)) }
            );
        }
        letter.raw.key = Some(b"own".to_vec());
        assert_eq!(composed(&letter, &limits, Form::default()).0.key.as_deref(), Some(&b"own"[..]));
    }

    #[test]
    fn what_the_broker_refuses_is_tried_in_other_forms_a_few_times() {
        let unknown = Rule::Policy;
        assert_eq!(Form::default().after(unknown), Some(Form::SMALLEST));
        assert_eq!(Form::SMALLEST.after(unknown), None);
        let size = Rule::Size { bytes: 1, max: None };
        let small = Form::default().after(size).expect("without the payload");
        assert_eq!(
            (small.after(size), small.after(Rule::Key)),
            (Some(Form::SMALLEST), Some(Form { key: Key::Given, ..small }))
        );
        let (record, amendments, headers) =
            composed(&letter(10, &[10]), &limits(10_000, TopicRules::default()), Form::SMALLEST);
        assert_eq!((record.payload.as_deref(), headers.len()), (Some(&b""[..]), 0));
        assert_eq!((record.timestamp_ms, amendments.timestamp_ms), (None, Some(NOW)));
    }
}
