//! What is found, and what is raised for nothing: our defaults beside Evidently's on the same windows.
//!
//! `bench/drift/events.py` labels public texts and draws the windows, `bench/drift/judge_evidently.py` judges them with
//! Evidently's defaults; both leave JSON lines in one folder, which this reads. Each window stands alone here, so
//! persistence is set to one of one window.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use drift::observation::Observation;
use drift::reference::ClosedWindows;
use serde_json::Value;

use super::judge::{self, Fallible, Judgement};

/// What `events.py` writes.
const DATA_SETS: [&str; 3] = ["clinc150", "nvd_cve", "commits_angular_cli"];

/// Ours under two budgets: as shipped for hourly windows, and at the level that Evidently's tests claim.
const BUDGETS: [(&str, &str); 2] = [("1 per week", "ours, 1 per week"), ("8.4 per week", "ours, 5 % of windows")];

/// One window, as both tools judged it.
struct Judged {
    scenario: String,
    ours: [Judgement; BUDGETS.len()],
    evidently: Option<Evidently>,
}

/// Evidently's verdicts: on the whole, and the columns that drifted.
struct Evidently {
    dataset: bool,
    columns: BTreeSet<String>,
}

/// Judges every window in `folder`, and prints the tables; `score_distance_min` replaces `verdict.score_distance_min`.
///
/// # Errors
/// When a file is missing or not as the scripts write it.
pub fn run(folder: &Path, score_distance_min: Option<f64>) -> Fallible<()> {
    for name in DATA_SETS {
        let windows = judged(folder, name, score_distance_min)?;
        println!("\n### {name}\n");
        let mut scenarios: Vec<&str> = Vec::new();
        for window in &windows {
            if !scenarios.contains(&window.scenario.as_str()) {
                scenarios.push(&window.scenario);
            }
        }
        let of = |scenario: &str| windows.iter().filter(|window| window.scenario == scenario).collect::<Vec<_>>();
        let (drawn, single): (Vec<&str>, Vec<&str>) = scenarios.iter().partition(|scenario| of(scenario).len() > 1);
        print_rates(&drawn, of);
        print_features(&drawn, of);
        print_single(&single, of);
    }
    Ok(())
}

fn judged(folder: &Path, name: &str, score_distance_min: Option<f64>) -> Fallible<Vec<Judged>> {
    let events = judge::events(&folder.join(format!("{name}.events.jsonl")), |_| ())?;
    let mut theirs = lines(&folder.join(format!("{name}.evidently.jsonl"))).ok();
    if theirs.is_none() {
        eprintln!("{name}: no verdicts of Evidently; bench/drift/judge_evidently.py makes them");
    }
    let mut windows = Vec::new();
    for window in lines(&folder.join(format!("{name}.windows.jsonl")))? {
        let window = window?;
        let evidently = theirs.as_mut().and_then(Iterator::next).transpose()?;
        let scenario = window["scenario"].as_str().ok_or("a window has a scenario")?.to_owned();
        if let Some(verdict) = &evidently
            && ["scenario", "draw"].iter().any(|key| verdict[key] != window[key])
        {
            return Err(format!("{name}: Evidently judged other windows than these").into());
        }
        let ours = ours(&events, &window, score_distance_min)?;
        windows.push(Judged { scenario, ours, evidently: evidently.as_ref().map(read_evidently) });
    }
    Ok(windows)
}

fn lines(file: &Path) -> Fallible<impl Iterator<Item = Fallible<Value>> + use<>> {
    let file = File::open(file).map_err(|error| format!("read {}: {error}", file.display()))?;
    Ok(BufReader::new(file).lines().map(|line| Ok(serde_json::from_str(&line?)?)))
}

fn ours(
    events: &[Observation],
    window: &Value,
    score_distance_min: Option<f64>,
) -> Fallible<[Judgement; BUDGETS.len()]> {
    let chosen = |key: &str| -> Fallible<Vec<&Observation>> {
        let rows = window[key].as_array().ok_or("a window lists its events")?;
        let event = |row: &Value| row.as_u64().and_then(|row| events.get(usize::try_from(row).ok()?));
        rows.iter().map(|row| event(row).ok_or_else(|| format!("there is no event {row}").into())).collect()
    };
    let (reference, current) = (judge::count(chosen("reference")?), judge::count(chosen("rows")?));
    let hour = judge::hour();
    let [shipped, five] = BUDGETS.map(|(budget, _)| {
        let verdict = judge::verdict(|settings| {
            budget.clone_into(&mut settings.false_alarm_budget);
            (settings.persistence_flagged, settings.persistence_windows) = (1, 1);
            settings.score_distance_min = score_distance_min.unwrap_or(settings.score_distance_min);
        })?;
        let comparer = judge::comparer(verdict, &[hour], reference.clone())?;
        Fallible::Ok(judge::judge(&comparer, hour.window(0), current.clone(), &ClosedWindows::default()))
    });
    Ok([shipped?, five?])
}

fn read_evidently(verdict: &Value) -> Evidently {
    let columns = verdict["columns"].as_object().into_iter().flatten();
    let drifted = columns.filter(|(_, column)| column["drifted"] == true).map(|(name, _)| name.clone());
    Evidently { dataset: verdict["dataset"] == true, columns: drifted.collect() }
}

/// Shares of windows that were called something, in percent.
fn print_rates<'a>(scenarios: &[&str], of: impl Fn(&str) -> Vec<&'a Judged>) {
    println!("Share of windows with an alarm. *Sure* is a finding of any size; *drift* is sure and large.\n");
    print!("| windows | draws |");
    BUDGETS.iter().for_each(|(_, title)| print!(" {title}: drift | sure |"));
    println!(" Evidently: data set | any column |");
    println!("|---|---|{}---|---|", "---|---|".repeat(BUDGETS.len()));
    for scenario in scenarios {
        let windows = of(scenario);
        print!("| {scenario} | {} |", windows.len());
        for place in 0..BUDGETS.len() {
            print!(" {} |", share(&windows, |window| Some(!window.ours[place].drifted.is_empty())));
            print!(" {} |", share(&windows, |window| Some(!window.ours[place].sure.is_empty())));
        }
        print!(" {} |", share(&windows, |window| Some(window.evidently.as_ref()?.dataset)));
        println!(" {} |", share(&windows, |window| Some(!window.evidently.as_ref()?.columns.is_empty())));
    }
}

/// The same by feature: which of them found it.
fn print_features<'a>(scenarios: &[&str], of: impl Fn(&str) -> Vec<&'a Judged>) {
    for (title, is_ours) in [("ours at 5 % of windows, sure", true), ("Evidently, by column", false)] {
        let features = |window: &Judged| match (is_ours, &window.evidently) {
            (true, _) => window.ours[1].sure.clone(),
            (false, theirs) => theirs.as_ref().map(|theirs| theirs.columns.clone()).unwrap_or_default(),
        };
        let all: BTreeSet<String> = scenarios.iter().flat_map(|scenario| of(scenario)).flat_map(features).collect();
        println!("\nBy feature, {title}:\n");
        println!("| windows |{}", all.iter().map(|name| format!(" {name} |")).collect::<String>());
        println!("|---|{}", "---|".repeat(all.len()));
        for scenario in scenarios {
            let windows = of(scenario);
            let cell =
                |name: &String| format!(" {} |", share(&windows, |window| Some(features(window).contains(name))));
            println!("| {scenario} |{}", all.iter().map(cell).collect::<String>());
        }
    }
}

/// Windows that are there once, with what each tool says about them.
fn print_single<'a>(scenarios: &[&str], of: impl Fn(&str) -> Vec<&'a Judged>) {
    if scenarios.is_empty() {
        return;
    }
    println!("\nWindows of later time, one by one:\n");
    println!("| window | ours: drift | ours: sure, small | Evidently: data set | columns |");
    println!("|---|---|---|---|---|");
    for window in scenarios.iter().flat_map(|scenario| of(scenario)) {
        let Judgement { drifted, sure, .. } = &window.ours[0];
        let small: BTreeSet<String> = sure.difference(drifted).cloned().collect();
        let (dataset, columns) = match &window.evidently {
            Some(theirs) => (if theirs.dataset { "drift" } else { "-" }, list(&theirs.columns)),
            None => ("", String::new()),
        };
        println!("| {} | {} | {} | {dataset} | {columns} |", window.scenario, list(drifted), list(&small));
    }
}

fn list(names: &BTreeSet<String>) -> String {
    // Classes have a feature each; they are one thing here.
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for name in names {
        *kinds.entry(name.split_once(':').map_or(name.as_str(), |(kind, _)| kind)).or_default() += 1;
    }
    let text = |(kind, count): (&str, usize)| if count > 1 { format!("{kind} x {count}") } else { kind.to_owned() };
    if names.is_empty() { "-".to_owned() } else { kinds.into_iter().map(text).collect::<Vec<_>>().join(", ") }
}

/// The share of windows of which `is_so` is true, in percent; a dash where nothing is known.
fn share(windows: &[&Judged], is_so: impl Fn(&Judged) -> Option<bool>) -> String {
    let known: Vec<bool> = windows.iter().filter_map(|window| is_so(window)).collect();
    if known.is_empty() {
        return "-".to_owned();
    }
    let hits = known.iter().filter(|is_so| **is_so).count();
    format!("{:.1} %", 100.0 * hits as f64 / known.len() as f64)
}
