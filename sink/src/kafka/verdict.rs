//! What a failed step of publishing means: call again, abort and try again, let the batch go, or end the process.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// The step of publishing that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Begin,
    Produce,
    Deliver,
    Offsets,
    Commit,
    Abort,
    Init,
}

impl Step {
    pub(super) fn name(self) -> &'static str {
        match self {
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
pub(super) enum Verdict {
    /// The same call may succeed.
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

/// Judges an error of a client call.
pub(super) fn judge(step: Step, error: &KafkaError) -> Verdict {
    let code = error.rdkafka_error_code();
    let (fatal, abortable, retriable) = match error {
        KafkaError::Transaction(error) => (error.is_fatal(), error.txn_requires_abort(), error.is_retriable()),
        _ => (code == Some(Code::Fatal), false, false),
    };
    if let Some(verdict) = code.and_then(|code| judge_code(step, code)) {
        return verdict;
    }
    if fatal {
        // A new producer may do better, but at the start there has been nothing else.
        if step == Step::Init { Verdict::Exit } else { Verdict::TryAgain }
    } else if !abortable && (retriable || code == Some(Code::OperationTimedOut)) {
        Verdict::CallAgain
    } else {
        Verdict::TryAgain
    }
}

/// Codes that only follow from something else: the records were thrown away, or the call came too late.
pub(super) fn is_consequence(code: Code) -> bool {
    matches!(code, Code::PurgeQueue | Code::PurgeInflight | Code::Fatal | Code::State | Code::Inconsistent)
}

/// What a code means whatever its flags; `None` leaves it to them.
pub(super) fn judge_code(step: Step, code: Code) -> Option<Verdict> {
    match code {
        Code::IllegalGeneration | Code::UnknownMemberId | Code::RebalanceInProgress => Some(Verdict::Stale),
        Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch | Code::FencedInstanceId => {
            Some(Verdict::Fenced)
        }
        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed
        | Code::Authentication
        | Code::SaslAuthenticationFailed
        | Code::UnsupportedSASLMechanism
        | Code::InvalidTransactionTimeout
        | Code::UnknownTopicOrPartition
        | Code::UnknownTopic
            if step != Step::Offsets || code != Code::UnknownTopicOrPartition =>
        {
            Some(Verdict::Exit)
        }
        _ => None,
    }
}

/// A sentence that helps, for the codes that a person can do something about.
pub(super) fn advice(code: Code) -> Option<&'static str> {
    match code {
        Code::InvalidTransactionTimeout => {
            Some("sink.transaction_timeout_ms is above the broker's transaction.max.timeout.ms")
        }
        Code::UnknownTopicOrPartition | Code::UnknownTopic => {
            Some("the topic does not exist: create it, or set sink.create_topics")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(step: Step, code: Code, expected: Verdict) {
        assert_eq!(judge(step, &KafkaError::MessageProduction(code)), expected, "{step:?} {code:?}");
    }

    #[test]
    fn every_answer_has_one_meaning() {
        check(Step::Offsets, Code::IllegalGeneration, Verdict::Stale);
        check(Step::Offsets, Code::UnknownMemberId, Verdict::Stale);
        check(Step::Offsets, Code::RebalanceInProgress, Verdict::Stale);
        check(Step::Offsets, Code::FencedInstanceId, Verdict::Fenced);
        check(Step::Commit, Code::Fenced, Verdict::Fenced);
        check(Step::Deliver, Code::InvalidProducerEpoch, Verdict::Fenced);
        check(Step::Deliver, Code::MessageTimedOut, Verdict::TryAgain);
        check(Step::Deliver, Code::TopicAuthorizationFailed, Verdict::Exit);
        check(Step::Deliver, Code::UnknownTopicOrPartition, Verdict::Exit);
        check(Step::Offsets, Code::UnknownTopicOrPartition, Verdict::TryAgain);
        check(Step::Commit, Code::OperationTimedOut, Verdict::CallAgain);
        check(Step::Commit, Code::Fail, Verdict::TryAgain);
        check(Step::Produce, Code::Fatal, Verdict::TryAgain);
        check(Step::Init, Code::Fatal, Verdict::Exit);
        check(Step::Abort, Code::Fenced, Verdict::Fenced);
    }
}
