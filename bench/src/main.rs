//! The first figures of labelstream, each beside a bare loop in the same run: `make bench`.
//!
//! Kafka to Kafka, exactly once, through the release binary; the bare loop labels the same texts with the same batching
//! and no Kafka. Rounds are interleaved, because other work on a machine comes and goes; ratios are what counts.

mod alone;
mod bare;
mod machine;
mod null;
mod stream;

use std::error::Error;
use std::path::PathBuf;

use clap::Parser;
use tests::broker::{self, TestBroker};
use tests::dataset;

use crate::bare::Bare;
use crate::stream::Stage;

#[derive(Debug, Parser)]
struct Arguments {
    /// Model package
    #[arg(long, default_value = "models/banking77-minilm")]
    model: PathBuf,
    /// Texts of throughput_mix
    #[arg(long, default_value_t = 5000)]
    texts: usize,
    /// Interleaved rounds of the bare loop and the stream; 0 with --rate measures latency only
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of the latency runs
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Texts a second of the latency runs, to compare two builds; half of the measured rate when not set
    #[arg(long)]
    rate: Option<f64>,
    /// Sessions of one thread each; 0 takes one per core
    #[arg(long, default_value_t = 0)]
    sessions: usize,
    /// Only the null model: the stream with a model that costs nothing, beside a plain consume and produce loop
    #[arg(long)]
    null_model: bool,
    /// Records of each round with the null model; 0 leaves it out
    #[arg(long, default_value_t = 100_000)]
    null_records: usize,
    /// Any further setting of the stream, such as sink.guarantee=at_least_once
    #[arg(long)]
    set: Vec<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let texts =
        dataset::texts("throughput_mix/stream.jsonl.gz").ok_or("../shared/datasets/throughput_mix is not here")?;
    let texts: Vec<String> = texts.take(arguments.texts).collect();
    println!("{}; {} texts of throughput_mix", machine::describe(), texts.len());
    let brokers = broker::all();
    if !arguments.null_model {
        let bare = Bare::load(&arguments.model, arguments.sessions)?;
        brokers.iter().try_for_each(|broker| with_the_model(broker, &bare, &texts, &arguments))?;
    }
    if arguments.null_records > 0 {
        let Arguments { null_records: records, rounds, sessions, ref set, .. } = arguments;
        let choices = null::Choices { records, rounds, sessions, set };
        brokers.iter().try_for_each(|broker| null::compare(broker, &texts, choices))?;
    }
    Ok(())
}

/// Throughput beside the bare loop, then latency at half of it.
fn with_the_model(
    broker: &TestBroker,
    bare: &Bare,
    texts: &[String],
    arguments: &Arguments,
) -> Result<(), Box<dyn Error>> {
    println!("\n{:?}", broker.kind);
    let mut rates = Vec::new();
    for round in 1..=arguments.rounds {
        let steal = machine::Steal::now();
        let bare_loop = bare.texts_per_second(texts)?;
        let engine = alone::texts_per_second(bare.client(), texts)?;
        let stage = Stage::new(&broker.address, &arguments.model, arguments.sessions, &arguments.set);
        let mut worker = stage.worker();
        let streamed = stage.texts_per_second(texts);
        println!(
            "round {round}: bare loop {bare_loop:.1} texts/s, engine without windows {engine:.1}, stream {streamed:.1} texts/s, ratio {:.3}; steal {:.1} %",
            streamed / bare_loop,
            steal.percent_since()
        );
        println!("         commit {}, resident {}", stage.commit_times(), machine::resident(worker.id()));
        worker.signal("TERM");
        worker.await_success(stream::PATIENCE);
        rates.push(streamed);
    }
    rates.sort_by(f64::total_cmp);
    let median = rates.get(rates.len() / 2).map(|rate| rate / 2.0);
    let half = arguments.rate.or(median).ok_or("--rounds 0 needs --rate")?;
    let engine = alone::latency(bare.client(), texts, half, arguments.seconds)?;
    println!("engine without Kafka at {half:.0} texts/s: {}", shown(&engine));
    let stage = Stage::new(&broker.address, &arguments.model, arguments.sessions, &arguments.set);
    let _worker = stage.worker();
    let latency = stage.latency(texts, half, arguments.seconds);
    println!("latency at {half:.0} texts/s: {}; commit {}", shown(&latency), stage.commit_times());
    Ok(())
}

/// Microseconds as people read them.
fn shown(latency: &hdrhistogram::Histogram<u64>) -> String {
    let milliseconds = |microseconds: u64| microseconds as f64 / 1000.0;
    format!(
        "p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms over {} records",
        milliseconds(latency.value_at_quantile(0.5)),
        milliseconds(latency.value_at_quantile(0.99)),
        milliseconds(latency.max()),
        latency.len()
    )
}
