//! Charts as SVG that stands inside a page: no script, no outside font, colours by the page's classes.
//!
//! Every chart has a sentence for those who do not see it, and every mark a title. Numbers are written with one decimal:
//! a tenth of a pixel is enough, and the same page is the same bytes.

use std::fmt::Write;

use schemas::report::{Bin, DriftRow, Verdict};

use crate::figures::{moment, percent, probability, tame};
use crate::page::Point;
use crate::terminal::{bin_name, totals};

/// Pixels across.
const WIDTH: f64 = 640.0;
/// Pixels of a chart with vertical bars or a line of time, and of what stands below its axis.
const HEIGHT: f64 = 170.0;
const FOOT: f64 = 20.0;
/// Pixels left of the marks, for numbers.
const GUTTER: f64 = 56.0;
/// Bars side by side: more would be thinner than a gap. Neighbours are added up until they fit.
const BARS_MAX: usize = 48;
/// Categories, those that contribute most.
const CATEGORIES_MAX: usize = 12;
/// Pixels of one category with its two bars.
const CATEGORY_HEIGHT: f64 = 30.0;
/// Powers of ten of a q-value at the top of the line of time, at most: smaller ones are drawn there, so that the line
/// between sure and not sure stays well above the ground.
const POWERS_MAX: f64 = 12.0;
/// Pixels between two numbers of an axis that can be read.
const NUMBER_GAP: f64 = 14.0;
/// Characters of a category's name.
const NAME_SHOWN: usize = 28;

/// Text for HTML and SVG: nothing in it can end an element or an attribute.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for sign in tame(text, 4000).chars() {
        match sign {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            sign => escaped.push(sign),
        }
    }
    escaped
}

/// The reference beside the window: bars along the values of a numeric feature, or one pair a category. `None` when the
/// finding has nothing to draw.
pub(crate) fn comparison(row: &DriftRow) -> Option<String> {
    let (reference, current) = totals(row);
    if row.bins.is_empty() {
        return None;
    }
    let is_numeric = row.bins.iter().any(|bin| bin.low.is_some() || bin.high.is_some());
    Some(if is_numeric { histogram(row, reference, current) } else { categories(row, reference, current) })
}

/// One bar of the histogram.
struct Bar {
    name: String,
    before: f64,
    now: f64,
}

fn bars(bins: &[Bin], reference: f64, current: f64) -> Vec<Bar> {
    let together = bins.len().div_ceil(BARS_MAX);
    let bar = |bins: &[Bin]| {
        let sum = |of: fn(&Bin) -> i64| bins.iter().map(of).sum::<i64>() as f64;
        let whole = Bin {
            low: bins.first().and_then(|bin| bin.low),
            high: bins.last().and_then(|bin| bin.high),
            ..bins[0].clone()
        };
        Bar {
            name: bin_name(&whole),
            before: sum(|bin| bin.reference) / reference,
            now: sum(|bin| bin.current) / current,
        }
    };
    bins.chunks(together.max(1)).map(bar).collect()
}

fn histogram(row: &DriftRow, reference: f64, current: f64) -> String {
    let bars = bars(&row.bins, reference, current);
    let most = bars.iter().map(|bar| bar.before.max(bar.now)).fold(f64::MIN_POSITIVE, f64::max);
    let (floor, step) = (HEIGHT - FOOT, (WIDTH - GUTTER) / bars.len() as f64);
    let height = |share: f64| (floor - 8.0) * share / most;
    let mut svg = open(HEIGHT, &format!("share of records per bin of {}, reference and window", row.feature));
    for (place, bar) in bars.iter().enumerate() {
        let left = GUTTER + step * place as f64;
        let title = format!("{}: {} before, {} now", bar.name, percent(bar.before), percent(bar.now));
        let tall = height(bar.before);
        mark(&mut svg, "before", (left, floor - tall, step * 0.9, tall), &title);
        let tall = height(bar.now);
        mark(&mut svg, "now", (left + step * 0.25, floor - tall, step * 0.4, tall), &title);
    }
    axis(&mut svg, floor);
    label(&mut svg, (GUTTER - 6.0, 14.0), "end", &percent(most));
    label(&mut svg, (GUTTER - 6.0, floor), "end", "0 %");
    if let (Some(first), Some(last)) = (bars.first(), bars.last()) {
        label(&mut svg, (GUTTER, HEIGHT - 5.0), "start", &first.name);
        label(&mut svg, (WIDTH, HEIGHT - 5.0), "end", &last.name);
    }
    svg + "</svg>"
}

fn categories(row: &DriftRow, reference: f64, current: f64) -> String {
    let mut bins: Vec<_> = row.bins.iter().collect();
    bins.sort_by(|one, other| other.contribution.total_cmp(&one.contribution).then(one.label.cmp(&other.label)));
    bins.truncate(CATEGORIES_MAX);
    let share = |bin: &Bin| (bin.reference as f64 / reference, bin.current as f64 / current);
    let most = bins.iter().map(|bin| share(bin).0.max(share(bin).1)).fold(f64::MIN_POSITIVE, f64::max);
    let (left, room) = (WIDTH * 0.34, WIDTH * 0.45);
    let mut svg = open(
        CATEGORY_HEIGHT * bins.len() as f64,
        &format!("shares of the categories of {} that changed most, reference and window", row.feature),
    );
    for (place, bin) in bins.into_iter().enumerate() {
        let (before, now) = share(bin);
        let top = CATEGORY_HEIGHT * place as f64;
        let title = format!("{}: {} before, {} now", bin.label, percent(before), percent(now));
        mark(&mut svg, "before", (left, top + 3.0, room * before / most, 11.0), &title);
        mark(&mut svg, "now", (left, top + 14.0, room * now / most, 11.0), &title);
        label(&mut svg, (left - 8.0, top + 18.0), "end", &tame(&bin.label, NAME_SHOWN));
        let shares = format!("{} → {}", percent(before), percent(now));
        label(&mut svg, (left + room * before.max(now) / most + 6.0, top + 18.0), "start", &shares);
    }
    svg + "</svg>"
}

/// q-values over time, the smaller the higher, with the line below which a finding is not sure. `None` for fewer than
/// two windows.
pub(crate) fn timeline(points: &[Point], what: &str) -> Option<String> {
    let (first, last) = (points.first()?.start_ms, points.last()?.start_ms);
    if first == last {
        return None;
    }
    let power = |q: f64| (-q.max(f64::MIN_POSITIVE).log10()).clamp(0.0, POWERS_MAX);
    let threshold = points.iter().rev().find_map(|point| point.threshold);
    let tested = points.iter().filter_map(|point| point.q_value);
    let most = tested.chain(threshold).map(power).fold(1.0, f64::max) * 1.1;
    let floor = HEIGHT - FOOT;
    let across = |ms: i64| GUTTER + 6.0 + (WIDTH - GUTTER - 12.0) * ((ms - first) as f64 / (last - first) as f64);
    let up = |power: f64| floor - (floor - 8.0) * power / most;
    let mut svg = open(HEIGHT, &format!("q-values of {what} over the windows; higher is more significant"));
    axis(&mut svg, floor);
    if let Some(sure) = threshold {
        let y = up(power(sure));
        write(
            &mut svg,
            format_args!("<line class=\"sure\" x1=\"{GUTTER:.1}\" y1=\"{y:.1}\" x2=\"{WIDTH:.1}\" y2=\"{y:.1}\"/>"),
        );
        label(&mut svg, (GUTTER - 6.0, y + 4.0), "end", &probability(sure));
    }
    if threshold.is_none_or(|sure| floor - up(power(sure)) > NUMBER_GAP) {
        label(&mut svg, (GUTTER - 6.0, floor), "end", "1");
    }
    for point in points {
        let (x, y) = (across(point.start_ms), up(point.q_value.map_or(0.0, power)));
        let q = point.q_value.map_or("not tested".to_owned(), |q| format!("q {}", probability(q)));
        let title = format!("{} UTC: {}, {q}", moment(point.start_ms), point.verdict);
        let (class, title) = (class(point.verdict), escaped(&title));
        write(
            &mut svg,
            format_args!(
                "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"><title>{title}</title></circle>"
            ),
        );
    }
    label(&mut svg, (GUTTER, HEIGHT - 5.0), "start", &moment(first));
    label(&mut svg, (WIDTH, HEIGHT - 5.0), "end", &moment(last));
    Some(svg + "</svg>")
}

/// The class that gives a verdict its colour.
pub(crate) fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Drift => "drift",
        Verdict::Warn => "warn",
        Verdict::Error => "error",
        Verdict::Ok => "ok",
        Verdict::InsufficientData | Verdict::NotApplicable => "none",
    }
}

fn open(height: f64, meaning: &str) -> String {
    let meaning = escaped(meaning);
    format!("<svg role=\"img\" viewBox=\"0 0 {WIDTH:.0} {height:.0}\" aria-label=\"{meaning}\">")
}

/// A bar: left, top, width, height.
fn mark(svg: &mut String, class: &str, (x, y, width, height): (f64, f64, f64, f64), title: &str) {
    let title = escaped(title);
    write(
        svg,
        format_args!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"><title>{title}</title></rect>"
        ),
    );
}

fn axis(svg: &mut String, y: f64) {
    write(svg, format_args!("<line class=\"axis\" x1=\"{GUTTER:.1}\" y1=\"{y:.1}\" x2=\"{WIDTH:.1}\" y2=\"{y:.1}\"/>"));
}

fn label(svg: &mut String, (x, y): (f64, f64), anchor: &str, text: &str) {
    let text = escaped(text);
    write(svg, format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"));
}

fn write(svg: &mut String, text: std::fmt::Arguments<'_>) {
    svg.write_fmt(text).expect("a String takes every text");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::{HOUR_MS, START_MS, bin, row};

    #[test]
    fn nothing_in_a_text_can_leave_its_place() {
        assert_eq!(escaped("<a href='x'>\"&\u{1b}"), "&lt;a href=&#39;x&#39;&gt;&quot;&amp; ");
    }

    #[test]
    fn categories_are_paired_bars_as_long_as_their_shares() {
        let svg = comparison(&row("label", Verdict::Drift, 0.001)).expect("there are bins");
        assert_eq!(svg.matches("<rect class=\"before\"").count(), 2);
        assert_eq!(svg.matches("<rect class=\"now\"").count(), 2);
        assert!(svg.contains("card_arrival: 4.1 % before, 9.8 % now"), "{svg}");
        // 95.9 % of the reference is the largest share: it takes the whole room of 288 pixels.
        assert!(svg.contains("width=\"288.0\""), "{svg}");
        assert!(svg.contains("&lt;b&gt;") && !svg.contains("<b>"), "{svg}");
    }

    #[test]
    fn a_histogram_adds_up_neighbours_until_they_fit() {
        let mut numeric = row("score", Verdict::Drift, 0.001);
        numeric.bins = (0..1024)
            .map(|place| {
                let low = f64::from(place) / 1024.0;
                Bin { low: Some(low), high: Some(low + 1.0 / 1024.0), ..bin("", 2, 1, 0.0) }
            })
            .collect();
        let bars = bars(&numeric.bins, 2048.0, 1024.0);
        assert!(bars.len() <= BARS_MAX, "{}", bars.len());
        let (before, now) = bars.iter().fold((0.0, 0.0), |sum, bar| (sum.0 + bar.before, sum.1 + bar.now));
        assert!((before - 1.0_f64).abs() < 1e-12 && (now - 1.0_f64).abs() < 1e-12, "{before} {now}");
        let svg = comparison(&numeric).expect("there are bins");
        assert_eq!(svg.matches("<rect class=\"now\"").count(), bars.len());
    }

    #[test]
    fn surer_windows_stand_higher() {
        let point = |ago: i64, q_value, verdict| Point {
            start_ms: START_MS - ago * HOUR_MS,
            verdict,
            q_value,
            threshold: Some(0.006),
        };
        let points = [
            point(2, Some(0.9), Verdict::Ok),
            point(1, None, Verdict::InsufficientData),
            point(0, Some(1e-9), Verdict::Drift),
        ];
        let svg = timeline(&points, "label").expect("three windows");
        let heights: Vec<f64> = svg
            .split("cy=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap_or_default().parse().expect("a number"))
            .collect();
        assert_eq!(heights.len(), 3);
        assert!(heights[2] < heights[0] && heights[0] <= heights[1], "{heights:?}");
        assert!(svg.contains("2026-05-01 01:00 UTC: drift, q 1.0e-9") && svg.contains("class=\"sure\""), "{svg}");
        assert_eq!(timeline(&points[..1], "label"), None);
        assert_eq!(timeline(&[], "label"), None);
    }
}
