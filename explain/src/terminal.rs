//! A page as text: what a person reads at three in the morning, gravest first, in at most 100 columns.
//!
//! Colours only where asked for, and they repeat what the words say. Texts that come from records are tamed first.

use std::fmt::{self, Write};

use schemas::report::{Bin, DriftRow, PerformanceRow, Verdict, WordRow};

use crate::figures::{count, length, moment, percent, points, probability, span, tame, value};
use crate::page::{Facts, Moved, Page, Since, name};

/// Columns of a line before it is continued on the next.
const COLUMNS: usize = 100;
/// Categories or bins shown of one finding: those that say most.
const BINS_SHOWN: usize = 6;
/// Characters of a label or a word.
const NAME_SHOWN: usize = 40;

/// Whether marks for colours are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    Plain,
    Colours,
}

impl Ink {
    fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// A verdict in its colour.
    pub fn verdict(self, verdict: Verdict, text: &str) -> String {
        match verdict {
            Verdict::Drift => self.paint("1;31", text),
            Verdict::Warn => self.paint("33", text),
            Verdict::Error => self.paint("35", text),
            Verdict::Ok => self.paint("32", text),
            Verdict::InsufficientData | Verdict::NotApplicable => self.faint(text),
        }
    }

    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colours => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}

/// The whole page, ending with a line feed.
pub fn render(page: &Page, ink: Ink) -> String {
    let mut out = String::new();
    write_page(&mut out, page, ink).expect("a String takes every text");
    out
}

fn write_page(out: &mut String, page: &Page, ink: Ink) -> fmt::Result {
    let key = &page.key;
    let model = tame(&page.model, NAME_SHOWN);
    let heading = format!("{model}, {}", span(key.window_start_ms, key.window_end_ms));
    writeln!(out, "{}  {}", ink.bold(&heading), ink.verdict(page.verdict, page.verdict.name()))?;
    let last = if key.is_final { "final" } else { "late records may still change it" };
    writeln!(out, "{}", ink.faint(&format!("granularity {}, revision {}, {last}", page.granularity, key.revision)))?;
    write_facts(out, &page.facts)?;
    write_moved(out, page, ink)?;
    write_words(out, &page.words, ink)?;
    write_performance(out, &page.performance, ink)?;
    write_quiet(out, page, ink)?;
    write_ends(out, page, ink)
}

fn write_facts(out: &mut String, facts: &Facts) -> fmt::Result {
    writeln!(out)?;
    let late = if facts.late_dropped == 0 {
        String::new()
    } else {
        format!(", {} more were too late and are not included", count(facts.late_dropped))
    };
    writeln!(out, "  window     {} records{late}", count(facts.records))?;
    if !facts.reference_id.is_empty() {
        let id = tame(&facts.reference_id, NAME_SHOWN);
        writeln!(out, "  reference  {} records, {}, {id}", count(facts.reference_records), facts.reference_kind)?;
        writeln!(out, "  model      version {}", tame(&facts.model_version, NAME_SHOWN))?;
    }
    Ok(())
}

fn write_moved(out: &mut String, page: &Page, ink: Ink) -> fmt::Result {
    writeln!(out)?;
    if page.moved.is_empty() {
        return writeln!(out, "{}", ink.bold("Nothing moved"));
    }
    let heading = format!("What changed: {} of {} tests", page.moved.len(), page.facts.tests);
    writeln!(out, "{}", ink.bold(&heading))?;
    page.moved.iter().try_for_each(|moved| write_finding(out, moved, page.length_ms(), ink))
}

fn write_finding(out: &mut String, moved: &Moved, length_ms: i64, ink: Ink) -> fmt::Result {
    let row = &moved.finding;
    let title = tame(&name(row), 2 * NAME_SHOWN);
    writeln!(out, "\n  {}  {}", ink.verdict(row.verdict, &format!("{:5}", row.verdict.name())), ink.bold(&title))?;
    for line in wrapped(&tame(&row.reason, 1000), COLUMNS - 9) {
        writeln!(out, "         {line}")?;
    }
    if row.verdict != Verdict::Error {
        writeln!(out, "         {}", since(moved.since, length_ms))?;
    }
    for line in wrapped(&evidence(row), COLUMNS - 9) {
        writeln!(out, "         {}", ink.faint(&line))?;
    }
    for (bin, shares) in telling(row) {
        let label = tame(&bin_name(bin), NAME_SHOWN);
        writeln!(out, "           {label:<width$}  {shares}", width = NAME_SHOWN.min(28))?;
    }
    Ok(())
}

/// `since 2026-04-30 23:00 UTC, 3 windows of 1 h in a row`.
pub(crate) fn since(since: Since, length_ms: i64) -> String {
    let word = if since.is_open && since.windows > 1 { "since at least" } else { "since" };
    let windows = match since.windows {
        0 | 1 => "this window is the first".to_owned(),
        windows => format!("{windows} windows of {} in a row", length(length_ms)),
    };
    format!("{word} {} UTC, {windows}", moment(since.start_ms))
}

/// The test in one line: statistic, p, q and its threshold, effect with its interval and the least that counts.
pub(crate) fn evidence(row: &DriftRow) -> String {
    let mut parts = vec![match row.statistic {
        Some(statistic) => format!("{} {}", row.test, value(statistic)),
        None => row.test.clone(),
    }];
    if let Some(p) = row.p_value {
        let method = row.p_value_method.as_deref().map(|method| format!(" ({method})")).unwrap_or_default();
        parts.push(format!("p {}{method}", probability(p)));
    }
    if let Some(q) = row.q_value {
        let threshold = row.threshold.map(|most| format!(" (significant at {} or less)", probability(most)));
        parts.push(format!("q {}{}", probability(q), threshold.unwrap_or_default()));
    }
    if let Some(effect) = row.effect {
        parts.push(effect_text(row, effect));
    }
    parts.join(", ")
}

fn effect_text(row: &DriftRow, effect: f64) -> String {
    let mut text = format!("effect {}", value(effect));
    if let Some((low, high)) = row.effect_ci_low.zip(row.effect_ci_high) {
        text.push_str(&format!(" [{} to {}]", value(low), value(high)));
    }
    if let Some(unit) = &row.effect_unit {
        text.push_str(&format!(" in {unit}"));
    }
    if let Some(least) = row.min_effect {
        text.push_str(&format!(", counts from {}", value(least)));
    }
    text
}

/// The bins that contribute most, with their shares before and now.
fn telling(row: &DriftRow) -> Vec<(&Bin, String)> {
    let (reference, current) = totals(row);
    let mut bins: Vec<_> = row.bins.iter().filter(|bin| bin.contribution > 0.0).collect();
    bins.sort_by(|one, other| other.contribution.total_cmp(&one.contribution));
    bins.truncate(BINS_SHOWN);
    bins.into_iter()
        .map(|bin| {
            let (before, now) = (bin.reference as f64 / reference, bin.current as f64 / current);
            (bin, format!("{:>7} -> {:>7}  {}", percent(before), percent(now), points(now - before)))
        })
        .collect()
}

/// Records of the reference and of the window over all bins, at least one each.
pub(crate) fn totals(row: &DriftRow) -> (f64, f64) {
    let sum = |of: fn(&Bin) -> i64| row.bins.iter().map(of).sum::<i64>().max(1) as f64;
    (sum(|bin| bin.reference), sum(|bin| bin.current))
}

/// The category, or the bounds of a numeric bin.
pub(crate) fn bin_name(bin: &Bin) -> String {
    match (bin.low, bin.high) {
        (None, None) => bin.label.clone(),
        (Some(low), None) => format!("{} or more", value(low)),
        (None, Some(high)) => format!("below {}", value(high)),
        (Some(low), Some(high)) => format!("{} to {}", value(low), value(high)),
    }
}

fn write_words(out: &mut String, words: &[WordRow], ink: Ink) -> fmt::Result {
    if words.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", ink.bold("Words that changed"))?;
    for row in words {
        let (before, now) = word_shares(row);
        let shares = format!("{:>7} -> {:>7} of texts", percent(before), percent(now));
        let word = tame(&word_name(row), NAME_SHOWN);
        writeln!(out, "  {word:<24}  {shares}  {}", ink.faint(&format!("q {}", probability(row.q_value))))?;
    }
    Ok(())
}

/// Shares of texts with the word in the reference and in the window.
pub(crate) fn word_shares(row: &WordRow) -> (f64, f64) {
    let share = |texts: i64, n: i64| texts as f64 / n.max(1) as f64;
    (share(row.texts_ref, row.n_ref), share(row.texts_cur, row.n_cur))
}

/// The word, or the number of its bucket where only that is known.
pub(crate) fn word_name(row: &WordRow) -> String {
    row.word.clone().unwrap_or_else(|| format!("(bucket {})", row.bucket))
}

fn write_performance(out: &mut String, rows: &[PerformanceRow], ink: Ink) -> fmt::Result {
    let whole: Vec<_> = rows.iter().filter(|row| row.label.is_none() && row.slice_key.is_none()).collect();
    if whole.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", ink.bold("Model accuracy"))?;
    for row in whole {
        let found = performance_text(row);
        writeln!(out, "  {:<28}  {found}", tame(&row.metric, NAME_SHOWN))?;
    }
    Ok(())
}

/// `0.93 [0.91 to 0.94], labels for 80.0 % of 3,400 records, reliable`.
pub(crate) fn performance_text(row: &PerformanceRow) -> String {
    let Some(found) = row.value else { return tame(&row.reason, 200) };
    let mut text = value(found);
    if let Some((low, high)) = row.ci_low.zip(row.ci_high) {
        text.push_str(&format!(" [{} to {}]", value(low), value(high)));
    }
    text.push_str(&match row.label_coverage {
        Some(coverage) => format!(", {} records, labels for {}", count(row.n), percent(coverage)),
        None => format!(", {} records", count(row.n)),
    });
    if let Some(reliability) = &row.reliability {
        text.push_str(&format!(", {}", tame(reliability, 200)));
    }
    text
}

fn write_quiet(out: &mut String, page: &Page, ink: Ink) -> fmt::Result {
    for (verdict, names) in &page.quiet {
        writeln!(out)?;
        writeln!(out, "{}", ink.bold(quiet_title(*verdict)))?;
        let names = names.iter().map(|name| tame(name, 2 * NAME_SHOWN)).collect::<Vec<_>>().join(", ");
        wrapped(&names, COLUMNS - 2).iter().try_for_each(|line| writeln!(out, "  {line}"))?;
    }
    Ok(())
}

/// What a verdict of calm means in a heading.
pub(crate) fn quiet_title(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::InsufficientData => "Too few records to tell",
        Verdict::NotApplicable => "Not applicable to these events",
        _ => "As before",
    }
}

fn write_ends(out: &mut String, page: &Page, ink: Ink) -> fmt::Result {
    let Facts { offsets, config_hash, .. } = &page.facts;
    if offsets.is_empty() {
        return Ok(());
    }
    let ranges: Vec<_> = offsets
        .iter()
        .map(|range| format!("{}[{}] {}..{}", tame(&range.topic, 249), range.partition, range.start, range.end))
        .collect();
    writeln!(out)?;
    let line = format!("read from {}; settings {}", ranges.join(", "), tame(config_hash, NAME_SHOWN));
    wrapped(&line, COLUMNS).iter().try_for_each(|line| writeln!(out, "{}", ink.faint(line)))
}

/// Breaks at blanks; a word that is longer than a line stays whole.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::page;
    use crate::page::tests::{HOUR_MS, report, row, word};

    fn example() -> Page {
        let mut current = report(0, vec![row("label", Verdict::Drift, 3.1e-9), row("tokens", Verdict::Ok, 0.4)]);
        current.words = vec![word("deliv\u{1b}[2Jery", Verdict::Drift, 1e-12, 0.036)];
        let earlier =
            [report(1, vec![row("label", Verdict::Warn, 0.001)]), report(2, vec![row("label", Verdict::Ok, 1.0)])];
        page(&current, &earlier)
    }

    #[test]
    fn says_what_moved_by_how_much_since_when_and_in_which_words() {
        let text = render(&example(), Ink::Plain);
        for expected in [
            "banking77-minilm, 2026-05-01 01:00 to 02:00 UTC  drift\n",
            "granularity PT1H, revision 1, final\n",
            "  window     3,412 records, 3 more were too late and are not included\n",
            "  reference  10,003 records, fixed, sha256:0011\n",
            "What changed: 1 of 2 tests\n",
            "  drift  label\n",
            "         share of card_arrival rose from 4.1 % to 9.8 %\n",
            "         since 2026-05-01 00:00 UTC, 2 windows of 1 h in a row\n",
            "         chi_square 88.20, p 1.6e-9 (asymptotic), q 3.1e-9 (significant at 0.006 or less), effect\n",
            "         0.0570 [0.0490 to 0.0660] in share, counts from 0.0200\n",
            "           card_arrival                    4.1 % ->   9.8 %  +5.7 points\n",
            "  deliv [2Jery                0.8 % ->   4.4 % of texts  q 1.0e-12\n",
            "As before\n  tokens\n",
            "read from labels[0] 10..3500; settings c0ffee\n",
        ] {
            assert!(text.contains(expected), "{expected:?} is not in\n{text}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn colours_only_repeat_the_words() {
        let coloured = render(&example(), Ink::Colours);
        assert!(coloured.contains("\u{1b}[1;31mdrift\u{1b}[0m"), "{coloured}");
        let mut plain = String::new();
        for (place, part) in coloured.split('\u{1b}').enumerate() {
            plain.push_str(if place == 0 { part } else { part.split_once('m').expect("a mark ends with m").1 });
        }
        assert_eq!(plain, render(&example(), Ink::Plain));
    }

    #[test]
    fn a_run_whose_beginning_is_not_known_is_called_that() {
        let of = |windows, is_open| since(Since { start_ms: 100 * HOUR_MS, windows, is_open }, HOUR_MS);
        assert_eq!(of(1, true), "since 1970-01-05 04:00 UTC, this window is the first");
        assert_eq!(of(3, true), "since at least 1970-01-05 04:00 UTC, 3 windows of 1 h in a row");
        assert_eq!(of(3, false), "since 1970-01-05 04:00 UTC, 3 windows of 1 h in a row");
    }

    #[test]
    fn a_quiet_window_says_so() {
        let text = render(&page(&report(0, vec![row("label", Verdict::Ok, 0.4)]), &[]), Ink::Plain);
        assert!(text.contains("Nothing moved\n") && text.contains("As before\n  label\n"), "{text}");
    }

    #[test]
    fn lines_break_at_blanks() {
        assert_eq!(wrapped("one two three", 8), ["one two", "three"]);
        assert_eq!(wrapped("unbreakable", 4), ["unbreakable"]);
        assert!(wrapped("", 4).is_empty());
    }
}
