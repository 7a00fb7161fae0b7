//! Finds a model package by relative path: in the working directory or above it, else beside this program.
//!
//! ONNX Runtime is looked for in the same places. So the default, `models/banking77-minilm`, is found from any directory. It is not compiled into the binary: 23 MB of
//! weights would be in every copy and every test, and ONNX Runtime is a file beside the binary anyway. Three layouts are
//! known: an unpacked archive (`models/` beside the binary), an installation (`bin/labelstream` and
//! `share/labelstream/models/`), and a checkout (`target/debug/labelstream`).

use std::env;
use std::path::{Path, PathBuf};

/// How far above the binary `models/` may lie: `target/debug/deps` in a checkout.
const FOLDERS_UP: usize = 4;

/// The folder that a setting means. A path that exists nowhere stays as it is: opening it fails with a message.
pub fn resolve(written: &Path) -> PathBuf {
    if written.is_absolute() {
        return written.to_owned();
    }
    let working = env::current_dir().unwrap_or_default();
    let program = env::current_exe().and_then(|path| path.canonicalize()).unwrap_or_default();
    find(&working, &program, written).unwrap_or_else(|| written.to_owned())
}

fn find(working: &Path, program: &Path, written: &Path) -> Option<PathBuf> {
    let with_program = program
        .ancestors()
        .skip(1)
        .take(FOLDERS_UP)
        .flat_map(|folder| [folder.to_owned(), folder.join("share/labelstream")]);
    working
        .ancestors()
        .map(Path::to_owned)
        .chain(with_program)
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
            let found = find(Path::new("/no/such/folder"), &root.path().join(program), Path::new("models/a"));
            assert_eq!(found, Some(root.path().join(package)), "{program}");
        }
    }

    #[test]
    fn the_working_directory_comes_first_then_the_folders_above_it() {
        let root = TempDir::new().unwrap();
        let program = root.path().join("target/debug/labelstream");
        fs::create_dir_all(root.path().join("models/a")).unwrap();
        fs::create_dir_all(root.path().join("tests/deep")).unwrap();
        let found = |working: &str| find(&root.path().join(working), &program, Path::new("models/a"));
        assert_eq!(found("tests/deep"), Some(root.path().join("models/a")));
        fs::create_dir_all(root.path().join("tests/models/a")).unwrap();
        assert_eq!(found("tests/deep"), Some(root.path().join("tests/models/a")));
    }

    #[test]
    fn what_is_nowhere_stays_as_written() {
        for written in ["/no/such/package", "no/such/package"] {
            assert_eq!(resolve(Path::new(written)), Path::new(written));
        }
    }
}
