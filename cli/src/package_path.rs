//! Where a model package lies whose path is relative: in the working directory, else with this program.
//!
//! So the default, `models/banking77-minilm`, is found from any directory. It is not compiled into the binary: 23 MB of
//! weights would be in every copy and every test, and ONNX Runtime is a file beside the binary anyway. Three layouts are
//! known: an unpacked archive (`models/` beside the binary), an installation (`bin/labelstream` and
//! `share/labelstream/models/`), and a checkout (`target/debug/labelstream`).

use std::env;
use std::path::{Path, PathBuf};

/// How far above the binary `models/` may lie: `target/debug/deps` in a checkout.
const FOLDERS_UP: usize = 4;

/// The folder that a setting means. A path that exists nowhere stays as it is, for whoever opens it to complain of.
pub fn resolve(written: &Path) -> PathBuf {
    if written.is_absolute() || written.exists() {
        return written.to_owned();
    }
    let program = env::current_exe().and_then(|path| path.canonicalize());
    program.ok().and_then(|program| with_program(&program, written)).unwrap_or_else(|| written.to_owned())
}

fn with_program(program: &Path, written: &Path) -> Option<PathBuf> {
    program
        .ancestors()
        .skip(1)
        .take(FOLDERS_UP)
        .flat_map(|folder| [folder.to_owned(), folder.join("share/labelstream")])
        .map(|folder| folder.join(written))
        .find(|package| package.is_dir())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn with_the_program_in_a_checkout_an_installation_and_an_archive() {
        for (program, package) in [
            ("target/debug/labelstream", "models/a"),
            ("target/debug/deps/tests", "models/a"),
            ("bin/labelstream", "share/labelstream/models/a"),
            ("labelstream", "models/a"),
        ] {
            let root = TempDir::new().unwrap();
            fs::create_dir_all(root.path().join(package)).unwrap();
            let found = with_program(&root.path().join(program), Path::new("models/a"));
            assert_eq!(found, Some(root.path().join(package)), "{program}");
        }
    }

    #[test]
    fn what_is_nowhere_stays_as_written() {
        for written in ["/no/such/package", "no/such/package"] {
            assert_eq!(resolve(Path::new(written)), Path::new(written));
        }
    }
}
