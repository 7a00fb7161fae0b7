//! What to do about an error: callers match on this, never on library types or texts.

/// The one way to recover that an error allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// The same call may succeed: the adapter repeats it within a budget, invisible outside.
    Retry,
    /// Abort, go back to the committed offsets, run again.
    Rewind,
    /// Nothing in this process can help: log once, exit non-zero; the next start settles what was left open.
    Exit,
}
