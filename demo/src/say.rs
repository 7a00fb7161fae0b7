//! Words of the demo beside its screen.

use std::io::{self, Write};

use crate::error::DemoError;

/// Writes to stdout at once.
pub(crate) fn say(text: &str) -> Result<(), DemoError> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(DemoError::Stdout)
}
