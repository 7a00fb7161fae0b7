//! Labelled events of a toy stream, hour by hour, as the drift commands read them: seeded, so that a test sees the same.

use std::fmt::Write;

/// An hour in milliseconds.
pub const HOUR_MS: i64 = 3_600_000;
/// 2026-05-01 00:00 UTC.
pub const START_MS: i64 = 1_777_593_600_000;
/// Events of an hour, evenly spread.
pub const EVENTS_PER_HOUR: i64 = 200;

/// How often each label comes, and what its texts say.
pub type Mix = [(&'static str, u32, &'static str); 5];

/// A stream of labelled events that grows hour by hour.
pub struct LabeledStream {
    state: u64,
    events: Vec<(i64, String)>,
}

impl LabeledStream {
    /// What comes on quiet days.
    pub const USUAL: Mix = [
        ("card_arrival", 10, "my new card has not arrived in the post"),
        ("pin", 40, "how do i change my pin code"),
        ("top_up", 25, "my top up failed again today"),
        ("refund", 25, "i want a refund for a purchase"),
        ("delivery", 0, "the courier lost my parcel"),
    ];
    /// One label triples, and a topic appears that was not there.
    pub const CHANGED: Mix = [
        ("card_arrival", 30, "my new card has not arrived in the post"),
        ("pin", 20, "how do i change my pin code"),
        ("top_up", 20, "my top up failed again today"),
        ("refund", 15, "i want a refund for a purchase"),
        ("delivery", 15, "the courier lost my parcel"),
    ];

    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed, events: Vec::new() }
    }

    /// Adds whole hours of a mix.
    #[must_use]
    pub fn hours(mut self, start_ms: i64, hours: i64, mix: &Mix) -> Self {
        for place in 0..hours * EVENTS_PER_HOUR {
            let time_ms = start_ms + place * (HOUR_MS / EVENTS_PER_HOUR);
            let event = self.event(time_ms, mix);
            self.events.push((time_ms, event));
        }
        self
    }

    /// Payloads with their event times, in order.
    #[must_use]
    pub fn events(&self) -> &[(i64, String)] {
        &self.events
    }

    /// JSON lines.
    #[must_use]
    pub fn lines(&self) -> String {
        self.events.iter().fold(String::new(), |mut lines, (_, event)| {
            lines.push_str(event);
            lines.push('\n');
            lines
        })
    }

    fn event(&mut self, time_ms: i64, mix: &Mix) -> String {
        let total: u32 = mix.iter().map(|(_, weight, _)| weight).sum();
        let mut drawn = u32::try_from(self.draw(u64::from(total))).expect("below the total");
        let (label, _, words) = mix
            .iter()
            .find(|(_, weight, _)| {
                let is_it = drawn < *weight;
                drawn = drawn.saturating_sub(*weight);
                is_it
            })
            .expect("the weights add up to the total");
        let score = 0.70 + self.draw(2500) as f64 / 10_000.0;
        let margin = score - 0.1;
        let entropy = self.draw(3000) as f64 / 10_000.0;
        let ending = ["please", "thanks", "hello", "now", "help"][usize::try_from(self.draw(5)).expect("below five")];
        let (characters, tokens) = (words.len() + 1 + ending.len(), words.split(' ').count() + 3);
        let offset = self.events.len();
        let mut event = String::new();
        write!(
            event,
            "{{\"text\":\"{words} {ending}\",\"label\":\"{label}\",\"score\":{score:.4},\"labels\":[{{\"label\":\
             \"{label}\",\"score\":{score:.4}}}],\"model\":{{\"name\":\"toy\",\"version\":\"1\",\"digest\":\"sha256:\
             {:064}\"}},\"signals\":{{\"characters\":{characters},\"n_tokens\":{tokens},\"truncated\":false,\
             \"unknown_rate\":0.0,\"entropy\":{entropy:.4},\"margin\":{margin:.4}}},\"source\":{{\"topic\":\"messages\",\
             \"partition\":0,\"offset\":{offset},\"event_time_ms\":{time_ms}}}}}",
            0
        )
        .expect("a String takes every text");
        event
    }

    /// The next number below `most`, by splitmix64 (Steele et al. 2014): portable, and good enough for mixes.
    fn draw(&mut self, most: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % most
    }
}
