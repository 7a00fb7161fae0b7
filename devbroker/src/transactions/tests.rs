//! The coordinator with made-up time.

use super::*;

fn coordinator() -> Transactions {
    Transactions::new(900_000, 3)
}

fn open(transactions: &mut Transactions, id: &str, now: Millis) -> Identity {
    let (producer, _) = transactions.init(id, 1_000, None, now).expect("taken over");
    transactions.add_partitions(id, producer, [("t".to_owned(), 0)], now).expect("added");
    transactions.add_group(id, producer, "g", now).expect("added");
    producer
}

#[test]
fn an_end_covers_what_was_added() {
    let mut transactions = coordinator();
    let producer = open(&mut transactions, "x", 0);
    transactions.verify_partition("x", producer, "t", 0).expect("in the transaction");
    assert_eq!(transactions.verify_partition("x", producer, "t", 1), Err(ResponseError::TransactionAbortable));
    let ending = transactions.end("x", producer, true).expect("may end").expect("for the first time");
    assert_eq!((ending.producer, ending.commit), (producer, true));
    assert_eq!((ending.partitions.len(), ending.groups.len()), (1, 1));
    assert_eq!(transactions.end("x", producer, true), Ok(None));
    assert_eq!(transactions.end("x", producer, false), Err(ResponseError::InvalidTxnState));
    assert_eq!(transactions.verify_group("x", producer, "g"), Err(ResponseError::TransactionAbortable));
}

#[test]
fn time_runs_out_once_and_fences() {
    let mut transactions = coordinator();
    let producer = open(&mut transactions, "x", 5);
    assert_eq!(transactions.expire(1_004), []);
    let expired = transactions.expire(1_005);
    assert_eq!((expired.len(), expired[0].commit), (1, false));
    assert_eq!(expired[0].producer, Identity { epoch: producer.epoch + 1, ..producer }, "the marker fences");
    assert_eq!(transactions.expire(99_999), []);
    assert_eq!(transactions.end("x", producer, true), Err(ResponseError::ProducerFenced));
    assert_eq!(transactions.init("x", 1_000, Some(producer), 0).err(), Some(ResponseError::ProducerFenced));
}

#[test]
fn taking_over_aborts_what_is_open() {
    let mut transactions = coordinator();
    let old = open(&mut transactions, "x", 0);
    let (heir, ending) = transactions.init("x", 1_000, None, 0).expect("taken over");
    let ending = ending.expect("the open transaction ends");
    assert!(!ending.commit && old.epoch < ending.producer.epoch && ending.producer.epoch < heir.epoch);
}

#[test]
fn epochs_that_run_out_give_a_new_producer_id() {
    let mut transactions = coordinator();
    let (mut producer, _) = transactions.init("x", 1_000, None, 0).expect("taken over");
    let first = producer;
    for _ in 0..EPOCH_MAX {
        (producer, _) = transactions.init("x", 1_000, None, 0).expect("taken over");
    }
    assert_eq!((producer.id, producer.epoch), (first.id, EPOCH_MAX));
    (producer, _) = transactions.init("x", 1_000, None, 0).expect("taken over");
    assert!(producer.id != first.id && producer.epoch == 0);
}

#[test]
fn ids_are_counted_and_idle_ones_forgotten() {
    let mut transactions = coordinator();
    transactions.init("idle", 1_000, None, 0).expect("taken over");
    open(&mut transactions, "a", 1);
    open(&mut transactions, "b", 2);
    open(&mut transactions, "c", 3);
    assert!(!transactions.by_id.contains_key("idle"));
    let full = transactions.init("d", 1_000, None, 4);
    assert_eq!(full.err(), Some(ResponseError::CoordinatorNotAvailable), "all are in use");
}
