//! Where things lie in the checkout, and how a test says that it could not run.

use std::env;
use std::io::{self, Write};
use std::path::PathBuf;

/// The root of the checkout.
#[must_use]
pub fn root() -> PathBuf {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    tests.parent().map_or(tests.clone(), PathBuf::from)
}

/// A folder that `make tools` fills, such as `kafka` or `python`.
#[must_use]
pub fn tool(name: &str) -> PathBuf {
    root().join(".tools").join(name)
}

/// A data set in the optional folder beside the checkout, when it is there.
#[must_use]
pub fn dataset(name: &str) -> Option<PathBuf> {
    let path = root().join("../shared/datasets").join(name);
    path.exists().then_some(path)
}

/// Says on the terminal that a test did not run, past the test runner's capture.
pub fn skip(test: &str, why: &str) {
    writeln!(io::stderr(), "SKIPPED {test}: {why}").ok();
}

/// Skips what needs a tool that `make tools` installs; under `CI` a missing tool is a failure.
///
/// # Panics
/// When the environment sets `CI`: there, `make test` has installed the tool, or is broken.
pub fn skip_without_tool(test: &str, tool: &str) {
    assert!(env::var_os("CI").is_none(), "{test} needs {tool}, which `make tools` installs, and CI may not skip");
    skip(test, &format!("{tool} is not installed; run: make tools"));
}
