//! The model, and what drift would compare windows with.

use engine::Client;
use engine::load::Ready;
use service::chain;
use tokio_util::sync::CancellationToken;

use super::error::CheckError;
use super::report::Report;
use crate::error::WorkerError;
use crate::settings::Config;
use crate::{drift, model_source};

/// ONNX Runtime, the package with its digests, its golden texts and the warm-up.
pub(super) fn model(config: &Config, report: &mut Report<'_>) -> Result<Option<Client>, CheckError> {
    let loaded = model_source::model(config, &CancellationToken::new())
        .and_then(|model| engine::load::load_with_facts(&model).map_err(WorkerError::Model));
    match loaded {
        Ok(Ready { client, golden_texts, notes }) => {
            let model = client.model();
            report.ok("model", &format!("{} version {} loads, {}", model.name, model.version, golden(golden_texts)))?;
            report.detail(&model.digest)?;
            notes.iter().try_for_each(|note| report.note("model", note))?;
            Ok(Some(client))
        }
        Err(error) => {
            let fix = "see `labelstream model check`; model.package names the folder or address, `make tools` installs \
                       ONNX Runtime";
            report.fail("model", &chain(&error), fix)?;
            Ok(None)
        }
    }
}

/// What the golden texts of a package that loads have shown.
fn golden(texts: usize) -> String {
    match texts {
        0 => "and has no golden texts to verify its scores on this machine".to_owned(),
        1 => "and its golden text has its score".to_owned(),
        texts => format!("and its {texts} golden texts have their scores"),
    }
}

/// Whether the drift worker would have something to compare windows with.
pub(super) fn reference(config: &Config, model: Option<&Client>, report: &mut Report<'_>) -> Result<(), CheckError> {
    match drift::comparer(config, &CancellationToken::new()) {
        Ok(comparer) => {
            if let (Some(profile), Some(model), false) =
                (comparer.profile(), model, config.reference().allow_other_model())
                && let Err(error) = profile.check_model(model.model(), model.labels())
            {
                return report.note("drift", &format!("cannot {error}"));
            }
            let lengths: Vec<_> = config.drift().windows().granularities().iter().map(ToString::to_string).collect();
            let found = format!("windows of {} against a {} reference", lengths.join(", "), config.reference().kind());
            report.ok("drift", &found)
        }
        Err(error @ WorkerError::NoProfile { .. }) => report.note("drift", &format!("cannot {error}")),
        Err(error) => {
            let fix = "is reference.profile the file that `labelstream drift calibrate` wrote?";
            report.fail("drift", &chain(&error), fix)
        }
    }
}
