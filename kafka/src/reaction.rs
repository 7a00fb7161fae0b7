//! What an error of librdkafka means: the kind of its code, and how to react to it in the step that failed.
//!
//! The only place that knows codes by their meaning. Reading, publishing and asking judge by it alike.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Everything that a consumer does.
    Read,
    Begin,
    Produce,
    Deliver,
    Offsets,
    Commit,
    Abort,
    Init,
}

impl Step {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Begin => "begin a transaction",
            Self::Produce => "produce records",
            Self::Deliver => "deliver records",
            Self::Offsets => "add the offsets to the transaction",
            Self::Commit => "commit",
            Self::Abort => "abort a transaction",
            Self::Init => "start as transactional producer",
        }
    }
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// One connection was lost, maybe an idle one that its broker closed. When none is left, an outage follows.
    Ignore,
    /// librdkafka goes on by itself; worth a line in the log.
    GoOn,
    /// No broker can be reached, or none answered in time: the same call may succeed.
    CallAgain,
    /// Abort, and publish the same batch again; after a commit only once the broker has confirmed the abort.
    TryAgain,
    /// The group has moved on: abort, and let the batch go.
    Stale,
    /// A second process took over.
    Fenced,
    /// Nothing in this process can help.
    Exit,
}

/// What a code is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    /// A broker cannot be reached, does not answer, or does not lead yet: it may do so later.
    Unreachable,
    /// The group's coordinator starts, or is another broker by now.
    CoordinatorMoves,
    /// This member's generation is over.
    GroupMoved,
    /// Another process took over the producer or the name of this one.
    Fenced,
    /// A right is missing.
    Denied,
    /// The brokers do not accept who we say we are.
    Credentials,
    NoTopic,
    NoPartition,
    /// A setting is out of what the broker, or the rest of the group, allows.
    BadSetting,
    /// The broker means the record, or its batch, and not itself, the producer or the moment.
    Refused,
    /// It only follows from something else: the records were thrown away, or the call came too late.
    Consequence,
    Other,
}

impl ErrorKind {
    pub(crate) fn of(code: Code) -> Self {
        match code {
            Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::Resolve
            | Code::SSL
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::NetworkException
            | Code::LeaderNotAvailable => Self::Unreachable,
            Code::WaitingForCoordinator
            | Code::CoordinatorNotAvailable
            | Code::CoordinatorLoadInProgress
            | Code::NotCoordinator => Self::CoordinatorMoves,
            Code::IllegalGeneration | Code::UnknownMemberId | Code::RebalanceInProgress => Self::GroupMoved,
            Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch | Code::FencedInstanceId => Self::Fenced,
            Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed => Self::Denied,
            Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
            | Code::IllegalSASLState => Self::Credentials,
            Code::UnknownTopicOrPartition | Code::UnknownTopic => Self::NoTopic,
            Code::UnknownPartition | Code::UnknownTopicId => Self::NoPartition,
            Code::InvalidTransactionTimeout | Code::InconsistentGroupProtocol | Code::InvalidSessionTimeout => {
                Self::BadSetting
            }
            Code::MessageSizeTooLarge
            | Code::MessageBatchTooLarge
            | Code::InvalidTimestamp
            | Code::InvalidRecord
            | Code::InvalidDifferentRecord
            | Code::PolicyViolation
            | Code::UnsupportedForMessageFormat => Self::Refused,
            Code::PurgeQueue | Code::PurgeInflight | Code::Fatal | Code::State | Code::Inconsistent => {
                Self::Consequence
            }
            _ => Self::Other,
        }
    }

    /// The kind of an error's code, where it has one.
    pub(crate) fn of_error(error: &KafkaError) -> Self {
        error.rdkafka_error_code().map_or(Self::Other, Self::of)
    }
}

/// Judges an error of a client call, or of an event that a consumer polled.
pub(crate) fn judge(step: Step, error: &KafkaError) -> Reaction {
    let kind = ErrorKind::of_error(error);
    if step == Step::Read { judge_reading(kind, error) } else { judge_publishing(step, kind, error) }
}

fn judge_reading(kind: ErrorKind, error: &KafkaError) -> Reaction {
    let code = error.rdkafka_error_code();
    let is_event = matches!(error, KafkaError::MessageConsumption(_));
    let is_fatal = matches!(error, KafkaError::MessageConsumptionFatal(_));
    match kind {
        _ if code == Some(Code::FencedInstanceId) => Reaction::Fenced,
        // An event about one connection. That all are gone, and that TLS fails, has codes of its own.
        ErrorKind::Unreachable if is_event && code.is_some_and(is_of_one_connection) => Reaction::Ignore,
        ErrorKind::Unreachable | ErrorKind::CoordinatorMoves if !is_fatal => Reaction::CallAgain,
        ErrorKind::Denied
        | ErrorKind::Credentials
        | ErrorKind::NoTopic
        | ErrorKind::NoPartition
        | ErrorKind::BadSetting => Reaction::Exit,
        _ if is_fatal => Reaction::Exit,
        _ => Reaction::GoOn,
    }
}

fn is_of_one_connection(code: Code) -> bool {
    matches!(code, Code::BrokerTransportFailure | Code::Resolve | Code::OperationTimedOut | Code::RequestTimedOut)
}

fn judge_publishing(step: Step, kind: ErrorKind, error: &KafkaError) -> Reaction {
    let code = error.rdkafka_error_code();
    let (fatal, abortable, retriable) = match error {
        KafkaError::Transaction(error) => (error.is_fatal(), error.txn_requires_abort(), error.is_retriable()),
        _ => (code == Some(Code::Fatal), false, false),
    };
    match kind {
        ErrorKind::GroupMoved => Reaction::Stale,
        ErrorKind::Fenced => Reaction::Fenced,
        ErrorKind::Denied | ErrorKind::Credentials | ErrorKind::BadSetting => Reaction::Exit,
        // Of a topic that is read: it may come back, and its consumer says so if it does not.
        ErrorKind::NoTopic if step != Step::Offsets || code != Some(Code::UnknownTopicOrPartition) => Reaction::Exit,
        // A new producer may do better, but at the start there has been nothing else.
        _ if fatal && step == Step::Init => Reaction::Exit,
        _ if fatal => Reaction::TryAgain,
        _ if !abortable && (retriable || code == Some(Code::OperationTimedOut)) => Reaction::CallAgain,
        _ => Reaction::TryAgain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(step: Step, code: Code, expected: Reaction) {
        assert_eq!(judge(step, &KafkaError::MessageProduction(code)), expected, "{step:?} {code:?}");
    }

    #[test]
    fn every_answer_to_a_producer_has_one_meaning() {
        check(Step::Offsets, Code::IllegalGeneration, Reaction::Stale);
        check(Step::Offsets, Code::UnknownMemberId, Reaction::Stale);
        check(Step::Offsets, Code::RebalanceInProgress, Reaction::Stale);
        check(Step::Offsets, Code::FencedInstanceId, Reaction::Fenced);
        check(Step::Commit, Code::Fenced, Reaction::Fenced);
        check(Step::Deliver, Code::InvalidProducerEpoch, Reaction::Fenced);
        check(Step::Deliver, Code::MessageTimedOut, Reaction::TryAgain);
        check(Step::Deliver, Code::TopicAuthorizationFailed, Reaction::Exit);
        check(Step::Deliver, Code::UnknownTopicOrPartition, Reaction::Exit);
        check(Step::Offsets, Code::UnknownTopicOrPartition, Reaction::TryAgain);
        check(Step::Commit, Code::OperationTimedOut, Reaction::CallAgain);
        check(Step::Commit, Code::Fail, Reaction::TryAgain);
        check(Step::Produce, Code::Fatal, Reaction::TryAgain);
        check(Step::Init, Code::Fatal, Reaction::Exit);
        check(Step::Abort, Code::Fenced, Reaction::Fenced);
    }

    #[test]
    fn every_error_of_a_consumer_has_one_meaning() {
        use KafkaError::{MessageConsumption as Event, MessageConsumptionFatal as Fatal, MetadataFetch as Answer};
        for (error, expected) in [
            (Fatal(Code::FencedInstanceId), Reaction::Fenced),
            (Fatal(Code::InvalidProducerEpoch), Reaction::Exit),
            (Fatal(Code::AllBrokersDown), Reaction::Exit),
            (Event(Code::AllBrokersDown), Reaction::CallAgain),
            (Event(Code::SSL), Reaction::CallAgain),
            (Event(Code::BrokerTransportFailure), Reaction::Ignore),
            (Answer(Code::BrokerTransportFailure), Reaction::CallAgain),
            (Answer(Code::NotCoordinator), Reaction::CallAgain),
            (Event(Code::UnknownTopicOrPartition), Reaction::Exit),
            (Event(Code::GroupAuthorizationFailed), Reaction::Exit),
            (Event(Code::InconsistentGroupProtocol), Reaction::Exit),
            (Event(Code::PollExceeded), Reaction::GoOn),
        ] {
            assert_eq!(judge(Step::Read, &error), expected, "{error:?}");
        }
    }
}
