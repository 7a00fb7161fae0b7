//! Committed offsets outside of transactions, and looking after groups.

use std::time::{Duration, Instant};

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use tests::names::unique;
use tests::records::create_topic;

use crate::clients::{PATIENCE, admin, admin_options, code, committed, consumer, positions, wait};
use crate::on_each_broker;

#[test]
fn a_client_outside_of_the_group_may_commit_while_it_is_empty() {
    on_each_broker(|address| {
        let (topic, group) = (unique("simple"), unique("group"));
        create_topic(address, &topic, 2);
        let outsider = consumer(address, &group, &[]);
        outsider.commit(&positions(&topic, &[(0, 3), (1, 9)]), CommitMode::Sync).expect("commits");
        assert_eq!((committed(&outsider, &topic, 0), committed(&outsider, &topic, 1)), (Some(3), Some(9)));
        let unknown = outsider.commit(&positions(&topic, &[(7, 1)]), CommitMode::Sync).expect_err("no such partition");
        assert!(matches!(code(&unknown), RDKafkaErrorCode::UnknownTopicOrPartition), "{unknown}: {:?}", code(&unknown));
    });
}

#[test]
fn a_group_with_members_takes_offsets_from_them_only() {
    on_each_broker(|address| {
        let (topic, group) = (unique("closed"), unique("group"));
        create_topic(address, &topic, 1);
        let member = consumer(address, &group, &[]);
        member.subscribe(&[&topic]).expect("subscribes");
        let deadline = Instant::now() + PATIENCE;
        while member.assignment().expect("an assignment").count() == 0 {
            assert!(Instant::now() < deadline, "no partitions were assigned");
            member.poll(Duration::from_millis(20)).transpose().expect("no error");
        }
        let outsider = consumer(address, &group, &[]);
        let refused = outsider.commit(&positions(&topic, &[(0, 1)]), CommitMode::Sync).expect_err("not a member");
        assert_eq!(code(&refused), RDKafkaErrorCode::UnknownMemberId, "{refused}");
        member.commit(&positions(&topic, &[(0, 2)]), CommitMode::Sync).expect("a member commits");
        assert_eq!(committed(&outsider, &topic, 0), Some(2));
    });
}

#[test]
fn groups_are_listed_described_and_deleted() {
    on_each_broker(|address| {
        let (topic, group) = (unique("listed"), unique("group"));
        create_topic(address, &topic, 1);
        let member = consumer(address, &group, &[("client.id", "tester")]);
        member.subscribe(&[&topic]).expect("subscribes");
        let deadline = Instant::now() + PATIENCE;
        while member.assignment().expect("an assignment").count() == 0 {
            assert!(Instant::now() < deadline, "no partitions were assigned");
            member.poll(Duration::from_millis(20)).transpose().expect("no error");
        }
        member.commit(&positions(&topic, &[(0, 1)]), CommitMode::Sync).expect("commits");
        let listed = member.fetch_group_list(Some(&group), PATIENCE).expect("a list");
        let found = &listed.groups()[0];
        assert_eq!((found.state(), found.protocol_type(), found.protocol()), ("Stable", "consumer", "range"));
        assert_eq!(found.members().len(), 1);
        assert_eq!((found.members()[0].client_id(), found.members()[0].client_host()), ("tester", "/127.0.0.1"));
        let delete = || wait(admin(address).delete_groups(&[&group], &admin_options())).expect("an answer").remove(0);
        assert_eq!(delete().map_err(|(_, code)| code), Err(RDKafkaErrorCode::NonEmptyGroup));
        drop(member);
        assert_eq!(delete(), Ok(group.clone()));
        assert_eq!(delete().map_err(|(_, code)| code), Err(RDKafkaErrorCode::GroupIdNotFound));
        assert_eq!(committed(&consumer(address, &group, &[]), &topic, 0), None, "its offsets went with it");
    });
}
