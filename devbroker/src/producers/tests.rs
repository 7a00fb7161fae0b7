//! Sequences and epochs, one table.

use super::*;

fn batch(producer_id: i64, producer_epoch: i16, base_sequence: i32, records: i32) -> BatchHeader {
    BatchHeader {
        attributes: 0x10,
        last_offset_delta: records - 1,
        base_timestamp: 0,
        max_timestamp: 0,
        producer_id,
        producer_epoch,
        base_sequence,
        record_count: records,
    }
}

#[test]
fn what_may_follow_what() {
    let mut producers = Producers::new(10);
    let check = |producers: &Producers, epoch, sequence, records, expected| {
        assert_eq!(
            producers.check(&batch(1, epoch, sequence, records)),
            expected,
            "epoch {epoch}, {sequence}+{records}"
        );
    };
    let gap = Err(ResponseError::OutOfOrderSequenceNumber);
    check(&producers, 3, 70, 2, Ok(SequenceCheck::Append)); // nothing is known: any sequence will do
    producers.appended(&batch(1, 3, 70, 2), 100, 0);
    check(&producers, 3, 72, 1, Ok(SequenceCheck::Append));
    check(&producers, 3, 73, 1, gap);
    check(&producers, 3, 70, 2, Ok(SequenceCheck::Duplicate(100)));
    check(&producers, 3, 70, 1, gap); // the same start, but not the same batch
    check(&producers, 2, 72, 1, Err(ResponseError::InvalidProducerEpoch));
    check(&producers, 4, 72, 1, gap);
    check(&producers, 4, 0, 1, Ok(SequenceCheck::Append));
    producers.ended(1, 5, 0); // a marker of a higher epoch
    check(&producers, 4, 0, 1, Err(ResponseError::InvalidProducerEpoch));
    check(&producers, 5, 1, 1, gap);
    check(&producers, 5, 0, 1, Ok(SequenceCheck::Append));
}

#[test]
fn five_batches_are_remembered() {
    let mut producers = Producers::new(10);
    (0..6).for_each(|sequence| producers.appended(&batch(1, 0, sequence, 1), i64::from(sequence), 0));
    assert_eq!(producers.check(&batch(1, 0, 1, 1)), Ok(SequenceCheck::Duplicate(1)));
    assert_eq!(producers.check(&batch(1, 0, 0, 1)), Err(ResponseError::OutOfOrderSequenceNumber));
}

#[test]
fn the_oldest_open_transaction_counts() {
    let mut producers = Producers::new(10);
    producers.appended(&batch(1, 0, 0, 1), 10, 0);
    producers.appended(&batch(2, 0, 0, 1), 20, 0);
    producers.appended(&batch(1, 0, 1, 1), 30, 0);
    assert_eq!(producers.first_open(), Some(10));
    assert_eq!(producers.ended(1, 0, 0), Some(10));
    assert_eq!((producers.first_open(), producers.ended(1, 0, 0)), (Some(20), None));
}

#[test]
fn idle_producers_are_forgotten_first_and_open_ones_never() {
    let mut producers = Producers::new(2);
    producers.appended(&batch(1, 0, 0, 1), 0, 0); // open
    producers.appended(&batch(2, 0, 0, 1), 1, 10);
    producers.ended(2, 0, 20); // idle
    producers.appended(&batch(3, 0, 0, 1), 3, 30);
    assert_eq!(producers.check(&batch(2, 0, 9, 1)), Ok(SequenceCheck::Append), "2 is forgotten");
    assert_eq!(producers.check(&batch(1, 0, 9, 1)), Err(ResponseError::OutOfOrderSequenceNumber), "1 is not");
}
