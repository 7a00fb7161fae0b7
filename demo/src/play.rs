//! One run of the demo: sender, worker and readers are started, watched, and ended in the right order.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use classifier::pipeline::Progress;
use tokio_util::sync::CancellationToken;
use workers::classify::Worker;
use workers::error::WorkerError;
use workers::model_source;

use crate::drift::DriftAct;
use crate::error::DemoError;
use crate::event::Event;
use crate::kafka::Kafka;
use crate::lines::Lines;
use crate::log::Log;
use crate::messages::Messages;
use crate::options::Options;
use crate::pace::Pace;
use crate::reader::{OutputTopic, Reader};
use crate::record::Records;
use crate::say::say;
use crate::sender::{Sender, SharedPace};
use crate::show::{self, Display, Show, Shown, Switches};
use crate::terminal::Terminal;
use crate::view::Facts;

/// How long messages are sent when neither time nor number is asked for.
const SECONDS: u64 = 30;
/// Every demo sends the same messages in the same order.
const SEED: u64 = 2026;
/// A worker that is not in its group by then never will be.
const JOINED_WITHIN: Duration = Duration::from_secs(60);
/// Between two looks whether it is.
const LOOK: Duration = Duration::from_millis(10);
/// Words that wait between a thread and the loop: some seconds of them, then the thread waits.
const EVENTS_MAX: usize = 4096;

/// How the run ended.
pub(crate) struct Played {
    pub(crate) shown: Shown,
    /// Labels and dead letters that the pipeline itself says it committed.
    pub(crate) committed: u64,
}

/// Runs sender, worker and readers until every record is accounted for.
///
/// # Errors
/// When one of them fails; the worker's own error comes first, for the others follow from it.
pub(crate) fn play(options: &Options, kafka: &Kafka, stop: &CancellationToken, log: &Log) -> Result<Played, DemoError> {
    let records = Records::new(Messages::new(SEED)?, SEED);
    let worker = load_worker(kafka, stop)?;
    let progress = Arc::new(Progress::default());
    let facts = facts(options, kafka, &worker);
    let switches = Switches { sending: stop.child_token(), ..Switches::default() };
    let pace = Pace::new(options.rate.map(f64::from));
    let shared_pace = SharedPace::new(pace.records_per_second());
    let (to_show, events) = sync_channel(EVENTS_MAX);

    let drift = DriftAct::start(&kafka.config, &switches.watching, &to_show)?;
    let pipeline = start_worker(worker, &progress, &switches, &to_show)?;
    let mut clients = start_readers(kafka, &switches, &to_show)?;
    let readers = clients.len();
    let sender = Sender {
        connection: kafka.config.connection().clone(),
        topic: kafka.topics.input.clone(),
        records,
        records_max: options.records,
        pace: shared_pace.clone(),
        events: to_show,
        flowing: switches.flowing.clone(),
        changed: switches.changed.clone(),
        stop: switches.sending.clone(),
    };
    clients.push(sender.start()?);
    let display = open_display(log)?;
    let parts = show::Parts { facts, display, events, switches: switches.clone(), pace, shared_pace, readers };
    let shown = Show::new(parts).run();
    log.release().map_err(DemoError::Stderr)?;

    switches.end_all();
    for client in clients {
        client.join().map_err(|_| DemoError::ClientPanicked)?; // before the broker goes
    }
    pipeline.join().map_err(|_| DemoError::WorkerPanicked)??;
    drift.join()?;
    Ok(Played { shown: shown?, committed: progress.labeled() + progress.dead_letters() })
}

fn load_worker(kafka: &Kafka, stop: &CancellationToken) -> Result<Worker, DemoError> {
    say("Loading the model and trying it on its golden texts.\n")?;
    let began = Instant::now();
    let model = engine::load::load(&model_source::model(&kafka.config, stop)?).map_err(WorkerError::Model)?;
    let took = began.elapsed().as_secs_f64();
    let worker = Worker::connect(&kafka.config, model, false)?;
    await_membership(&worker)?;
    let model = worker.model();
    say(&format!("Model {} {} is ready after {took:.1} s. Customers start to write.\n", model.name, model.version))?;
    Ok(worker)
}

/// The clock of the first messages is not to count how long a group takes to form.
fn await_membership(worker: &Worker) -> Result<(), DemoError> {
    let is_member = worker.membership();
    let deadline = Instant::now() + JOINED_WITHIN;
    while !is_member() {
        if Instant::now() >= deadline {
            return Err(DemoError::NotJoined);
        }
        thread::sleep(LOOK);
    }
    Ok(())
}

fn facts(options: &Options, kafka: &Kafka, worker: &Worker) -> Facts {
    let seconds = options.seconds.or(options.records.is_none().then_some(SECONDS));
    let model = worker.model();
    Facts {
        model: format!("{} {}", model.name, model.version),
        brokers: kafka.name().to_owned(),
        topics: kafka.topics.clone(),
        seconds: seconds.map(Duration::from_secs),
        records: options.records,
    }
}

fn start_worker(
    mut worker: Worker,
    progress: &Arc<Progress>,
    switches: &Switches,
    to_show: &SyncSender<Event>,
) -> Result<JoinHandle<Result<(), WorkerError>>, DemoError> {
    let (stop, ends) = (switches.pipeline.clone(), TellsItsEnd(to_show.clone()));
    let progress = Arc::clone(progress);
    let run = move || {
        let _ends = ends;
        worker.run(&progress, &stop)
    };
    thread::Builder::new().name("demo-worker".to_owned()).spawn(run).map_err(DemoError::Thread)
}

/// Tells the show that the worker has ended, by error and by panic too.
struct TellsItsEnd(SyncSender<Event>);

impl Drop for TellsItsEnd {
    fn drop(&mut self) {
        self.0.send(Event::PipelineEnded).ok(); // nobody listens when the show is already over
    }
}

/// Starts a reader for each output topic.
fn start_readers(
    kafka: &Kafka,
    switches: &Switches,
    to_show: &SyncSender<Event>,
) -> Result<Vec<JoinHandle<()>>, DemoError> {
    let topics =
        [(&kafka.topics.output, OutputTopic::LabeledEvents), (&kafka.topics.dead_letter, OutputTopic::DeadLetters)];
    let start = |(topic, kind): (&String, OutputTopic)| {
        let (connection, topic, events) = (kafka.config.connection().clone(), topic.clone(), to_show.clone());
        Reader { connection, topic, kind, events, finish: switches.reading.clone() }.start()
    };
    topics.into_iter().map(start).collect()
}

/// The screen on a terminal that is large enough, else plain lines.
fn open_display(log: &Log) -> Result<Display, DemoError> {
    if !io::stdout().is_terminal() {
        return Ok(Display::Lines(Lines::default()));
    }
    let terminal = Terminal::open().map_err(DemoError::Screen)?;
    Ok(terminal.map_or_else(
        || Display::Lines(Lines::default()),
        |terminal| {
            log.hold();
            Display::Screen(terminal)
        },
    ))
}
