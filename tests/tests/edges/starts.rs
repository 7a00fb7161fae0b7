//! Where reading begins: what the group committed against what the log still holds, `latest`, and partitions that appear
//! later. Nothing that exists is skipped, and what is gone is told.

use std::time::Duration;

use devbroker::{ApiKey, Fault, FaultKind};
use kafka::lease::Losses;
use kafka::range::{RangeEvent, TopicRange};
use kafka::settings::{OffsetReset, UntilEnd};
use kafka::source::Source;
use kafka::transactor::Published;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use schemas::RawEvent;
use tests::names::unique;
use tests::records::{self, Record};
use tests::{admin, broker};

use crate::events::batch;
use crate::harness::{Reader, Stage};

const PATIENCE: Duration = Duration::from_secs(30);
const BOTH: [OffsetReset; 2] = [OffsetReset::Earliest, OffsetReset::Latest];

fn offsets(events: &[RawEvent]) -> Vec<i64> {
    events.iter().map(|event| event.origin.offset).collect()
}

fn losses(reader: &Reader) -> Losses {
    reader.source.leases().losses()
}

/// Publishes the next `count` records as one batch.
fn publish(stage: &Stage, reader: &mut Reader, count: usize) {
    let mut publisher = stage.publisher("one");
    publisher.lease_from(reader);
    let (events, generation) = reader.take(count);
    assert_eq!(publisher.publish(batch(events, generation)).expect("published"), Published::Committed);
}

#[test]
fn records_deleted_before_they_were_read_are_counted_and_the_rest_is_read() {
    for broker in broker::all() {
        for offset_reset in BOTH {
            let mut stage = Stage::new(&broker, 1);
            stage.produce(20);
            publish(&stage, &mut stage.reader_unnamed(), 20);
            stage.offset_reset = offset_reset;
            stage.produce(10);
            let start = stage.committed(0).expect("a batch was published");
            assert_eq!(start, 20);
            admin::delete_records(&stage.address, &stage.input, 0, 25);
            let mut reader = stage.until_end_unnamed(UntilEnd::Committed);
            let (events, _) = reader.take(5);
            assert_eq!(offsets(&events), [25, 26, 27, 28, 29]);
            assert_eq!(losses(&reader), Losses { records: 5, begun_again: 0 });
            // It is told once, and what is gone is not gone again.
            reader.source.rewind().expect("the poll thread lives");
            assert_eq!(offsets(&reader.take(5).0), [25, 26, 27, 28, 29]);
            assert_eq!(losses(&reader).records, 5);
            let mut publisher = stage.publisher("one");
            publisher.lease_from(&reader);
            reader.source.rewind().expect("the poll thread lives");
            reader.work(&mut publisher, 5);
            drop(reader);
            stage.until_end_unnamed(UntilEnd::Committed).work(&mut publisher, 5);
            let labels = records::await_committed(&stage.address, &stage.output, 25, PATIENCE);
            assert_eq!(labels.len(), 25);
        }
    }
}

#[test]
fn an_input_of_which_everything_was_deleted_comes_to_its_end() {
    for broker in broker::all() {
        for offset_reset in BOTH {
            let mut stage = Stage::new(&broker, 1);
            stage.offset_reset = offset_reset;
            stage.produce(30);
            admin::commit(&stage.address, stage.group(), &stage.input, 0, 20);
            admin::delete_records(&stage.address, &stage.input, 0, 30);
            let mut reader = stage.until_end_unnamed(UntilEnd::Committed);
            assert!(reader.read_all().is_empty());
            assert_eq!(losses(&reader), Losses { records: 10, begun_again: 0 });
        }
    }
}

#[test]
fn a_worker_that_retention_overtakes_counts_exactly_what_it_did_not_read() {
    for broker in broker::all() {
        for offset_reset in BOTH {
            let mut stage = Stage::new(&broker, 1);
            stage.offset_reset = offset_reset;
            stage.queue_bytes_max = 1 << 16;
            stage.prefetch_bytes_max = 1 << 20;
            admin::commit(&stage.address, stage.group(), &stage.input, 0, 0);
            let large: Vec<_> = (0..100).map(|_| Record::of(vec![b'x'; 100_000])).collect();
            records::produce(&stage.address, &stage.input, &large);
            let mut reader = stage.reader_unnamed();
            let (first, generation) = reader.take(1);
            // It holds what it has fetched by now, a few of a hundred.
            std::thread::sleep(Duration::from_secs(1));
            admin::delete_records(&stage.address, &stage.input, 0, 90);
            let mut read = offsets(&first);
            while read.last() != Some(&99) {
                let (next, of) = reader.take(1);
                assert_eq!(of, generation, "what was fetched in time is not thrown away");
                read.extend(offsets(&next));
            }
            assert!(read.ends_with(&(90..100).collect::<Vec<_>>()), "what exists is read: {read:?}");
            assert!(read.windows(2).all(|pair| pair[0] < pair[1]), "{read:?}");
            let lost = 100 - u64::try_from(read.len()).expect("a hundred");
            assert!(lost > 0, "all was fetched in time, the test shows nothing");
            assert_eq!(losses(&reader), Losses { records: lost, begun_again: 0 });
        }
    }
}

#[test]
fn an_offset_beyond_the_end_begins_again_with_the_first_record() {
    for broker in broker::all() {
        for offset_reset in BOTH {
            let mut stage = Stage::new(&broker, 1);
            stage.offset_reset = offset_reset;
            stage.produce(30);
            admin::commit(&stage.address, stage.group(), &stage.input, 0, 35);
            let mut reader = stage.until_end_unnamed(UntilEnd::Committed);
            let (events, _) = reader.take(30);
            assert_eq!(offsets(&events), (0..30).collect::<Vec<_>>());
            assert_eq!(losses(&reader), Losses { records: 0, begun_again: 1 });
            drop(reader);
            // The log grows past the offset that means nothing: the next worker still begins where this one did.
            stage.produce(10);
            assert_eq!(stage.reader_unnamed().take(40).0.len(), 40);
        }
    }
}

/// Writes records in a transaction that stays open until the producer is dropped.
fn open_transaction(stage: &Stage, count: usize) -> BaseProducer {
    let producer: BaseProducer =
        records::client(&stage.address).set("transactional.id", unique("writer")).create().expect("a producer");
    producer.init_transactions(PATIENCE).expect("the broker answers");
    producer.begin_transaction().expect("none is open");
    for _ in 0..count {
        let record: BaseRecord<'_, (), str> = BaseRecord::to(&stage.input).payload("open").partition(0);
        producer.send(record).map_err(|(error, _)| error).expect("sent");
    }
    producer.flush(PATIENCE).expect("delivered");
    producer
}

#[test]
fn an_offset_that_an_open_transaction_hides_is_not_beyond_the_end() {
    for broker in broker::all() {
        let stage = Stage::new(&broker, 1);
        stage.produce(5);
        let open = open_transaction(&stage, 3);
        stage.produce(2);
        admin::commit(&stage.address, stage.group(), &stage.input, 0, 10);
        let mut reader = stage.reader_unnamed();
        assert!(reader.is_quiet(), "all of it is committed");
        reader.until(|reader| reader.source.leases().assigned().is_some());
        assert_eq!(losses(&reader), Losses::default());
        drop(open);
    }
}

#[test]
fn latest_is_one_moment_for_good_and_survives_a_worker_that_committed_nothing() {
    for broker in broker::all() {
        let mut stage = Stage::new(&broker, 2);
        stage.offset_reset = OffsetReset::Latest;
        stage.produce(10);
        let mut first = stage.reader_unnamed();
        first.until(|reader| reader.source.leases().assigned().is_some());
        assert_eq!((stage.committed(0), stage.committed(1)), (Some(5), Some(5)));
        stage.produce(4);
        let (events, _) = first.take(4);
        assert_eq!(sorted(&events), [5, 5, 6, 6]);
        drop(first);
        stage.produce(2);
        let (events, _) = stage.reader_unnamed().take(6);
        assert_eq!(sorted(&events), [5, 5, 6, 6, 7, 7], "nothing that came since the first start is skipped");
        assert_eq!(losses(&stage.reader_unnamed()), Losses::default());
    }
}

fn sorted(events: &[RawEvent]) -> Vec<i64> {
    let mut found = offsets(events);
    found.sort_unstable();
    found
}

#[test]
fn workers_that_start_together_at_latest_read_nothing_old_and_everything_new() {
    for broker in broker::all() {
        let mut stage = Stage::new(&broker, 4);
        stage.offset_reset = OffsetReset::Latest;
        stage.produce(40);
        let (mut one, mut two) = (stage.reader_unnamed(), stage.reader_unnamed());
        let count = |reader: &Reader| reader.source.leases().assigned().map_or(0, |assigned| assigned.partitions.len());
        one.until(|one| count(one) == 2 && count(&two) == 2);
        stage.produce(8);
        let (mut events, _) = one.take(4);
        events.extend(two.take(4).0);
        assert_eq!(sorted(&events), [10, 10, 10, 10, 11, 11, 11, 11]);
        assert!(one.is_quiet() && two.is_quiet());
    }
}

#[test]
fn a_partition_that_appears_while_a_worker_runs_is_noticed_and_read_from_its_first_record() {
    for broker in broker::all() {
        for offset_reset in BOTH {
            let mut stage = Stage::new(&broker, 1);
            stage.offset_reset = offset_reset;
            let mut reader = stage.reader_unnamed();
            reader.until(|reader| reader.source.leases().assigned().is_some());
            admin::add_partitions(&stage.address, &stage.input, 2);
            records::produce(&stage.address, &stage.input, &[Record { partition: Some(1), ..Record::of("early") }]);
            // Well within librdkafka's own five minutes: the stage asks every half second.
            let (events, _) = reader.take(1);
            assert_eq!((events[0].origin.partition, events[0].origin.offset), (1, 0));
        }
    }
}

#[test]
fn a_partition_that_appears_while_nobody_reads_is_read_from_its_first_record() {
    for broker in broker::all() {
        for offset_reset in BOTH {
            let mut stage = Stage::new(&broker, 1);
            stage.offset_reset = offset_reset;
            stage.produce(3);
            stage.reader_unnamed().until(|reader| reader.source.leases().assigned().is_some());
            admin::add_partitions(&stage.address, &stage.input, 2);
            records::produce(&stage.address, &stage.input, &[Record { partition: Some(1), ..Record::of("early") }]);
            let (events, _) = stage.reader_unnamed().take(if offset_reset == OffsetReset::Earliest { 4 } else { 1 });
            assert!(events.iter().any(|event| (event.origin.partition, event.origin.offset) == (1, 0)));
        }
    }
}

#[test]
fn a_reader_that_commits_nothing_leaves_no_trace_in_its_group() {
    for broker in broker::all() {
        let stage = Stage::new(&broker, 1);
        stage.produce(3);
        assert_eq!(stage.until_end_unnamed(UntilEnd::Delivered).read_all().len(), 3);
        assert_eq!(stage.committed(0), None);
    }
}

#[test]
fn a_range_of_which_records_are_deleted_while_it_is_read_is_refused() {
    let broker = broker::devbroker();
    let stage = Stage::new(&broker, 1);
    stage.produce(10);
    let devbroker = broker.devbroker.as_ref().expect("a devbroker");
    // The first fetch is taken up after the ends are known, and after the records are gone.
    devbroker.inject(Fault { api: ApiKey::Fetch, nth: 1, kind: FaultKind::Hold });
    let mut range =
        TopicRange::open(&stage.connection(), std::slice::from_ref(&stage.input), None, PATIENCE).expect("it opens");
    admin::delete_records(&stage.address, &stage.input, 0, 7);
    devbroker.release();
    let error = loop {
        match range.next_event() {
            Ok(Some(RangeEvent::Waiting)) => {}
            Ok(other) => panic!("expected an error, found {other:?}"),
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains(&stage.input) && error.contains("were deleted"), "{error}");
}
