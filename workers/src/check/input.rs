//! The input as the worker's group would read it: rights, committed offsets, and the newest records.

use kafka::look::Look;
use kafka::rights::Rights;
use schemas::RawEvent;
use service::chain;

use super::error::CheckError;
use super::report::Report;
use super::rules;
use crate::brokers::ANSWER_WITHIN;
use crate::settings::Config;

/// The group's offsets and the newest records, read without joining.
pub(super) fn check(
    config: &Config,
    topics: &[(String, i32)],
    count: usize,
    report: &mut Report<'_>,
) -> Result<Vec<RawEvent>, CheckError> {
    let group = config.source().group();
    let may_read = may_read(config, topics, report)?;
    let look = match Look::at(config.connection(), group, topics, ANSWER_WITHIN) {
        Ok(look) => look,
        Err(error) => {
            report.fail("input", &chain(&error), "grant Read on the input topics")?;
            return Ok(Vec::new());
        }
    };
    rules::check(config, look.oldest_ms(), report)?;
    match look.group() {
        Ok(state) => {
            let found = format!(
                "committed in {} of {} partitions, about {} records behind the end",
                state.committed, state.partitions, state.behind
            );
            may_commit(config, &found, report)?;
            if state.deleted > 0 {
                let found = format!(
                    "{} records after the committed offsets are deleted (retention or DeleteRecords); classify \
                     continues at the first remaining ones",
                    state.deleted
                );
                report.note(&format!("group {group}"), &found)?;
            }
        }
        Err(error) => {
            let (what, grant) = (format!("group {group}"), format!("Read and Describe on consumer group {group}"));
            report.deny(&what, &error, &config.identity(), ("look at", &grant))?;
        }
    }
    if count == 0 || !may_read {
        return Ok(Vec::new());
    }
    match look.newest(count) {
        Ok(records) if records.is_empty() => {
            report.note("records", "the input has no record to label")?;
            Ok(records)
        }
        Ok(records) => Ok(records),
        Err(error) => {
            report.fail("records", &chain(&error), "grant Read on the input topics")?;
            Ok(Vec::new())
        }
    }
}

/// Whether this user may read every input topic; each that it may not is a line.
fn may_read(config: &Config, topics: &[(String, i32)], report: &mut Report<'_>) -> Result<bool, CheckError> {
    let identity = config.identity();
    let rights = Rights::new(config.connection(), ANSWER_WITHIN);
    let before = report.failed();
    for (topic, _) in topics {
        if let Err(error) = rights.read(topic) {
            let grant = format!("Read and Describe on topic {topic}");
            report.deny(&format!("input topic {topic}"), &error, &identity, ("read", &grant))?;
        }
    }
    Ok(report.failed() == before)
}

/// Whether this user may join the group and commit for it, which looking at its offsets does not show.
fn may_commit(config: &Config, found: &str, report: &mut Report<'_>) -> Result<(), CheckError> {
    let identity = config.identity();
    let what = format!("group {}", identity.group);
    match Rights::new(config.connection(), ANSWER_WITHIN).commit(&identity.group) {
        Ok(()) => report.ok(&what, found),
        Err(error) => {
            let grant = format!("Read and Describe on consumer group {}", identity.group);
            report.deny(&what, &error, &identity, ("join", &grant))
        }
    }
}
