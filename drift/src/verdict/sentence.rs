//! The sentences of findings: plain words, numbers with as many digits as a person reads.
//!
//! Shares are per cent. A sentence names what moved, from where and to where; it has no full stop, so that it fits into
//! a table, a log line and a message.

/// `share of card_arrival rose from 4.1 % to 9.8 %`
pub(crate) fn share_moved(name: &str, reference: f64, current: f64) -> String {
    let (from, to) = percents(reference, current);
    moved(name, &from, &to, current > reference)
}

/// `median confidence fell from 0.93 to 0.71`
pub(crate) fn value_moved(name: &str, reference: f64, current: f64) -> String {
    let digits = digits_to_tell(reference, current, 2);
    moved(name, &format!("{reference:.digits$}"), &format!("{current:.digits$}"), current > reference)
}

/// `median length in tokens rose from 12 to 15`
pub(crate) fn count_moved(name: &str, reference: f64, current: f64) -> String {
    let digits = digits_to_tell(reference, current, 0);
    moved(name, &format!("{reference:.digits$}"), &format!("{current:.digits$}"), current > reference)
}

/// `the word refund is in 6.0 % of texts, 0.4 % before`
pub(crate) fn word_moved(word: &str, reference: f64, current: f64) -> String {
    let (before, now) = percents(reference, current);
    format!("{word} is in {now} of texts, {before} before")
}

/// `only 8 records, at least 100 are needed`
pub(crate) fn too_few(side: &str, records: u64, least: u64) -> String {
    let noun = if records == 1 { "record" } else { "records" };
    format!("only {records} {noun} {side}, at least {least} are needed")
}

/// Both shares with as many digits as it takes to tell them apart, at least one.
fn percents(reference: f64, current: f64) -> (String, String) {
    let (reference, current) = (100.0 * reference, 100.0 * current);
    let digits = digits_to_tell(reference, current, 1);
    (format!("{reference:.digits$} %"), format!("{current:.digits$} %"))
}

/// Decimal places after which two numbers look different; no more than 6, since equal numbers never do.
fn digits_to_tell(one: f64, other: f64, least: usize) -> usize {
    (least..6).find(|&digits| format!("{one:.digits$}") != format!("{other:.digits$}")).unwrap_or(least)
}

fn moved(name: &str, from: &str, to: &str, is_up: bool) -> String {
    match (from == to, is_up) {
        (true, _) => format!("{name} stayed at {to}"),
        (false, true) => format!("{name} rose from {from} to {to}"),
        (false, false) => format!("{name} fell from {from} to {to}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_what_a_person_would_say() {
        for (sentence, expected) in [
            (share_moved("share of card_arrival", 0.0412, 0.0979), "share of card_arrival rose from 4.1 % to 9.8 %"),
            (share_moved("share of other", 0.5, 0.49996), "share of other fell from 50.000 % to 49.996 %"),
            (share_moved("share of same", 0.5, 0.5), "share of same stayed at 50.0 %"),
            (value_moved("median confidence", 0.931, 0.712), "median confidence fell from 0.93 to 0.71"),
            (value_moved("median entropy", 0.0012, 0.0019), "median entropy rose from 0.001 to 0.002"),
            (count_moved("median length in tokens", 12.0, 15.0), "median length in tokens rose from 12 to 15"),
            (count_moved("median length", 12.0, 12.4), "median length rose from 12.0 to 12.4"),
            (word_moved("the word refund", 0.004, 0.06), "the word refund is in 6.0 % of texts, 0.4 % before"),
            (too_few("in the window", 8, 100), "only 8 records in the window, at least 100 are needed"),
            (too_few("in the reference", 1, 100), "only 1 record in the reference, at least 100 are needed"),
        ] {
            assert_eq!(sentence, expected);
        }
    }
}
