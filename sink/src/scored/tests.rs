//! Files of answers, read back.

use std::fs;
use std::fs::File;
use std::sync::Arc;

use arrow::array::{Array, AsArray, Int64Array, StringArray, StructArray};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use schemas::{Label, Labels};
use tempfile::TempDir;

use super::*;

fn answers() -> Vec<RowAnswer> {
    let top = vec![Label { label: "good".into(), score: 0.75 }, Label { label: "bad".into(), score: 0.25 }];
    let sure = Labels { label: Some("good".into()), score: Some(0.75), top, value: None };
    let abstained = Labels { label: None, score: Some(0.5), top: Vec::new(), value: None };
    vec![Ok(sure), Ok(abstained), Err("no text".to_owned())]
}

fn rows() -> RecordBatch {
    let schema = Schema::new(vec![Field::new("id", DataType::Int64, true), Field::new("text", DataType::Utf8, true)]);
    let ids = Int64Array::from(vec![Some(1), None, Some(3)]);
    let texts = StringArray::from(vec![Some("a, \"b\""), Some("c"), None]);
    RecordBatch::try_new(Arc::new(schema), vec![Arc::new(ids), Arc::new(texts)]).expect("three rows")
}

/// The content of a file of that name, written from columns.
fn written(name: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join(name);
    let mut file = ScoredFile::create(&path, "predicted_", true, false).expect("a new file");
    file.write_columns(&rows(), &answers()).expect("written");
    assert!(!path.exists(), "nothing stands under the name before the end");
    file.finish().expect("whole");
    (folder, path)
}

#[test]
fn csv_keeps_the_cells_and_has_the_labels_as_json() {
    let (_folder, path) = written("a.csv");
    let expected = "id,text,predicted_label,predicted_score,predicted_labels,predicted_error\n\
        1,\"a, \"\"b\"\"\",good,0.75,\"[{\"\"label\"\":\"\"good\"\",\"\"score\"\":0.75},{\"\"label\"\":\"\"bad\"\",\"\"score\"\":0.25}]\",\n\
        ,c,,0.5,[],\n\
        3,,,,,no text\n";
    assert_eq!(fs::read_to_string(path).expect("a file"), expected);
}

#[test]
fn json_lines_have_the_same_members_from_columns_and_from_objects() {
    let (_folder, path) = written("a.jsonl");
    let from_columns = fs::read_to_string(path).expect("a file");
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("b.jsonl");
    let objects = [r#"{"id":1,"text":"a, \"b\""}"#, r#"{"id":null,"text":"c"}"#, r#"{"id":3,"text":null}"#];
    let objects: Vec<Fields> = objects.iter().map(|object| serde_json::from_str(object).expect("an object")).collect();
    let mut file = ScoredFile::create(&path, "predicted_", true, false).expect("a new file");
    file.write_members(&objects, &answers()).expect("written");
    file.finish().expect("whole");
    assert_eq!(fs::read_to_string(path).expect("a file"), from_columns);
    assert!(from_columns.starts_with(
        r#"{"id":1,"text":"a, \"b\"","predicted_label":"good","predicted_score":0.75,"predicted_labels":[{"label":"good""#
    ));
}

#[test]
fn the_values_of_objects_stay_as_they_were_written() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("a.jsonl");
    let object: Fields =
        serde_json::from_str(r#"{"n": 1.50, "big": 12345678901234567890123, "x": {"a" : []}}"#).expect("an object");
    let mut file = ScoredFile::create(&path, "p_", false, false).expect("a new file");
    file.write_members(&[object], &answers()[2..]).expect("written");
    file.finish().expect("whole");
    let expected = "{\"n\":1.50,\"big\":12345678901234567890123,\"x\":{\"a\" : []},\"p_label\":null,\"p_score\":null,\"p_error\":\"no text\"}\n";
    assert_eq!(fs::read_to_string(path).expect("a file"), expected);
}

#[test]
fn parquet_keeps_types_and_nulls() {
    let (_folder, path) = written("a.parquet");
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).expect("a file")).expect("Parquet");
    let batch = reader.build().expect("readable").next().expect("rows").expect("readable");
    assert_eq!(batch.column_by_name("id"), rows().column_by_name("id"));
    let labels = batch.column_by_name("predicted_labels").expect("a column").as_list::<i32>().value(0);
    let labels: &StructArray = labels.as_struct();
    assert_eq!(labels.column(0).as_string::<i32>().value(1), "bad");
    assert_eq!(batch.column_by_name("predicted_error").expect("a column").null_count(), 2);
}

#[test]
fn what_cannot_be_written_says_what_to_do_and_leaves_nothing_behind() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    let fails = |found: Result<ScoredFile, ScoredError>, expected: &str| {
        let found = found.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(found.contains(expected), "{found}");
    };
    fails(ScoredFile::create(&path("a.txt"), "p_", false, false), "ends in .csv");
    fs::write(path("there.csv"), "old").expect("a new file");
    fails(ScoredFile::create(&path("there.csv"), "p_", false, false), "overwrite it with --force");
    let mut clash = ScoredFile::create(&path("b.csv"), "", false, false).expect("a new file");
    let labelled = rows().schema().fields().iter().map(|field| field.as_ref().clone()).collect::<Vec<_>>();
    let schema = Schema::new(vec![labelled[0].clone(), Field::new("label", DataType::Utf8, true)]);
    let batch = RecordBatch::try_new(Arc::new(schema), rows().columns().to_vec()).expect("three rows");
    let error = clash.write_columns(&batch, &answers()).expect_err("the name is taken").to_string();
    assert!(error.contains("has a column \"label\"; choose other names with --prefix"), "{error}");
    drop(clash);
    let mut whole = ScoredFile::create(&path("there.csv"), "p_", false, true).expect("may be overwritten");
    whole.write_columns(&rows(), &answers()).expect("written");
    assert_eq!(fs::read_to_string(path("there.csv")).expect("a file"), "old", "until the new one is whole");
    whole.finish().expect("whole");
    assert!(fs::read_to_string(path("there.csv")).expect("a file").starts_with("id,text,p_label"));
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "no temporary file is left");
}
