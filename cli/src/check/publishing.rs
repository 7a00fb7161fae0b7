//! Whether this user may publish as `classify` does: write to both topics, as the very producer that it will be.

use kafka::error::ClientError;
use kafka::identity::Identity;
use kafka::rights::Rights;
use kafka::transactor::config::Guarantee;
use kafka::transactor::try_start;
use schemas::chain;
use workers::settings::Config;

use super::{ANSWER_WITHIN, Report};
use crate::failure::Failure;

/// Tries the rights one after the other; `topics` are those output topics that exist.
pub(super) fn check(config: &Config, topics: &[String], report: &mut Report) -> Result<(), Failure> {
    let identity = config.identity();
    let rights = Rights::new(config.connection(), ANSWER_WITHIN);
    for topic in topics {
        let what = format!("output topic {topic}");
        match rights.write(topic) {
            Ok(()) => report.ok(&what, "this user may write to it")?,
            Err(error) => {
                deny(report, &what, &error, &identity, ("write to", &format!("Write and Describe on topic {topic}")))?
            }
        }
    }
    match config.sink().guarantee() {
        Guarantee::AtLeastOnce => check_idempotence(&rights, &identity, report),
        Guarantee::ExactlyOnce => check_transactions(config, &rights, &identity, report),
    }
}

fn check_idempotence(rights: &Rights, identity: &Identity, report: &mut Report) -> Result<(), Failure> {
    if let Err(error) = rights.idempotence() {
        deny(report, "producer", &error, identity, ("be an idempotent producer on", "IdempotentWrite on the cluster"))?;
    }
    report.note("transactions", "not used: sink.guarantee = at_least_once, a crash may repeat labels")
}

/// The worker's own id without taking it over, then a whole start under a name beside it that no worker can have.
fn check_transactions(
    config: &Config,
    rights: &Rights,
    identity: &Identity,
    report: &mut Report,
) -> Result<(), Failure> {
    let id = identity.transactional_id();
    let what = format!("transactional id {id}");
    if let Err(error) = rights.transactional_id(&id) {
        return deny(report, &what, &error, identity, ("use", &format!("Write and Describe on transactional id {id}")));
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

/// A line for a right that is denied, or for an answer of another kind. What may not be done, and what to grant.
pub(super) fn deny(
    report: &mut Report,
    what: &str,
    error: &ClientError,
    identity: &Identity,
    (deed, grant): (&str, &str),
) -> Result<(), Failure> {
    if error.is_denied() {
        report.fail(what, &format!("{} may not {deed} it", identity.principal()), &format!("grant it {grant}"))
    } else {
        report.fail(what, &chain(error), "try again, and check the brokers' logs")
    }
}
