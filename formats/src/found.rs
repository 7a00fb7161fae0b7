//! What a format is asked for in a record, and what it answers.

use schemas::{Reason, UserValue};

use crate::layout::{Layout, OnClash};
use crate::pointer::Pointer;
use crate::time::TimeUnit;

/// Where the parts of an event lie, and how its label will be written: a clash with the user's own members is found here.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) text: Pointer,
    pub(crate) id: Option<Pointer>,
    pub(crate) event_time: Option<Pointer>,
    pub(crate) event_time_unit: TimeUnit,
    pub(crate) on_clash: OnClash,
    pub(crate) layout: Layout,
}

/// What was found in a record.
pub(crate) struct Found {
    pub(crate) text: String,
    pub(crate) id: Option<String>,
    pub(crate) event_time_ms: Option<i64>,
    pub(crate) value: UserValue,
}

/// Why a record is rejected. Messages name places and sizes and never quote the payload: they go to logs.
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    pub(crate) error: String,
    /// It has no text because it tells of a deletion.
    pub(crate) is_deletion: bool,
}

impl Refusal {
    pub(crate) fn new(reason: Reason, error: impl Into<String>) -> Self {
        Self { reason, error: error.into(), is_deletion: false }
    }
}
