//! What became of the records of the dead-letter topic, and the report of it.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use formats::dead_letter::NotADeadLetter;
use schemas::{Origin, Reason};

/// Records of which the report tells why they were not replayed; the others are counted.
const TOLD_MAX: usize = 10;
/// Records shown one by one that are no dead letters.
const EXAMPLES_MAX: usize = 5;

/// What became of the records of the dead-letter topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayTally {
    pub(super) replayed: BTreeMap<(Arc<str>, Reason), u64>,
    pub(super) passed_over: BTreeMap<Why, u64>,
    /// The first records that were passed over though nobody asked for it.
    pub(super) examples: Vec<(Origin, NotADeadLetter)>,
    /// Why each of these dead letters is left where it is, by its origin.
    pub(super) left: Vec<String>,
}

/// Why a record is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// A dead letter of a reason that was not asked for.
    OtherReason(Reason),
    Foreign(NotADeadLetter),
}

impl ReplayTally {
    pub(super) fn pass_over(&mut self, why: Why, origin: &Origin) {
        *self.passed_over.entry(why).or_default() += 1;
        if let Why::Foreign(error) = why
            && self.examples.len() < EXAMPLES_MAX
        {
            self.examples.push((origin.clone(), error));
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        for (what, count) in other.replayed {
            *self.replayed.entry(what).or_default() += count;
        }
        for (why, count) in other.passed_over {
            *self.passed_over.entry(why).or_default() += count;
        }
        self.examples.extend(other.examples);
        self.examples.truncate(EXAMPLES_MAX);
        self.left.extend(other.left);
    }
}

/// Writes how many of the dead letters in a topic were replayed, and why the others were not.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_report(out: &mut impl Write, tally: &ReplayTally, dead_letters: &str, dry_run: bool) -> io::Result<()> {
    let verb = if dry_run { "would replay" } else { "replayed" };
    let total: u64 = tally.replayed.values().sum();
    writeln!(out, "{verb} {total} of the dead letters in {dead_letters}")?;
    for ((topic, reason), count) in tally.replayed.iter().filter(|(_, count)| **count > 0) {
        writeln!(out, "  {count:>8}  {reason} to {topic}")?;
    }
    for (why, count) in &tally.passed_over {
        match why {
            Why::OtherReason(reason) => writeln!(out, "  {count:>8}  {reason}, skipped: not the requested reason")?,
            Why::Foreign(error) => writeln!(out, "  {count:>8}  not dead letters, skipped: {error}")?,
        }
    }
    for (origin, error) in &tally.examples {
        writeln!(out, "            such as {origin}: {error}")?;
    }
    if !tally.left.is_empty() {
        writeln!(out, "  {:>8}  not replayed:", tally.left.len())?;
        tally.left.iter().take(TOLD_MAX).try_for_each(|why| writeln!(out, "            {why}"))?;
    }
    if let Some(more @ 1..) = tally.left.len().checked_sub(TOLD_MAX) {
        writeln!(out, "            and {more} more")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_tells_why_dead_letters_are_left() {
        let left = (0..12).map(|offset| format!("messages[0]@{offset}: why")).collect();
        let tally = ReplayTally { left, replayed: [(("a".into(), Reason::Empty), 0)].into(), ..ReplayTally::default() };
        let mut report = Vec::new();
        write_report(&mut report, &tally, "dead", false).expect("a Vec takes it");
        let report = String::from_utf8(report).expect("text");
        let start =
            "replayed 0 of the dead letters in dead\n        12  not replayed:\n            messages[0]@0: why\n";
        assert!(report.starts_with(start), "{report}");
        assert!(report.ends_with("            messages[0]@9: why\n            and 2 more\n"), "{report}");
    }
}
