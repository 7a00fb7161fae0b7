//! The demo's screen: one frame drawn from a [`View`]. It draws and nothing else; `terminal.rs` owns the terminal.

use explain::figures::grouped;
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, LineGauge, Padding, Paragraph, Sparkline};

use crate::tally::ABSTAINED;
use crate::view::{Phase, View, took};

/// Colours of the 16 that every terminal has, so that the user's own theme decides how they look.
const ACCENT: Color = Color::Cyan;
const GOOD: Color = Color::Green;
const ODD: Color = Color::Yellow;
const BAD: Color = Color::Red;
const QUIET: Style = Style::new().fg(Color::DarkGray);
const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);

/// The least size that everything fits into, columns and rows; smaller terminals get plain lines.
pub(crate) const LEAST_SIZE: (u16, u16) = (72, 22);

/// Draws the whole screen.
pub(crate) fn draw(frame: &mut Frame<'_>, view: &View<'_>) {
    let [head, progress, tiles, drift, middle, samples, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(6),
        Constraint::Length(3),
        Constraint::Fill(3),
        Constraint::Fill(2),
        Constraint::Length(1),
    ])
    .areas(frame.area().inner(ratatui::layout::Margin::new(1, 0)));
    draw_head(frame, head, view);
    let gauge = LineGauge::default()
        .ratio(view.done())
        .label("")
        .filled_symbol("━")
        .unfilled_symbol("─")
        .filled_style(ACCENT)
        .unfilled_style(QUIET);
    frame.render_widget(gauge, progress);

    let [books, rate, latency] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1), Constraint::Fill(1)]).areas(tiles);
    draw_books(frame, books, view);
    draw_rate(frame, rate, view);
    draw_latency(frame, latency, view);
    draw_drift(frame, drift, view);

    let [labels, reasons] = Layout::horizontal([Constraint::Fill(2), Constraint::Fill(1)]).areas(middle);
    draw_labels(frame, labels, view);
    draw_reasons(frame, reasons, view);
    draw_samples(frame, samples, view);
    let facts = view.facts;
    let path = format!("{} → {} → {}   {}", facts.topics.input, facts.model, facts.topics.output, facts.brokers);
    frame.render_widget(Paragraph::new(path).style(QUIET), foot);
}

fn panel(title: &str) -> Block<'_> {
    Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(QUIET)
        .title(Span::styled(format!(" {title} "), STRONG))
        .padding(Padding::horizontal(1))
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let doing = match (view.phase, view.stretch) {
        (Phase::Sending, None) => "customers are writing",
        (Phase::Sending, Some(stretch)) => stretch.sentence(),
        (Phase::Draining, _) => "waiting for the last labels",
    };
    let left = Line::from(vec![
        Span::styled("labelstream ", STRONG.fg(ACCENT)),
        Span::styled("demo", STRONG),
        Span::styled(format!("  {doing}"), QUIET),
    ]);
    let length = if view.stretch.is_some() { view.facts.seconds_max() } else { view.facts.seconds };
    let up_to = if view.stretch.is_some() { "up to " } else { "" };
    let clock = length.map_or_else(
        || format!("{} s", view.elapsed.as_secs()),
        |length| format!("{} of {up_to}{} s", view.elapsed.as_secs(), length.as_secs()),
    );
    let right =
        Line::from(vec![Span::styled(clock, STRONG), Span::styled("  q stops", QUIET)]).alignment(Alignment::Right);
    frame.render_widget(left, area);
    frame.render_widget(right, area);
}

fn draw_books(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let counts = view.tally.counts();
    let wrong = counts.duplicates + counts.strangers + counts.wrong_outcomes + counts.out_of_order;
    let row = |name: &'static str, number: u64, style: Style| {
        let width = usize::from(area.width.saturating_sub(4 + 13));
        Line::from(vec![
            Span::styled(format!("{name:<13}"), QUIET),
            Span::styled(format!("{:>width$}", grouped(number)), style),
        ])
    };
    let rows = vec![
        row("sent", counts.sent, STRONG),
        row("labelled", counts.labeled, STRONG.fg(GOOD)),
        row("dead letters", counts.dead_letters, STRONG.fg(ODD)),
        if wrong == 0 {
            row("under way", view.tally.unanswered(), Style::new())
        } else {
            row("WRONG", wrong, STRONG.fg(BAD))
        },
    ];
    frame.render_widget(Paragraph::new(rows).block(panel("records")), area);
}

fn draw_rate(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let block = panel("throughput")
        .title_bottom(Line::styled(format!(" sending {:.0}/s ", view.pace), QUIET).alignment(Alignment::Right));
    let [figures, chart] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(block.inner(area));
    frame.render_widget(block, area);
    let line = Line::from(vec![Span::styled(grouped(view.history.rate()), STRONG.fg(ACCENT)), Span::raw(" records/s")]);
    frame.render_widget(line, figures);
    draw_chart(frame, chart, &view.history.rates, ACCENT);
}

fn draw_latency(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let block = panel("to committed label");
    let [figures, chart] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(block.inner(area));
    frame.render_widget(block, area);
    let line = Line::from(vec![
        Span::styled("p50 ", QUIET),
        Span::styled(took(view.tally.recent_latency(0.5)), STRONG.fg(GOOD)),
        Span::styled(" p99 ", QUIET),
        Span::styled(took(view.tally.recent_latency(0.99)), STRONG.fg(ODD)),
    ]);
    frame.render_widget(line, figures);
    draw_chart(frame, chart, &view.history.latencies, GOOD);
}

fn draw_drift(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let watch = view.watch;
    let style = match (watch.found(), watch.false_alarms()) {
        (_, 1..) => STRONG.fg(BAD),
        (Some(_), 0) => STRONG.fg(ODD),
        (None, 0) => Style::new(),
    };
    let block = panel("drift");
    let line = cut(&watch.line(), usize::from(block.inner(area).width));
    frame.render_widget(Paragraph::new(Span::styled(line, style)).block(block), area);
}

/// The latest points that fit, newest at the right edge.
fn draw_chart(frame: &mut Frame<'_>, area: Rect, points: &std::collections::VecDeque<u64>, color: Color) {
    let width = usize::from(area.width);
    let missing = width.saturating_sub(points.len());
    let latest = points.iter().skip(points.len().saturating_sub(width));
    let data: Vec<u64> = std::iter::repeat_n(0, missing).chain(latest.copied()).collect();
    frame.render_widget(Sparkline::default().data(&data).style(color), area);
}

fn draw_labels(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let labels = view.tally.labels();
    let block = panel("labels");
    let inner = block.inner(area);
    let shown = usize::from(inner.height);
    let hidden = labels.len().saturating_sub(shown);
    let block = if hidden > 0 {
        block.title_bottom(Line::styled(format!(" and {hidden} more "), QUIET).alignment(Alignment::Right))
    } else {
        block
    };
    let most = labels.first().map_or(1, |(_, count)| *count);
    let name_width = usize::from(inner.width / 2).min(34);
    let bar_width = usize::from(inner.width).saturating_sub(name_width + 7);
    let rows: Vec<Line<'_>> = labels
        .iter()
        .take(shown)
        .map(|(label, count)| {
            let color = if *label == ABSTAINED { ODD } else { ACCENT };
            Line::from(vec![
                Span::raw(format!("{:<name_width$} ", cut(label, name_width))),
                Span::styled(format!("{:<bar_width$}", bar(*count, most, bar_width)), color),
                Span::styled(format!("{:>6}", grouped(*count)), STRONG),
            ])
        })
        .collect();
    frame.render_widget(Paragraph::new(rows).block(block), area);
}

fn draw_reasons(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let reasons = view.tally.reasons();
    let block = panel("dead letters");
    let inner = block.inner(area);
    let most = reasons.values().copied().max().unwrap_or(1);
    let bar_width = usize::from(inner.width).saturating_sub(12 + 6);
    let rows: Vec<Line<'_>> = reasons
        .iter()
        .map(|(reason, count)| {
            Line::from(vec![
                Span::raw(format!("{:<12}", cut(reason.name(), 12))),
                Span::styled(format!("{:<bar_width$}", bar(*count, most, bar_width)), ODD),
                Span::styled(format!("{:>6}", grouped(*count)), STRONG),
            ])
        })
        .collect();
    frame.render_widget(Paragraph::new(rows).block(block), area);
}

fn draw_samples(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let block = panel("just labelled");
    let inner = block.inner(area);
    let label_width = usize::from(inner.width / 3).clamp(16, 34);
    let text_width = usize::from(inner.width).saturating_sub(label_width + 8);
    let rows: Vec<Line<'_>> = view
        .tally
        .samples()
        .take(usize::from(inner.height))
        .map(|sample| {
            let score = sample.score.map_or_else(String::new, |score| format!("{score:.2}"));
            Line::from(vec![
                Span::styled(format!("{score:>4}  "), QUIET),
                Span::styled(format!("{:<label_width$}  ", cut(&sample.label, label_width)), ACCENT),
                Span::raw(cut(&sample.text, text_width)),
            ])
        })
        .collect();
    frame.render_widget(Paragraph::new(rows).block(block), area);
}

/// A horizontal bar in eighths of a column; at least one eighth, so that no count looks like none.
fn bar(count: u64, most: u64, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = usize::try_from(count * (width as u64) * 8 / most.max(1)).unwrap_or(0);
    let eighths = eighths.clamp(1, width * 8);
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

/// The first characters of a text on one line, with a mark where it goes on.
fn cut(text: &str, width: usize) -> String {
    let line: String =
        text.chars().map(|character| if character.is_control() { ' ' } else { character }).take(width + 1).collect();
    if line.chars().count() <= width {
        return line;
    }
    let mut short: String = line.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use schemas::Origin;

    use super::*;
    use crate::record::Expected;
    use crate::tally::{Answer, Output, Tally};
    use crate::topics::Topics;
    use crate::view::{Facts, History};
    use crate::watch::Watch;

    /// The screen's text at one size, a line per row.
    fn drawn(columns: u16, rows: u16) -> String {
        let now = Instant::now();
        let mut tally = Tally::new();
        let mut history = History::new(now);
        for number in 0..40 {
            let second = now + Duration::from_millis(200 * number);
            tally.sent(number, Expected::Label, second);
            let answer = Answer {
                number: Some(number),
                output: Output::Labeled {
                    label: Some(format!("label_{}", number % 7 * number % 5)),
                    score: Some(0.97),
                    text: "I lost my card yesterday, please block it.".to_owned(),
                },
                origin: Origin { topic: "messages".into(), partition: 0, offset: i64::try_from(number).unwrap() },
            };
            tally.answered(answer, second + Duration::from_millis(17 + number));
            history.observe(&tally, second);
        }
        let facts = Facts {
            model: "banking77-minilm 1.1.0".to_owned(),
            brokers: "in-process devbroker".to_owned(),
            topics: Topics::plain(),
            seconds: Some(Duration::from_secs(30)),
            records: None,
        };
        let view = View {
            facts: &facts,
            tally: &tally,
            history: &history,
            watch: &Watch::default(),
            phase: Phase::Sending,
            stretch: None,
            elapsed: Duration::from_secs(8),
            pace: 60.0,
        };
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        terminal.draw(|frame| draw(frame, &view)).unwrap();
        let buffer = terminal.backend().buffer();
        let cells: Vec<_> = buffer.content().iter().map(ratatui::buffer::Cell::symbol).collect();
        let lines = cells.chunks(usize::from(columns)).map(|row| row.concat());
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn everything_fits_at_every_size() {
        for (columns, rows) in [LEAST_SIZE, (80, 24), (132, 43), (220, 60)] {
            let screen = drawn(columns, rows);
            for expected in [
                "labelstream demo",
                "8 of 30 s",
                "sent",
                "dead letters",
                "records/s",
                "p99",
                "label_0",
                "learning what is normal",
                "I lost my card",
                "messages-labeled",
            ] {
                assert!(
                    screen.contains(expected),
                    "{expected:?} is not on the screen of {columns} x {rows}:\n{screen}"
                );
            }
        }
    }

    #[test]
    fn bars_and_cuts() {
        assert_eq!(bar(8, 8, 4), "████");
        assert_eq!(bar(4, 8, 4), "██");
        assert_eq!(bar(1, 16, 2), "▏");
        assert_eq!(bar(0, 1_000, 4), "▏");
        assert_eq!(cut("a long label", 7), "a long…");
        assert_eq!(cut("two\nlines", 20), "two lines");
    }
}
