//! Kafka's own rule for the names of topics, which labelstream also keeps for the names of replicas.

/// What a name is made of, for messages.
pub const SIGNS: &str = "letters, digits, '.', '_' and '-'";

/// Whether Kafka takes a topic of this name.
pub fn is_valid(name: &str) -> bool {
    (1..=249).contains(&name.len())
        && name != "."
        && name != ".."
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn a_topic_is_named_as_kafka_allows_it() {
        for (name, expected) in
            [("a.b_c-1", true), ("", false), (".", false), ("..", false), ("a/b", false), ("ü", false)]
        {
            assert_eq!(is_valid(name), expected, "{name:?}");
        }
        assert!(is_valid(&"a".repeat(249)) && !is_valid(&"a".repeat(250)));
    }
}
