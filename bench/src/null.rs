//! What the pipeline itself costs: labelstream with a model that costs nothing, beside a plain loop of librdkafka that
//! consumes and produces the same records, in transactions of the same size.
//!
//! Both find all records on the broker and their groups new; the rate is that between their first commit and their last,
//! so neither joining a group nor writing the records counts.

mod model;
mod plain;
mod span;

use std::error::Error;
use std::thread;
use std::time::Duration;

use classifier::pipeline::Progress;
use service::settings::Layers;
use tests::broker::TestBroker;
use tests::names::unique;
use tests::records::{Record, create_topics, produce};
use tokio_util::sync::CancellationToken;
use workers::classify::Worker;
use workers::settings::{self, uses};

use self::span::Span;
use crate::machine::Steal;
use crate::stream::PARTITIONS;

/// Between two looks at what is committed.
const LOOK: Duration = Duration::from_micros(500);
/// Records written at once.
const CHUNK: usize = 10_000;

/// What is compared.
#[derive(Clone, Copy)]
pub(crate) struct Choices<'a> {
    pub(crate) records: usize,
    pub(crate) rounds: usize,
    pub(crate) sessions: usize,
    /// Further settings of the stream.
    pub(crate) set: &'a [String],
}

/// Prints both rates of each round, and their ratio.
pub(crate) fn compare(broker: &TestBroker, texts: &[String], choices: Choices<'_>) -> Result<(), Box<dyn Error>> {
    println!("\n{:?}, null model, {} records a round", broker.kind, choices.records);
    let backlog = Backlog::write(&broker.address, texts, choices.records);
    let mut ratios = Vec::new();
    for round in 1..=choices.rounds {
        let steal = Steal::now();
        let Rates { stream, plain, per_transaction } = backlog.round(choices)?;
        println!(
            "round {round}: plain consume and produce {plain:.0} records/s, stream {stream:.0} records/s, {per_transaction} a transaction, ratio {:.3}; steal {:.1} %",
            stream / plain,
            steal.percent_since()
        );
        ratios.push(stream / plain);
    }
    ratios.sort_by(f64::total_cmp);
    if let Some(median) = ratios.get(ratios.len() / 2) {
        println!("median ratio {median:.3}");
    }
    Ok(())
}

/// Records on a broker, for every round.
struct Backlog {
    address: String,
    input: String,
    records: usize,
}

/// Records a second of one round, and the records of a transaction.
struct Rates {
    stream: f64,
    plain: f64,
    per_transaction: usize,
}

impl Backlog {
    fn write(address: &str, texts: &[String], records: usize) -> Self {
        let input = unique("bench-null-in");
        create_topics(address, &[&input], PARTITIONS);
        let all: Vec<Record> = texts.iter().cycle().take(records).zip(0..).map(|(text, n)| record(text, n)).collect();
        all.chunks(CHUNK).for_each(|chunk| produce(address, &input, chunk));
        Self { address: address.into(), input, records }
    }

    /// One round: the stream, then the plain loop with as many records per transaction as the stream had.
    fn round(&self, Choices { sessions, set, .. }: Choices<'_>) -> Result<Rates, Box<dyn Error>> {
        let (stream, transactions) = self.stream(sessions, set)?;
        let per_transaction = self.records.div_ceil(transactions.max(1));
        let plain = plain::records_per_second(&self.address, &self.input, self.records, per_transaction)?;
        Ok(Rates { stream, plain, per_transaction })
    }

    fn stream(&self, sessions: usize, set: &[String]) -> Result<(f64, usize), Box<dyn Error>> {
        let (output, dead_letters) = (unique("bench-null-out"), unique("bench-null-dead"));
        create_topics(&self.address, &[&output, &dead_letters], PARTITIONS);
        let mut sets = vec![
            format!("kafka.brokers={}", self.address),
            format!("source.topics={}", self.input),
            format!("source.group={}", unique("bench-null")),
            "source.instance=bench".to_owned(),
            format!("sink.output_topic={output}"),
            format!("sink.dead_letter_topic={dead_letters}"),
        ];
        sets.extend_from_slice(set);
        let config = settings::load(&Layers { sets, ..Layers::default() }, uses::CLASSIFY)?.config;
        let mut worker = Worker::connect(&config, model::client(sessions)?, false)?;
        let (progress, stop) = (Progress::default(), CancellationToken::new());
        thread::scope(|scope| {
            let run = scope.spawn(|| worker.run(&progress, &stop).map_err(|error| error.to_string()));
            let mut span = Span::new();
            let rate = loop {
                let committed = usize::try_from(progress.labeled() + progress.dead_letters())?;
                if let Some(rate) = span.committed(committed, self.records) {
                    break rate;
                }
                if run.is_finished() {
                    break 0.0; // its error is told below
                }
                thread::sleep(LOOK);
            };
            stop.cancel();
            run.join().map_err(|_| "the stream panicked")??;
            Ok((rate, usize::try_from(progress.batches())?))
        })
    }
}

fn record(text: &str, number: usize) -> Record {
    let payload = serde_json::json!({ "text": text }).to_string();
    let partition = i32::try_from(number).ok().map(|number| number % PARTITIONS);
    Record { partition, ..Record::of(payload) }.keyed(number.to_be_bytes())
}
