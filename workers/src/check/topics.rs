//! The brokers and the topics: what is there, and with how many partitions.

use kafka::topic_state::TopicState;
use kafka::topics::describe;
use service::chain;

use super::error::CheckError;
use super::report::Report;
use crate::brokers::ANSWER_WITHIN;
use crate::settings::Config;

/// What the cluster says of the topics.
pub(super) struct Topics {
    pub(super) input: Vec<(String, i32)>,
    /// Those that exist.
    pub(super) outputs: Vec<String>,
}

/// The broker, and every topic with its partitions; `None` when nothing more can be asked.
pub(super) fn check(config: &Config, report: &mut Report<'_>) -> Result<Option<Topics>, CheckError> {
    let brokers = config.connection().brokers();
    let names: Vec<_> = config.source().topics().iter().map(String::as_str).collect();
    let inputs = match describe(config.connection(), &names, ANSWER_WITHIN) {
        Ok(inputs) => inputs,
        Err(error) => {
            let fix =
                "is kafka.brokers (--brokers) right, is the broker running, do security_protocol and SASL match it?";
            report.fail("broker", &chain(&error), fix)?;
            return Ok(None);
        }
    };
    report.ok("broker", &format!("{brokers} answers"))?;
    let mut input = Vec::new();
    for topic in &inputs {
        match topic.partitions {
            Some(partitions) => {
                report.ok(&format!("input topic {}", topic.name), &partitions_of(partitions))?;
                input.push((topic.name.clone(), partitions));
            }
            None => missing(report, "input", topic, "create it, or correct source.topics (--input)")?,
        }
    }
    let widest = input.iter().map(|(_, partitions)| *partitions).max().unwrap_or(0);
    let outputs = check_outputs(config, widest, report)?;
    Ok((input.len() == inputs.len()).then_some(Topics { input, outputs }))
}

/// The output topics that exist.
fn check_outputs(config: &Config, widest: i32, report: &mut Report<'_>) -> Result<Vec<String>, CheckError> {
    let sink = config.sink();
    let names = [sink.output_topic(), sink.dead_letter_topic()];
    let mut exist = Vec::new();
    for topic in describe(config.connection(), &names, ANSWER_WITHIN)? {
        let what = format!("output topic {}", topic.name);
        match topic.partitions {
            Some(partitions) => {
                exist.push(topic.name.clone());
                report.ok(&what, &partitions_of(partitions))?;
                if partitions < widest {
                    let found =
                        format!("fewer than the input's {widest}: records of higher partitions go to other partitions");
                    report.note(&what, &found)?;
                }
            }
            None if sink.create_topics() && !topic.is_forbidden => {
                report.note(&what, "does not exist; classify will create it (sink.create_topics)")?;
            }
            None => missing(report, "output", &topic, "create it, or set sink.create_topics = true")?,
        }
    }
    Ok(exist)
}

fn partitions_of(partitions: i32) -> String {
    let noun = if partitions == 1 { "partition" } else { "partitions" };
    format!("{partitions} {noun}")
}

fn missing(report: &mut Report<'_>, kind: &str, topic: &TopicState, fix: &str) -> Result<(), CheckError> {
    let what = format!("{kind} topic {}", topic.name);
    if topic.is_forbidden {
        let right = if kind == "input" { "Read" } else { "Write" };
        report.fail(
            &what,
            "this user may not see it",
            &format!("grant it {right} and Describe on topic {}", topic.name),
        )
    } else {
        report.fail(&what, "does not exist", fix)
    }
}
