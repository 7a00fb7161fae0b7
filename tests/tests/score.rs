//! `labelstream score`: rows of every kind of file come back with the labels that the stream would give them.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::process::labelstream;

/// Runs it in `folder`; exit code, stdout and stderr.
fn score(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let found = Command::new(labelstream())
        .arg("score")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (found.status.code(), text(&found.stdout), text(&found.stderr))
}

/// Scores `name` into `out`, which must go well; what it printed.
fn good(folder: &Path, arguments: &[&str]) -> String {
    let (code, stdout, stderr) = score(folder, arguments);
    assert_eq!(code, Some(0), "{arguments:?}\n{stdout}\n{stderr}");
    stdout
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("a file");
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
}

/// The texts of the package's golden file with the scores that the stream is held to.
fn golden() -> Vec<(String, String)> {
    let manifest = fs::read(tests::workspace::root().join("models/banking77-minilm/labelstream.json")).expect("a file");
    let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
    let golden = manifest["golden"].as_array().expect("golden texts");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    golden.iter().map(|golden| (text(&golden["text"]), text(&golden["label"]))).collect()
}

#[test]
fn every_kind_of_file_has_the_labels_of_the_stream() {
    let folder = TempDir::new().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    let golden = golden();
    let rows = golden.iter().map(|(text, _)| json!({"n": 1, "text": text}).to_string()).collect::<Vec<_>>().join("\n");
    fs::write(at("a.jsonl"), format!("{rows}\n{{\"text\": \" \"}}\n")).expect("a new file");
    let said = good(folder.path(), &["a.jsonl", "--out", "a.parquet", "--top-k", "2"]);
    assert!(said.contains(&format!("{} of {} rows labelled (blank text 1)", golden.len(), golden.len() + 1)), "{said}");
    good(folder.path(), &["a.parquet", "--out", "b.csv", "--prefix", "b_"]);
    good(folder.path(), &["b.csv", "--out", "c.jsonl", "--prefix", "c_"]);
    let rows = lines(&at("c.jsonl"));
    assert_eq!(rows.len(), golden.len() + 1);
    for (row, (text, label)) in rows.iter().zip(&golden) {
        assert_eq!(row["text"].as_str(), Some(text.as_str()), "rows keep their order");
        for of_run in ["predicted_label", "b_label", "c_label"] {
            assert_eq!(row[of_run].as_str(), Some(label.as_str()), "{of_run} of {text:?}");
        }
        let best: Value =
            serde_json::from_str(row["predicted_labels"].as_str().expect("JSON in a cell")).expect("JSON");
        assert_eq!((best.as_array().map(Vec::len), &best[0]["label"]), (Some(2), &row["predicted_label"]));
        assert_eq!(row["predicted_score"].as_str(), row["b_score"].as_str(), "the same score in every run");
    }
    let last = rows.last().expect("the blank row");
    assert_eq!((&last["predicted_label"], &last["c_error"]), (&json!(""), &json!("blank text")));
}

#[test]
fn what_cannot_be_scored_says_what_to_do_and_leaves_no_file() {
    let folder = TempDir::new().expect("a temporary folder");
    let write = |name: &str, content: &str| fs::write(folder.path().join(name), content).expect("a new file");
    write("a.csv", "id;text\n1;hello\n");
    write("blank.csv", "text,id\n,1\n,2\n");
    write("labeled.csv", "text,predicted_label\nhello,x\n");
    write("there.csv", "old\n");
    for (arguments, code, expected) in [
        (&["a.csv", "--out", "o.csv"][..], 1, "Use --delimiter ';'"),
        (&["blank.csv", "--out", "o.csv"], 1, "no text 2; is --text the text column?"),
        (&["labeled.csv", "--out", "o.csv"], 1, "choose other names with --prefix"),
        (&["labeled.csv", "--out", "there.csv"], 1, "overwrite it with --force"),
        (&["labeled.csv", "--out", "o.xlsx"], 1, "expected a name that ends in .csv"),
        (&["nosuch.csv", "--out", "o.csv"], 1, "open nosuch.csv"),
        (&["blank.csv", "--text", "body", "--out", "o.csv"], 1, "found \"text\", \"id\""),
        (&["blank.csv", "--out", "o.csv", "--model", "no/such/package"], 78, "no/such/package"),
        (&["blank.csv", "--out", "o.csv", "--delimiter", "ab"], 2, "one ASCII character"),
    ] {
        let (found, _, stderr) = score(folder.path(), arguments);
        assert_eq!(found, Some(code), "{arguments:?}\n{stderr}");
        assert!(stderr.contains(expected), "{arguments:?} does not say {expected:?}:\n{stderr}");
    }
    assert_eq!(fs::read_to_string(folder.path().join("there.csv")).expect("a file"), "old\n");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 4, "no output and no temporary file is left");
}
