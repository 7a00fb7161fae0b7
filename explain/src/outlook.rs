//! What a profile is and what to expect of it, for a terminal: what `drift calibrate` prints.

use drift::calibrate::power::Detectable;
use drift::calibrate::{Calibrated, Outlook};

use crate::figures::{grouped, probability, span, tame, value};

/// A paragraph about the profile at `place`, and one about each length of window.
pub fn outlook(calibrated: &Calibrated, place: &str) -> String {
    let about = calibrated.profile.about();
    let records = grouped(about.records);
    let model = tame(&format!("{} {}", about.model.name, about.model.version), 80);
    let mut text = format!(
        "{place}: {records} records of {}, model {model}\n{}\n\nexpected false alarms: at most {} per week\n",
        span(about.first_ms, about.last_ms),
        calibrated.profile.id(),
        value(calibrated.alarms_per_week())
    );
    for outlook in &calibrated.outlooks {
        write_outlook(&mut text, outlook);
    }
    text
}

fn write_outlook(text: &mut String, outlook: &Outlook) {
    let Outlook { granularity, windows, records_per_window, alpha, alarms_per_week, trial, detectable } = outlook;
    let mut line = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    line(format!(
        "\nwindows of {granularity}: {windows} seen, {records_per_window:.0} records each, level {}, {} alarms per \
         week",
        probability(*alpha),
        value(*alarms_per_week)
    ));
    match trial {
        Some(trial) => line(format!(
            "  each compared with the others: {} of {} drift, {} warn",
            trial.drift, trial.windows, trial.warned
        )),
        None => line("  too few windows to compare them with each other".to_owned()),
    }
    if detectable.is_empty() {
        return line("  too few records per window to detect anything".to_owned());
    }
    line("  smallest change detected 4 times out of 5:".to_owned());
    line(format!("    {:<20} {:<38} {:>10} {:>10}  unit", "feature", "what", "warn", "drift"));
    for Detectable { feature, what, unit, sure, large } in detectable {
        let size = |size: &Option<f64>| size.map_or("none".to_owned(), value);
        let (feature, what) = (tame(feature, 20), tame(what, 38));
        line(format!("    {feature:<20} {what:<38} {:>10} {:>10}  {unit}", size(sure), size(large)));
    }
}
