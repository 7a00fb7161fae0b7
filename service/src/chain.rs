//! An error with its causes, on one line: the only place where an error chain becomes text.

use std::error::Error;

/// The text of an error and of all that caused it. A cause that its effect ends with already, as libraries often have
/// it, is not said again.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !line.ends_with(&text) {
            line = format!("{line}: {text}");
        }
        next = cause.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("read the file{}", if *.repeats { ": no such file" } else { "" })]
    struct Outer {
        repeats: bool,
        source: Inner,
    }

    #[derive(Debug, thiserror::Error)]
    #[error("no such file")]
    struct Inner;

    #[test]
    fn every_cause_is_said_once() {
        for repeats in [false, true] {
            assert_eq!(chain(&Outer { repeats, source: Inner }), "read the file: no such file");
        }
        assert_eq!(chain(&Inner), "no such file");
    }
}
