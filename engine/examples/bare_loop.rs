//! The ceiling: how fast this machine labels texts when nothing but the model is in the way.
//!
//! Reads JSON lines with a `text` member from stdin and labels them in windows, without Kafka:
//! `zcat stream.jsonl.gz | head -5000 | cargo run --release --example bare_loop -- models/banking77-minilm`
//! Optional arguments: sessions, tokens per run, texts per window, cache entries.

use std::error::Error;
use std::io::{self, BufRead};
use std::time::{Duration, Instant};

use engine::load;
use engine::settings::{Config, Settings};

#[derive(serde::Deserialize)]
struct Line {
    text: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let package =
        arguments.next().ok_or("usage: bare_loop PACKAGE [SESSIONS [TOKENS [WINDOW [CACHE]]]] <texts.jsonl")?;
    let mut number = |default: usize| arguments.next().map_or(Ok(default), |argument| argument.parse());
    let (sessions, tokens_per_run, window, cache_entries) = (number(0)?, number(512)?, number(256)?, number(0)?);
    let texts = io::stdin()
        .lock()
        .lines()
        .map(|line| Ok(serde_json::from_str::<Line>(&line?)?.text))
        .collect::<Result<Vec<String>, Box<dyn Error>>>()?;

    let settings = Settings { sessions, tokens_per_run, cache_entries, ..Settings::of_package(package.into()) };
    let config = Config::try_from(settings).map_err(|problems| format!("{problems:?}"))?;
    let begun = Instant::now();
    let mut labeler = load::load(&config)?;
    println!("loaded in {:.2} s; resident {}", begun.elapsed().as_secs_f64(), resident());

    let begun = Instant::now();
    let mut slowest = Duration::ZERO;
    for window in texts.chunks(window) {
        let window: Vec<&str> = window.iter().map(String::as_str).collect();
        let each = Instant::now();
        labeler.predict(&window)?;
        slowest = slowest.max(each.elapsed());
    }
    let total = begun.elapsed();
    let spent = labeler.spent();
    let other = total.saturating_sub(spent.tokenise + spent.inference);
    let per_text = |time: Duration| time.as_secs_f64() * 1e6 / texts.len() as f64;
    println!(
        "{} texts in {:.2} s: {:.1} texts/s",
        texts.len(),
        total.as_secs_f64(),
        texts.len() as f64 / total.as_secs_f64()
    );
    println!(
        "per text: tokenise {:.1} us, inference {:.1} us, other {:.1} us",
        per_text(spent.tokenise),
        per_text(spent.inference),
        per_text(other)
    );
    println!(
        "tokens {}, padding {:.1} %; slowest window {} ms; resident {}",
        spent.real_tokens,
        100.0 * (1.0 - spent.real_tokens as f64 / spent.padded_tokens.max(1) as f64),
        slowest.as_millis(),
        resident()
    );
    Ok(())
}

/// Resident memory now and at its peak, from `/proc`; nothing elsewhere.
fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_whitespace().nth(1)).and_then(|kib| kib.parse::<u64>().ok())
    };
    match (line("VmRSS:"), line("VmHWM:")) {
        (Some(now), Some(peak)) => format!("{} MB (peak {} MB)", now / 1024, peak / 1024),
        _ => "unknown".to_owned(),
    }
}
