//! The label stage: records in, texts to the engine, answers back into the order of their partitions, batches out.
//!
//! It waits for three things at once: records from the reader, answers from the engine, and a publisher that is free. A
//! free publisher gets all that may leave as one batch. The reader may hand over while there is room under way, so
//! several batches are: one is published, others are labelled. Here records leave their batch; [`Order`] counts them, and
//! [`Batch`] does again when they leave.
//!
//! What is answered is encoded at once, while the publisher is in the middle of a transaction. Encoded records count to
//! the bytes under way.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use engine::error::LabelError;
use engine::{Answer, Caller, Client, News};
use formats::Decoder;
use schemas::{Aside, Batch, Generation, Origin, RawEvent, TextEvent};
use service::stages::{Pulse, Work, Working};
use sink::labels::{Encoder, LabelRecord};
use tokio::sync::{Semaphore, mpsc};

use super::limits::Limits;
use super::order::{Order, Released};
use super::{PipelineError, metrics, unusual_times};
use crate::labeled::labeled;

/// Answers that are handled before the stage looks for other work.
const ANSWERS_AT_ONCE: usize = 256;

type Reply = (u64, Result<Answer, LabelError>);

/// What turns records into texts, texts into labels, and labels into the records that leave.
#[derive(Clone, Copy)]
pub(super) struct Tools<'a> {
    pub(super) decoder: &'a Decoder,
    pub(super) model: &'a Client,
    pub(super) encoder: &'a Encoder,
}

/// How the stage meets its neighbours.
pub(super) struct Desk<'a> {
    pub(super) raw: mpsc::Receiver<Batch<RawEvent>>,
    pub(super) to_publisher: mpsc::Sender<Batch<LabelRecord>>,
    /// A permit each time that the reader may hand over.
    pub(super) has_room: &'a Semaphore,
    /// A permit each time that the publisher falls free.
    pub(super) publisher_free: &'a Semaphore,
    pub(super) pulse: &'a Pulse,
}

/// Labels until the reader has ended and everything under way is with the publisher, or the publisher has ended.
///
/// # Errors
/// When the model, not a text, is to blame.
pub(super) async fn label(tools: Tools<'_>, limits: Limits, mut desk: Desk<'_>) -> Result<(), PipelineError> {
    let (answer, mut answers) = mpsc::channel(limits.records_under_way());
    let mut stage = Stage::new(tools, desk.pulse, answer);
    let (mut is_open, mut is_asked, mut publisher_is_free, mut publishing) =
        (true, false, false, Publishing::default());
    let mut replies = Vec::with_capacity(ANSWERS_AT_ONCE);
    while is_open || stage.order.len() > 0 {
        if is_open && !is_asked && stage.has_room(limits, publishing) {
            desk.has_room.add_permits(1);
            is_asked = true;
        }
        tokio::select! {
            biased;
            () = desk.to_publisher.closed() => return Ok(()), // the publisher ended; its own result says why
            free = desk.publisher_free.acquire(), if !publisher_is_free => {
                free.expect("the semaphore is never closed").forget();
                (publisher_is_free, publishing) = (true, Publishing::default());
            }
            _ = answers.recv_many(&mut replies, ANSWERS_AT_ONCE) => stage.answered(replies.drain(..))?,
            batch = desk.raw.recv(), if is_open => match batch {
                Some(batch) => {
                    is_asked = false;
                    stage.begin(batch)?;
                }
                None => is_open = false,
            },
        }
        if publisher_is_free {
            let before = Publishing { records: stage.order.len(), bytes: stage.order.bytes() };
            if let Some(batch) = stage.release() {
                publishing = before.without(stage.order.len(), stage.order.bytes());
                publisher_is_free = false;
                if desk.to_publisher.send(batch).await.is_err() {
                    return Ok(());
                }
            }
        }
        stage.tell_the_watchdog();
    }
    Ok(())
}

/// What the publisher has in its hands.
#[derive(Clone, Copy, Default)]
struct Publishing {
    records: usize,
    bytes: usize,
}

impl Publishing {
    fn without(self, records: usize, bytes: usize) -> Self {
        Self { records: self.records - records, bytes: self.bytes - bytes }
    }
}

struct Stage<'a> {
    tools: Tools<'a>,
    answer: mpsc::Sender<Reply>,
    /// Asks for the texts of this generation; those of an older one are cancelled.
    caller: Caller,
    generation: Generation,
    order: Order<Result<LabelRecord, Aside>>,
    /// Events whose text the engine has, by their number in `order`.
    texts: HashMap<u64, TextEvent>,
    pulse: &'a Pulse,
    /// The record that has to go on: the oldest without an answer.
    watched: Arc<AtomicU64>,
    working: Option<Working<'a>>,
}

impl<'a> Stage<'a> {
    fn new(tools: Tools<'a>, pulse: &'a Pulse, answer: mpsc::Sender<Reply>) -> Self {
        let watched = Arc::new(AtomicU64::new(u64::MAX));
        Self {
            caller: caller(tools.model, &answer, pulse, &watched),
            tools,
            answer,
            generation: Generation::default(),
            order: Order::new(),
            texts: HashMap::new(),
            pulse,
            watched,
            working: None,
        }
    }

    /// A whole further batch has room.
    fn has_room(&self, limits: Limits, publishing: Publishing) -> bool {
        let others = limits.in_flight_max.get() - 1;
        let (records, bytes) = (self.order.len() + publishing.records, self.order.bytes() + publishing.bytes);
        records <= others * limits.batch.records_max.get() && bytes <= others * limits.batch.bytes_max.get()
    }

    /// Decodes records and asks for their texts. What is under way of an older generation is void: it is read again.
    fn begin(&mut self, batch: Batch<RawEvent>) -> Result<(), PipelineError> {
        let (records, ticket) = batch.into_records();
        let generation = ticket.generation();
        if generation < self.generation {
            metrics::stale(records.len());
            return Ok(());
        }
        if generation > self.generation {
            metrics::stale(self.order.clear());
            self.texts.clear();
            self.caller = caller(self.tools.model, &self.answer, self.pulse, &self.watched);
            self.generation = generation;
        }
        self.order.cover(&ticket);
        if records.is_empty() {
            return Ok(()); // the ends of drained partitions alone
        }
        let started = Instant::now();
        let first = records.first().map(|record| record.origin.clone());
        let pulse = self.pulse;
        let work = Work { task: "decode records", records: records.len(), first };
        let _decodes = self.working.is_none().then(|| pulse.work(work));
        let (mut numbers, mut texts) = (Vec::new(), Vec::new());
        for record in records {
            let number = self.order.begin(record.origin.clone(), record.held_bytes(), started);
            match self.tools.decoder.decode(record) {
                Ok(event) => {
                    numbers.push(number);
                    texts.push(event);
                }
                Err(aside) => self.order.finish(number, Err(aside), 0),
            }
        }
        unusual_times::watch(self.tools.decoder, &texts);
        metrics::decoded(started.elapsed());
        let known = self.caller.submit(numbers.iter().copied().zip(texts.iter().map(|event| event.text.as_str())));
        self.texts.extend(numbers.into_iter().zip(texts));
        self.answered(known.into_iter())
    }

    fn answered(&mut self, replies: impl Iterator<Item = Reply>) -> Result<(), PipelineError> {
        for (number, reply) in replies {
            // Without an event it is of an older generation.
            if let Some(event) = self.texts.remove(&number) {
                let (outcome, bytes) = match labeled(event, reply?, self.tools.model.model()) {
                    Ok(labeled) => {
                        let encoded = self.tools.encoder.encode(labeled)?;
                        let bytes = encoded.record.held_bytes();
                        (Ok(encoded), bytes)
                    }
                    Err(letter) => (Err(Aside::DeadLetter(letter)), 0),
                };
                self.order.finish(number, outcome, bytes);
            }
        }
        Ok(())
    }

    /// All that may leave now.
    fn release(&mut self) -> Option<Batch<LabelRecord>> {
        let Released { done, begun, ends } = self.order.release()?;
        if let Some(begun) = begun {
            metrics::released(done.len(), begun.elapsed());
        }
        Some(Batch::of(done, self.generation, origin).covering(ends).sift(|outcome| outcome))
    }

    /// Says which record the stage works on: it goes on while the engine comes back with that one, whatever other texts
    /// are answered meanwhile.
    fn tell_the_watchdog(&mut self) {
        let oldest = self.order.oldest_unfinished();
        let number = oldest.map_or(u64::MAX, |(number, _)| number);
        if self.watched.swap(number, Ordering::Relaxed) != number {
            drop(self.working.take());
            let work = |first: &Origin| Work {
                task: "label records",
                records: self.order.unfinished(),
                first: Some(first.clone()),
            };
            self.working = oldest.map(|(_, first)| self.pulse.work(work(first)));
        }
    }
}

/// Hands answers on as they come. The channel has room for all that may be under way, so the engine hardly ever waits.
fn caller(model: &Client, answer: &mpsc::Sender<Reply>, pulse: &Pulse, watched: &Arc<AtomicU64>) -> Caller {
    let (answer, pulse, watched) = (answer.clone(), pulse.clone(), Arc::clone(watched));
    model.caller(move |number, news| match news {
        News::GoesOn if watched.load(Ordering::Relaxed) == number => pulse.beat(),
        News::GoesOn => {}
        News::Answered(reply) => {
            answer.blocking_send((number, reply)).ok(); // this run of the pipeline has ended
        }
    })
}

fn origin(outcome: &Result<LabelRecord, Aside>) -> &Origin {
    match outcome {
        Ok(labeled) => &labeled.raw.origin,
        Err(aside) => &aside.raw().origin,
    }
}
