//! Injected faults happen at the call they are ordered for, before or after it took effect.

use std::time::{Duration, Instant};

use devbroker::{ApiKey, Broker, Config, Fault, FaultKind};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::{CreateTopicsRequest, MetadataRequest, TopicName};

use crate::wire::{Wire, text};

fn create() -> CreateTopicsRequest {
    let topic = CreatableTopic::default().with_name(TopicName(text("new"))).with_num_partitions(1);
    CreateTopicsRequest::default().with_topics(vec![topic.with_replication_factor(1)])
}

fn topics(broker: &Broker) -> usize {
    Wire::connect(broker.address()).call(9, &MetadataRequest::default().with_topics(None)).topics.len()
}

fn broker(nth: u64, kind: FaultKind) -> Broker {
    let broker = Broker::start_blocking(Config::default()).expect("the broker starts");
    broker.inject(Fault { api: ApiKey::CreateTopics, nth, kind });
    broker
}

#[test]
fn a_drop_before_leaves_no_trace() {
    let broker = broker(1, FaultKind::DropConnectionBefore);
    assert!(Wire::connect(broker.address()).try_call(5, &create()).is_none());
    assert_eq!((topics(&broker), broker.pending_faults()), (0, 0));
}

#[test]
fn a_drop_after_has_taken_effect() {
    let broker = broker(1, FaultKind::DropConnectionAfterEffect);
    assert!(Wire::connect(broker.address()).try_call(5, &create()).is_none());
    assert_eq!((topics(&broker), broker.calls(ApiKey::CreateTopics)), (1, 1));
}

#[test]
fn only_the_nth_call_fails() {
    let broker = broker(2, FaultKind::ErrorCode(41));
    let mut wire = Wire::connect(broker.address());
    let codes: Vec<i16> = (0..3).map(|_| wire.call(5, &create()).topics[0].error_code).collect();
    assert_eq!(codes, [0, 41, 36], "created, NOT_CONTROLLER, TOPIC_ALREADY_EXISTS");
}

#[test]
fn a_delay_delays() {
    let broker = broker(1, FaultKind::Delay(Duration::from_millis(200)));
    let before = Instant::now();
    assert_eq!(Wire::connect(broker.address()).call(5, &create()).topics[0].error_code, 0);
    assert!(before.elapsed() >= Duration::from_millis(200));
}

#[test]
fn a_held_call_waits_for_its_release() {
    let broker = broker(1, FaultKind::Hold);
    std::thread::scope(|threads| {
        let answer = threads.spawn(|| Wire::connect(broker.address()).call(5, &create()).topics[0].error_code);
        while broker.pending_faults() > 0 {
            std::thread::yield_now();
        }
        assert_eq!(topics(&broker), 0, "it has no effect yet");
        broker.release();
        assert_eq!(answer.join().expect("it was answered"), 0);
    });
    assert_eq!(topics(&broker), 1);
}

#[test]
fn faults_can_be_taken_back() {
    let broker = broker(1, FaultKind::DropConnectionBefore);
    broker.clear_faults();
    assert_eq!(Wire::connect(broker.address()).call(5, &create()).topics[0].error_code, 0);
}
