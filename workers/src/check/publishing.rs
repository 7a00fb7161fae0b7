//! Whether this user may publish as `classify` does: write to both topics, as the very producer that it will be.

use kafka::identity::Identity;
use kafka::rights::Rights;
use kafka::transactor::config::Guarantee;
use kafka::transactor::try_start;
use service::chain;

use super::error::CheckError;
use super::report::Report;
use crate::brokers::ANSWER_WITHIN;
use crate::settings::Config;

/// Tries the rights one after the other; `topics` are those output topics that exist.
pub(super) fn check(config: &Config, topics: &[String], report: &mut Report<'_>) -> Result<(), CheckError> {
    let identity = config.identity();
    let rights = Rights::new(config.connection(), ANSWER_WITHIN);
    for topic in topics {
        let what = format!("output topic {topic}");
        match rights.write(topic) {
            Ok(()) => report.ok(&what, "this user may write to it")?,
            Err(error) => {
                report.deny(&what, &error, &identity, ("write to", &format!("Write and Describe on topic {topic}")))?
            }
        }
    }
    match config.sink().guarantee() {
        Guarantee::AtLeastOnce => check_idempotence(&rights, &identity, report),
        Guarantee::ExactlyOnce => check_transactions(config, &rights, &identity, report),
    }
}

fn check_idempotence(rights: &Rights, identity: &Identity, report: &mut Report<'_>) -> Result<(), CheckError> {
    if let Err(error) = rights.idempotence() {
        report.deny(
            "producer",
            &error,
            identity,
            ("be an idempotent producer on", "IdempotentWrite on the cluster"),
        )?;
    }
    report.note("transactions", "not used: sink.guarantee = at_least_once, a crash may repeat labels")
}

/// The worker's own id without taking it over, then a whole start under a name beside it that no worker can have.
fn check_transactions(
    config: &Config,
    rights: &Rights,
    identity: &Identity,
    report: &mut Report<'_>,
) -> Result<(), CheckError> {
    let id = identity.transactional_id();
    let what = format!("transactional id {id}");
    if let Err(error) = rights.transactional_id(&id) {
        return report.deny(&what, &error, identity, ("use", &format!("Write and Describe on transactional id {id}")));
    }
    report.ok(&what, "this user may use it")?;
    let beside = Identity { instance: format!("{}:check", identity.instance), ..identity.clone() };
    match try_start(&config.sink().transactor().clone().exactly_once(), &beside) {
        Ok(()) => report.ok("transactions", "the broker accepts a transactional producer"),
        // Only the exact id was granted.
        Err(error) if error.is_denied() => report.ok("transactions", "the broker supports transactional producers"),
        Err(error) => report.fail(
            "transactions",
            &chain(&error),
            "the cluster must support transactions, and sink.transaction_timeout_ms must not exceed its limit",
        ),
    }
}
