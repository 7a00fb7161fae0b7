//! The engine without Kafka and without windows: how fast it answers, and how soon at a steady rate of single texts.

use std::error::Error;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use engine::error::LabelError;
use engine::{Client, News};
use hdrhistogram::Histogram;

/// Texts under way at once: about what the stream has with `batch.in_flight_max` at its default.
const UNDER_WAY: usize = 768;

/// Submits all texts, as many at a time as the stream has under way.
pub(crate) fn texts_per_second(client: &Client, texts: &[String]) -> Result<f64, Box<dyn Error>> {
    let (tell, told) = sync_channel(UNDER_WAY);
    let caller = client.caller(move |_, news| {
        if let News::Answered(reply) = news {
            tell.send(reply.map(drop)).ok(); // the bench has ended
        }
    });
    let started = Instant::now();
    let mut under_way = 0;
    for (text, place) in texts.iter().zip(0..) {
        if under_way == UNDER_WAY {
            told.recv()??;
            under_way -= 1;
        }
        under_way += 1 - caller.submit([(place, text.as_str())]).len();
    }
    for _ in 0..under_way {
        told.recv()??;
    }
    Ok(texts.len() as f64 / started.elapsed().as_secs_f64())
}

/// Microseconds from when a text was due to its answer, at a steady rate.
pub(crate) fn latency(
    client: &Client,
    texts: &[String],
    per_second: f64,
    seconds: u64,
) -> Result<Histogram<u64>, Box<dyn Error>> {
    let interval = Duration::from_secs_f64(1.0 / per_second);
    let count = usize::try_from(Duration::from_secs(seconds).as_nanos() / interval.as_nanos())?;
    let (tell, told) = sync_channel::<(u64, Result<Instant, LabelError>)>(count);
    let caller = client.caller(move |place, news| {
        if let News::Answered(reply) = news {
            tell.send((place, reply.map(|_| Instant::now()))).ok(); // the bench has ended
        }
    });
    let started = Instant::now();
    let due = |place: u64| started + Duration::from_secs_f64(place as f64 / per_second);
    let mut latencies = Histogram::new(3)?;
    let mut known = 0;
    for (text, place) in texts.iter().cycle().take(count).zip(0..) {
        thread::sleep(due(place).saturating_duration_since(Instant::now()));
        for (place, reply) in caller.submit([(place, text.as_str())]) {
            reply?.ok();
            known += 1;
            latencies.record(micros(due(place), Instant::now()))?;
        }
    }
    for _ in known..count {
        let (place, answered) = told.recv()?;
        latencies.record(micros(due(place), answered?))?;
    }
    Ok(latencies)
}

fn micros(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.saturating_duration_since(from).as_micros()).unwrap_or(u64::MAX)
}
