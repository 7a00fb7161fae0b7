//! Finds and starts ONNX Runtime, which is a shared library and not part of the binary.
//!
//! It is looked for in four places, and the file is known to exist before it is loaded. The library allows one
//! environment per process, so that is kept here: the only state of the process that this crate has.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;

/// Names the library itself; the first place that is looked at.
pub const LIBRARY_VARIABLE: &str = "ORT_DYLIB_PATH";
/// Where an installation has the library: beside `bin`, which has the binary.
const LIBRARY_FOLDER: &str = "lib/labelstream";
/// Where `make` puts the library: above the binary in a checkout, or in the working directory or a folder above it.
const TOOLS_FOLDER: &str = ".tools/onnxruntime";

/// Why ONNX Runtime cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    #[error("start ONNX Runtime: {LIBRARY_VARIABLE} names {file}, which is not a file")]
    NamedFileMissing { file: PathBuf },
    #[error(
        "start ONNX Runtime: found no {library}: not named by {LIBRARY_VARIABLE}, not beside the binary ({beside}), \
         not in ../{LIBRARY_FOLDER} from there, not in {TOOLS_FOLDER} of {working} or a parent folder of either (`make tools` installs it there)"
    )]
    NotFound { library: String, beside: PathBuf, working: PathBuf },
    #[error("start ONNX Runtime from {file}")]
    Load { file: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
}

static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);

/// The environment of this process, started on the first call.
pub(super) fn environment() -> Result<Environment, RuntimeError> {
    let mut started = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = started.as_ref() {
        return Ok(environment.clone());
    }
    let file = Search::of_this_process().find()?;
    let environment = start(&file).map_err(|source| RuntimeError::Load { file, source })?;
    Ok(started.insert(environment).clone())
}

fn start(file: &Path) -> Result<Environment, Box<dyn std::error::Error + Send + Sync>> {
    // What fails is also returned as an error, so the library's own messages are detail.
    let logger = |_: LogLevel, category: &str, _: &str, place: &str, message: &str| {
        tracing::debug!(category, place, message, "onnx runtime");
    };
    let environment =
        ort::init_from(file)?.with_name("labelstream").with_telemetry(false).with_logger(Arc::new(logger)).build()?;
    environment.set_log_level(LogLevel::Error);
    Ok(environment)
}

/// Where the library is looked for.
#[derive(Debug)]
struct Search {
    named: Option<PathBuf>,
    library: String,
    beside: PathBuf,
    working: PathBuf,
}

impl Search {
    fn of_this_process() -> Self {
        let beside = env::current_exe().ok().and_then(|file| file.parent().map(Path::to_owned));
        Self {
            named: env::var_os(LIBRARY_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from),
            library: format!("{}onnxruntime{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX),
            beside: beside.unwrap_or_default(),
            working: env::current_dir().unwrap_or_default(),
        }
    }

    fn find(self) -> Result<PathBuf, RuntimeError> {
        if let Some(file) = self.named {
            return if file.is_file() { Ok(file) } else { Err(RuntimeError::NamedFileMissing { file }) };
        }
        let tools = self.working.ancestors().chain(self.beside.ancestors()).map(|folder| folder.join(TOOLS_FOLDER));
        let installed = self.beside.parent().map(|prefix| prefix.join(LIBRARY_FOLDER));
        std::iter::once(self.beside.clone())
            .chain(installed)
            .chain(tools)
            .map(|folder| folder.join(&self.library))
            .find(|file| file.is_file())
            .ok_or(RuntimeError::NotFound { library: self.library, beside: self.beside, working: self.working })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn looks_at_the_variable_then_beside_the_binary_then_in_the_tools_folder_above() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let search = |named: Option<&str>| Search {
            named: named.map(|name| root.path().join(name)),
            library: "libort.so".to_owned(),
            beside: root.path().join("bin"),
            working: root.path().join("project/deep"),
        };
        let put = |file: &str| {
            let file = root.path().join(file);
            fs::create_dir_all(file.parent().expect("inside the root")).expect("writable");
            fs::write(&file, "").expect("writable");
            file
        };
        let error = search(None).find().expect_err("nothing is there yet").to_string();
        for place in ["ORT_DYLIB_PATH", "bin", ".tools/onnxruntime", "make tools"] {
            assert!(error.contains(place), "{error}");
        }
        let own = put("bin/.tools/onnxruntime/libort.so");
        assert_eq!(search(None).find().expect("in the tools folder above the binary"), own);
        let tools = put("project/.tools/onnxruntime/libort.so");
        assert_eq!(search(None).find().expect("in the tools folder"), tools);
        let installed = put("lib/labelstream/libort.so");
        assert_eq!(search(None).find().expect("in the installation"), installed);
        let beside = put("bin/libort.so");
        assert_eq!(search(None).find().expect("beside the binary"), beside);
        let error = search(Some("own.so")).find().expect_err("the named file is missing").to_string();
        assert!(error.contains("own.so"), "{error}");
        let named = put("own.so");
        assert_eq!(search(Some("own.so")).find().expect("named"), named);
    }
}
