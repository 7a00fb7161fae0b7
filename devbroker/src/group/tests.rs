//! The group with made-up time: rebalances that wait, members that die, answers nobody takes.

use super::*;

const SESSION: Millis = 10_000;
const REBALANCE: Millis = 30_000;

fn group() -> Group {
    Group::new(GroupLimits { members_max: 10, initial_delay: 0 })
}

fn request(member_id: &str, fresh_id: &str, instance: Option<&str>) -> JoinRequest {
    JoinRequest {
        member_id: member_id.to_owned(),
        instance: instance.map(str::to_owned),
        fresh_id: fresh_id.to_owned(),
        client_id: "client".to_owned(),
        client_host: "/127.0.0.1".to_owned(),
        session_timeout: SESSION,
        rebalance_timeout: REBALANCE,
        protocol_type: "consumer".to_owned(),
        protocols: vec![("range".to_owned(), Bytes::from_static(b"topics"))],
        id_required: false,
        may_skip_assignment: true,
    }
}

fn join(group: &mut Group, member_id: &str, fresh_id: &str, now: Millis) -> Step<JoinAnswer> {
    group.join(request(member_id, fresh_id, None), now)
}

fn ticket<A: std::fmt::Debug>(step: Step<A>) -> Ticket {
    match step {
        Step::Wait(ticket) => ticket,
        Step::Answer(answer) => panic!("answered at once: {answer:?}"),
    }
}

fn sync(group: &mut Group, member_id: &str, now: Millis) -> Step<SyncAnswer> {
    let assignments = group.members.keys().map(|id| (id.clone(), Bytes::from(id.clone()))).collect();
    let claim = MemberClaim { member_id, instance: None, generation: group.generation };
    group.sync(claim, SyncRequest { protocol_type: None, protocol: None, assignments }, now)
}

fn beat(group: &mut Group, member_id: &str, now: Millis) -> Result<(), ResponseError> {
    group.heartbeat(MemberClaim { member_id, instance: None, generation: group.generation }, now)
}

/// Two members, `a` the leader, settled at time 0.
fn pair() -> Group {
    let mut group = group();
    assert!(matches!(join(&mut group, "", "a", 0), Step::Answer(Ok(_))));
    assert!(matches!(sync(&mut group, "a", 0), Step::Answer(Ok(_))));
    let of_b = ticket(join(&mut group, "", "b", 0));
    assert!(matches!(join(&mut group, "a", "", 0), Step::Answer(Ok(_))));
    assert!(group.take_join_answer(of_b).is_some_and(|answer| answer.is_ok()));
    let of_b = ticket(sync(&mut group, "b", 0));
    assert!(matches!(sync(&mut group, "a", 0), Step::Answer(Ok(_))));
    let synced = group.take_sync_answer(of_b).expect("answered").expect("assigned");
    assert_eq!((&synced.assignment[..], group.generation, group.phase), (&b"b"[..], 2, Phase::Stable));
    group
}

#[test]
fn a_silent_member_is_dropped_and_the_group_rebalances() {
    let mut group = pair();
    assert_eq!(beat(&mut group, "a", SESSION - 1), Ok(()));
    assert!(!group.tick(SESSION - 1));
    assert!(group.tick(SESSION));
    assert_eq!(group.members.keys().collect::<Vec<_>>(), ["a"]);
    assert_eq!(beat(&mut group, "a", SESSION), Err(ResponseError::RebalanceInProgress));
}

#[test]
fn a_rebalance_goes_on_without_those_who_do_not_join() {
    let mut group = pair();
    let of_c = ticket(join(&mut group, "", "c", 0));
    // `b` shows that it lives but does not join; `a` joins.
    let of_a = ticket(join(&mut group, "a", "", 0));
    for now in (0..REBALANCE).step_by(5_000) {
        assert_eq!(beat(&mut group, "b", now), Err(ResponseError::RebalanceInProgress));
        group.tick(now);
    }
    assert!(group.take_join_answer(of_c).is_none());
    group.tick(REBALANCE);
    let joined = group.take_join_answer(of_a).expect("answered").expect("joined");
    assert_eq!((joined.generation, joined.members.len()), (3, 2));
    assert!(!group.members.contains_key("b"));
}

#[test]
fn a_member_that_never_asks_for_its_assignment_is_dropped() {
    let mut group = pair();
    let of_c = ticket(join(&mut group, "", "c", 0));
    ticket(join(&mut group, "a", "", 0));
    assert!(matches!(join(&mut group, "b", "", 0), Step::Answer(Ok(_))));
    assert!(group.take_join_answer(of_c).is_some());
    let of_b = ticket(sync(&mut group, "b", 0));
    for now in (0..REBALANCE).step_by(5_000) {
        assert_eq!((beat(&mut group, "a", now), beat(&mut group, "c", now)), (Ok(()), Ok(())));
        group.tick(now);
    }
    group.tick(REBALANCE);
    assert_eq!(group.members.keys().collect::<Vec<_>>(), ["b"]);
    assert_eq!(group.take_sync_answer(of_b), Some(Err(ResponseError::RebalanceInProgress)));
}

#[test]
fn an_id_that_is_not_used_in_time_lapses() {
    let mut group = pair();
    let refused = group.join(JoinRequest { id_required: true, ..request("", "c", None) }, 0);
    assert!(matches!(refused, Step::Answer(Err(JoinRefused { code: ResponseError::MemberIdRequired, .. }))));
    assert_eq!((beat(&mut group, "a", SESSION - 1), beat(&mut group, "b", SESSION - 1)), (Ok(()), Ok(())));
    group.tick(SESSION);
    let late = join(&mut group, "c", "", SESSION);
    assert!(matches!(late, Step::Answer(Err(JoinRefused { code: ResponseError::UnknownMemberId, .. }))));
    assert_eq!((group.generation, group.phase), (2, Phase::Stable), "nobody was disturbed");
}

#[test]
fn a_static_member_may_miss_a_rebalance_but_not_its_session() {
    let mut group = pair();
    let of_one = ticket(group.join(request("", "one-1", Some("one")), 0));
    for id in ["a", "b"] {
        join(&mut group, id, "", 0);
    }
    group.take_join_answer(of_one).expect("answered").expect("joined");
    for id in ["b", "one-1"] {
        ticket(sync(&mut group, id, 0));
    }
    assert!(matches!(sync(&mut group, "a", 0), Step::Answer(Ok(_))));
    // `a` wants another rebalance; the static member does not come.
    ticket(join(&mut group, "a", "", 0));
    ticket(join(&mut group, "b", "", 0));
    assert_eq!(group.phase, Phase::PreparingRebalance);
    group.tick(SESSION);
    assert_eq!((group.phase, group.members.len()), (Phase::CompletingRebalance, 2), "gone with its session");
    let late = group.join(request("one-1", "", Some("one")), SESSION);
    assert!(matches!(late, Step::Answer(Err(JoinRefused { code: ResponseError::UnknownMemberId, .. }))));
}

#[test]
fn answers_that_nobody_takes_are_not_kept() {
    let mut group = pair();
    let of_c = ticket(join(&mut group, "", "c", 0));
    group.abandon(of_c);
    for id in ["a", "b"] {
        join(&mut group, id, "", 0);
    }
    assert_eq!(group.phase, Phase::CompletingRebalance, "the member itself counted");
    assert!(group.take_join_answer(of_c).is_none() && group.abandoned.is_empty());
}

#[test]
fn an_empty_group_may_wait_for_more_first_members() {
    let mut group = Group::new(GroupLimits { members_max: 10, initial_delay: 3_000 });
    let of_a = ticket(join(&mut group, "", "a", 0));
    let of_b = ticket(join(&mut group, "", "b", 2_000));
    group.tick(4_999);
    assert!(group.take_join_answer(of_a).is_none());
    group.tick(5_000);
    let joined = group.take_join_answer(of_b).expect("answered").expect("joined");
    assert_eq!(joined.generation, 1);
}

#[test]
fn the_assignor_most_members_prefer_wins() {
    let mut group = group();
    let offer = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), Bytes::new())).collect::<Vec<_>>();
    let offers = [offer(&["x", "y"]), offer(&["y", "x"]), offer(&["y", "x", "z"])];
    for (id, protocols) in ["a", "b", "c"].into_iter().zip(offers) {
        group.join(JoinRequest { protocols, ..request("", id, None) }, 0);
    }
    group.tick(REBALANCE);
    let stranger = group.join(JoinRequest { protocols: offer(&["z"]), ..request("", "d", None) }, 0);
    assert!(matches!(stranger, Step::Answer(Err(JoinRefused { code: ResponseError::InconsistentGroupProtocol, .. }))));
    assert_eq!(group.protocol.as_deref(), Some("y"), "`a`, who preferred x, did not come back");
}

#[test]
fn who_may_commit_offsets() {
    let mut group = pair();
    let mut check = |member_id, generation, transactional, expected: Result<(), ResponseError>| {
        let claim = MemberClaim { member_id, instance: None, generation };
        assert_eq!(group.check_commit(claim, transactional, 0), expected, "{member_id} {generation} {transactional}");
    };
    for transactional in [false, true] {
        check("a", 2, transactional, Ok(()));
        check("a", 1, transactional, Err(ResponseError::IllegalGeneration));
        check("stranger", 2, transactional, Err(ResponseError::UnknownMemberId));
    }
    // KIP-447: a producer that does not say which member it is was let in before, and still is.
    check("", -1, false, Err(ResponseError::UnknownMemberId));
    check("", -1, true, Ok(()));
}

#[test]
fn offsets_wait_for_the_assignment_unless_a_transaction_carries_them() {
    let mut group = pair();
    // Only the leader can call for a rebalance without a change.
    ticket(join(&mut group, "a", "", 0));
    join(&mut group, "b", "", 0);
    assert_eq!(group.phase, Phase::CompletingRebalance);
    let claim = MemberClaim { member_id: "a", instance: None, generation: 3 };
    assert_eq!(group.check_commit(claim, false, 0), Err(ResponseError::RebalanceInProgress));
    assert_eq!(group.check_commit(claim, true, 0), Ok(()));
}
