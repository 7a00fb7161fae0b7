//! How many events answered yes, of those that answered.

use super::coding::{CountsError, Reader, Writer};

/// Yes or no per event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    pub yes: u64,
    pub total: u64,
}

impl Share {
    pub(super) fn add(&mut self, yes: bool) {
        self.yes = self.yes.saturating_add(u64::from(yes));
        self.total = self.total.saturating_add(1);
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.yes = self.yes.saturating_add(other.yes);
        self.total = self.total.saturating_add(other.total);
    }

    /// 0..=1; `None` without events.
    pub fn share(self) -> Option<f64> {
        (self.total > 0).then(|| self.yes as f64 / self.total as f64)
    }

    pub(super) fn encode(self, writer: &mut Writer) {
        writer.number(self.yes);
        writer.number(self.total);
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, CountsError> {
        let (yes, total) = (reader.number()?, reader.number()?);
        if yes > total {
            return Err(CountsError::Corrupt("more answers of yes than answers"));
        }
        Ok(Self { yes, total })
    }
}
