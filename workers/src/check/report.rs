//! The lines of a check: ok, note, or FAIL with what to do about it.

use std::io::Write;

use kafka::error::ClientError;
use kafka::identity::Identity;
use service::chain;

use super::error::CheckError;

/// Where the lines go, and how many say FAIL.
pub(super) struct Report<'a> {
    out: &'a mut dyn Write,
    failed: usize,
}

impl<'a> Report<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self { out, failed: 0 }
    }

    /// Lines that say FAIL.
    pub(super) fn failed(&self) -> usize {
        self.failed
    }

    pub(super) fn ok(&mut self, what: &str, found: &str) -> Result<(), CheckError> {
        self.line(&format!("ok    {what}: {found}"))
    }

    /// Good enough to start with, and worth knowing.
    pub(super) fn note(&mut self, what: &str, found: &str) -> Result<(), CheckError> {
        self.line(&format!("note  {what}: {found}"))
    }

    pub(super) fn fail(&mut self, what: &str, found: &str, fix: &str) -> Result<(), CheckError> {
        self.failed += 1;
        self.line(&format!("FAIL  {what}: {found}\n      -> {fix}"))
    }

    /// A right that is denied, or an answer of another kind. What may not be done, and what to grant.
    pub(super) fn deny(
        &mut self,
        what: &str,
        error: &ClientError,
        identity: &Identity,
        (deed, grant): (&str, &str),
    ) -> Result<(), CheckError> {
        if error.is_denied() {
            self.fail(what, &format!("{} may not {deed} it", identity.principal()), &format!("grant it {grant}"))
        } else {
            self.fail(what, &chain(error), "try again, and check the brokers' logs")
        }
    }

    pub(super) fn detail(&mut self, text: &str) -> Result<(), CheckError> {
        self.line(&format!("      {text}"))
    }

    fn line(&mut self, text: &str) -> Result<(), CheckError> {
        writeln!(self.out, "{text}").and_then(|()| self.out.flush()).map_err(CheckError::Write)
    }
}
