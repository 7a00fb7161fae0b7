//! What a source tells beside its records: which partitions are its own, how far they are read, and that their end is
//! reached.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka::lease::PartitionProgress;
use kafka::settings::UntilEnd;
use kafka::source::SourceEvent;
use tests::broker;
use tests::records::{self, Record};

use crate::harness::{Reader, Stage};

const PATIENCE: Duration = Duration::from_secs(30);

/// Reads on until the source says that the end is reached.
fn await_end(reader: &mut Reader) {
    let deadline = Instant::now() + PATIENCE;
    while !matches!(reader.next().expect("the source goes on"), SourceEvent::End) {
        assert!(Instant::now() < deadline, "no end was told");
    }
}

#[test]
fn a_source_tells_its_partitions_and_which_are_read_to_their_ends() {
    for broker in broker::all() {
        let stage = Stage::new(&broker, 2);
        stage.produce(4);
        let mut reader = stage.telling_ends("one");
        let (_, generation) = reader.take(4);
        let leases = reader.source.leases();
        let topic: Arc<str> = Arc::from(stage.input.as_str());
        let progress = |partition| {
            let assigned = leases.assigned().expect("records were handed out");
            assert_eq!(assigned.generation, generation);
            assert_eq!(assigned.partitions.len(), 2);
            assigned.partitions[&(Arc::clone(&topic), partition)]
        };
        let at_end = |read_to| PartitionProgress { read_to: Some(read_to), is_at_end: true };
        reader.until(|_| progress(0) == at_end(2) && progress(1) == at_end(2));
        records::produce(&stage.address, &stage.input, &[Record { partition: Some(1), ..Record::of("one more") }]);
        reader.take(1);
        reader.until(|_| progress(1) == at_end(3));
        assert_eq!(progress(0), at_end(2));
    }
}

/// A worker that has reached its end and stays in the group may be given other partitions: it must read those, too.
#[test]
fn the_end_is_told_again_when_partitions_move() {
    for broker in broker::all() {
        let stage = Stage::new(&broker, 2);
        stage.produce(4);
        let mut first = stage.until_end_unnamed(UntilEnd::Delivered);
        first.take(4);
        await_end(&mut first);
        let before = first.source.generation();
        let second = stage.reader_unnamed();
        first.until(|reader| reader.source.leases().generation() != before);
        drop(second);
        // Nothing was committed: all of it is read again, and then the end is told once more. Until the second has left, the
        // first may come to the end of its own half.
        let (events, generation) = first.take_past_ends(4);
        assert_eq!(events.len(), 4);
        await_end(&mut first);
        assert!(generation > before);
        assert_eq!(first.source.generation(), generation);
    }
}
