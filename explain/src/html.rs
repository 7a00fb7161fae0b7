//! A page as one HTML file: everything is in it, nothing is fetched, no script runs, and every text is escaped.
//!
//! It can be mailed, attached to an incident and opened years later. Light and dark follow the reader's system.

use std::fmt::{self, Write};

use schemas::report::{PerformanceRow, WordRow};

use crate::chart::{class, comparison, escaped, timeline};
use crate::figures::{count, percent, points, probability, span};
use crate::page::{Facts, Moved, Page, name};
use crate::terminal::{evidence, performance_text, quiet_title, since, word_name, word_shares};

const STYLE: &str = include_str!("page.css");

/// The whole file.
pub fn render(page: &Page) -> String {
    let mut out = String::new();
    write_page(&mut out, page).expect("a String takes every text");
    out
}

fn write_page(out: &mut String, page: &Page) -> fmt::Result {
    let key = &page.key;
    let window = span(key.window_start_ms, key.window_end_ms);
    let model = escaped(&page.model);
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{}: {model}, {window}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>",
        page.verdict
    )?;
    let verdict = format!("<span class=\"verdict {}\">{}</span>", class(page.verdict), page.verdict);
    writeln!(out, "<h1>{model} {verdict}</h1>\n<p>{window}</p>")?;
    let last = if key.is_final { "final" } else { "late records may still change it" };
    writeln!(out, "<p class=\"faint\">{}, revision {}, {last}</p>\n</header>\n<main>", page.granularity, key.revision)?;
    write_facts(out, &page.facts)?;
    write_timeline(out, page)?;
    write_moved(out, page)?;
    write_words(out, &page.words)?;
    write_performance(out, &page.performance)?;
    write_quiet(out, page)?;
    writeln!(out, "</main>")?;
    write_ends(out, &page.facts)?;
    writeln!(out, "</body>\n</html>")
}

fn write_facts(out: &mut String, facts: &Facts) -> fmt::Result {
    writeln!(out, "<dl>\n<dt>records</dt><dd>{}</dd>", count(facts.records))?;
    if facts.late_dropped > 0 {
        writeln!(out, "<dt>too late</dt><dd>{}</dd>", count(facts.late_dropped))?;
    }
    if !facts.reference_id.is_empty() {
        let (kind, id) = (escaped(&facts.reference_kind), escaped(&facts.reference_id));
        let records = count(facts.reference_records);
        writeln!(out, "<dt>reference</dt><dd>{records} records, {kind} <code>{id}</code></dd>")?;
        writeln!(out, "<dt>model version</dt><dd>{}</dd>", escaped(&facts.model_version))?;
    }
    writeln!(out, "</dl>")
}

fn write_timeline(out: &mut String, page: &Page) -> fmt::Result {
    let Some(chart) = timeline(&page.timeline, "the most significant finding") else { return Ok(()) };
    let windows = page.timeline.len();
    writeln!(
        out,
        "<section>\n<h2>The last {windows} windows</h2>\n<figure>{chart}<figcaption>q-value of the most significant \
         finding of each window: higher is more significant. Above the dashed line a finding is \
         significant.</figcaption></figure>\n</section>"
    )
}

fn write_moved(out: &mut String, page: &Page) -> fmt::Result {
    if page.moved.is_empty() {
        return writeln!(out, "<section>\n<h2>Nothing moved</h2>\n</section>");
    }
    writeln!(out, "<section>\n<h2>What changed: {} of {} tests</h2>", page.moved.len(), page.facts.tests)?;
    for moved in &page.moved {
        write_finding(out, moved, page.length_ms())?;
    }
    writeln!(out, "</section>")
}

fn write_finding(out: &mut String, moved: &Moved, length_ms: i64) -> fmt::Result {
    let row = &moved.finding;
    let verdict = format!("<span class=\"verdict {}\">{}</span>", class(row.verdict), row.verdict);
    writeln!(out, "<article>\n<h3>{verdict} {}</h3>", escaped(&name(row)))?;
    writeln!(out, "<p class=\"reason\">{}</p>", escaped(&row.reason))?;
    writeln!(out, "<p>{}</p>", escaped(&since(moved.since, length_ms)))?;
    if let Some(chart) = comparison(row) {
        writeln!(
            out,
            "<figure>{chart}<figcaption><span class=\"key before\"></span> reference <span class=\"key now\"></span> \
             this window</figcaption></figure>"
        )?;
    }
    if let Some(chart) = timeline(&moved.history, &name(row)) {
        writeln!(out, "<figure>{chart}<figcaption>its q-value over the windows</figcaption></figure>")?;
    }
    writeln!(out, "<p class=\"faint\">{}</p>", escaped(&evidence(row)))?;
    if !moved.others.is_empty() {
        writeln!(out, "<details><summary>Other measures</summary>\n<ul>")?;
        for other in &moved.others {
            writeln!(out, "<li>{}</li>", escaped(&evidence(other)))?;
        }
        writeln!(out, "</ul></details>")?;
    }
    writeln!(out, "</article>")
}

fn write_words(out: &mut String, words: &[WordRow]) -> fmt::Result {
    if words.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<section>\n<h2>Words that changed</h2>\n<table>\n<thead><tr><th>word</th><th>before</th><th>now</th>\
         <th>change</th><th>q</th></tr></thead>\n<tbody>"
    )?;
    for row in words {
        let (before, now) = word_shares(row);
        writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(&word_name(row)),
            percent(before),
            percent(now),
            points(now - before),
            probability(row.q_value)
        )?;
    }
    writeln!(out, "</tbody>\n</table>\n<p class=\"faint\">Shares of texts that have the word.</p>\n</section>")
}

fn write_performance(out: &mut String, rows: &[PerformanceRow]) -> fmt::Result {
    let mut whole = rows.iter().filter(|row| row.label.is_none() && row.slice_key.is_none()).peekable();
    if whole.peek().is_none() {
        return Ok(());
    }
    writeln!(out, "<section>\n<h2>Model accuracy</h2>\n<dl>")?;
    for row in whole {
        writeln!(out, "<dt>{}</dt><dd>{}</dd>", escaped(&row.metric), escaped(&performance_text(row)))?;
    }
    writeln!(out, "</dl>\n</section>")
}

fn write_quiet(out: &mut String, page: &Page) -> fmt::Result {
    for (verdict, names) in &page.quiet {
        let names = names.iter().map(|name| escaped(name)).collect::<Vec<_>>().join(", ");
        writeln!(out, "<section>\n<h2>{}</h2>\n<p>{names}</p>\n</section>", quiet_title(*verdict))?;
    }
    Ok(())
}

fn write_ends(out: &mut String, facts: &Facts) -> fmt::Result {
    let ranges: Vec<_> = facts
        .offsets
        .iter()
        .map(|range| format!("{}[{}] {}..{}", range.topic, range.partition, range.start, range.end))
        .collect();
    let settings = escaped(&facts.config_hash);
    writeln!(
        out,
        "<footer class=\"faint\"><p>read from {}; settings <code>{settings}</code></p></footer>",
        escaped(&ranges.join(", "))
    )
}

#[cfg(test)]
mod tests {
    use schemas::report::Verdict;

    use super::*;
    use crate::page::page;
    use crate::page::tests::{report, row, word};

    /// A page whose texts try to get out of their places.
    fn hostile() -> String {
        let mut loud = row("label", Verdict::Drift, 3.1e-9);
        loud.reason = "share of <script>alert(1)</script> rose".to_owned();
        (loud.slice_key, loud.slice_value) = (Some("source".to_owned()), Some("\"><img src=x onerror=1>".to_owned()));
        let mut current = report(0, vec![loud, row("tokens", Verdict::Ok, 0.4)]);
        current.model = "a</title><b>".to_owned();
        current.words = vec![word("</td><a href=//evil>", Verdict::Drift, 1e-12, 0.036)];
        let earlier = [report(1, vec![row("label", Verdict::Ok, 0.5)])];
        render(&page(&current, &earlier))
    }

    /// The names of all elements in order of their tags, with a slash before those that close.
    fn tags(html: &str) -> Vec<&str> {
        let tag = |rest: &'_ str| rest.find(['>', ' ', '\n']).unwrap_or(rest.len());
        html.split('<').skip(1).map(|rest| &rest[..tag(rest)]).collect()
    }

    #[test]
    fn every_element_closes_where_it_should() {
        let html = hostile();
        let mut open = Vec::new();
        for tag in tags(&html) {
            match tag.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name), "{html}"),
                None if matches!(tag, "!doctype" | "meta" | "rect/" | "line") => {}
                None => open.push(tag),
            }
        }
        assert!(open.is_empty(), "{open:?}");
        for once in ["html", "head", "body", "main", "h1", "style"] {
            assert_eq!(tags(&html).iter().filter(|tag| **tag == once).count(), 1, "{once}");
        }
    }

    #[test]
    fn texts_of_records_stay_texts() {
        let html = hostile();
        let known = ["a", "img", "script", "b"];
        assert!(!tags(&html).iter().any(|tag| known.contains(tag)), "{html}");
        assert!(html.contains("share of &lt;script&gt;alert(1)&lt;/script&gt; rose"), "{html}");
        assert!(html.contains("&quot;&gt;&lt;img src=x onerror=1&gt;"), "{html}");
    }

    #[test]
    fn nothing_is_fetched_and_nothing_runs() {
        let html = hostile();
        assert!(html.contains("default-src 'none'"), "{html}");
        for forbidden in ["<script", "<link", "<img", "<iframe", "url(", "@import", " src=\"", " href=\""] {
            assert!(!html.contains(forbidden), "{forbidden} is in\n{html}");
        }
    }

    #[test]
    fn charts_stand_beside_their_findings() {
        let html = hostile();
        let of = |text: &str| html.matches(text).count();
        assert_eq!(of("<svg"), 2, "the line of time and the shares; the slice has no history\n{html}");
        assert_eq!(of("<article>"), 1);
        assert!(html.contains("What changed: 1 of 2 tests") && html.contains("<td>0.8 %</td><td>4.4 %</td>"), "{html}");
    }
}
