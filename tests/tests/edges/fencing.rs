//! A publisher that was replaced while it did not run: it says so and ends, and never fences its successor in turn.
//!
//! To be stopped is the same as not to be called: the zombie here stands still between two publishes while its successor
//! starts. `kills` stops real processes, at any moment.

use std::time::Duration;

use kafka::error::TransactError;
use kafka::transactor::Published;
use tests::broker;
use tests::records;

use crate::events;
use crate::harness::Stage;

const PATIENCE: Duration = Duration::from_secs(30);

/// The zombie's own reader has not heard of anything: its lease is still good, as just after SIGCONT.
#[test]
fn a_publisher_that_was_replaced_ends_and_leaves_its_successor_alone() {
    for broker in broker::all() {
        let stage = Stage::new(&broker, 2);
        stage.produce(40);
        // A member without a name, so that nothing but the transactional id can tell the zombie that it is one.
        let (mut old_reader, mut zombie) = (stage.reader_unnamed(), stage.publisher("same"));
        zombie.lease_from(&old_reader);
        let (events, generation) = old_reader.take(40);
        let (first, rest) = events.split_at(10);
        let published = zombie.publish(events::batch(first.to_vec(), generation)).expect("published");
        assert_eq!(published, Published::Committed);

        let mut successor = stage.publisher("same");
        for attempt in 1..=3 {
            match zombie.publish(events::batch(rest.to_vec(), generation)) {
                Err(TransactError::Fenced { instance }) => assert_eq!(instance, "same"),
                other => panic!("{:?}, attempt {attempt}: expected to be fenced, found {other:?}", broker.kind),
            }
        }
        drop(old_reader);
        let mut reader = stage.reader("new");
        successor.lease_from(&reader);
        let (events, generation) = reader.take(30);
        let published = successor.publish(events::batch(events, generation));
        assert_eq!(published.expect("not fenced by the zombie"), Published::Committed, "{:?}", broker.kind);
        let labels = records::await_committed(&stage.address, &stage.output, 40, PATIENCE);
        assert_eq!(labels.len(), 40);
        events::assert_each_once_and_in_order(&labels);
    }
}
