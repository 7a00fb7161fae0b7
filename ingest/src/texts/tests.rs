//! Every kind of file, and what is wrong with them.

use std::fs;
use std::io::Write;

use arrow::datatypes::DataType;
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use super::*;

fn options(column: &str) -> TextFileOptions {
    TextFileOptions { column: column.to_owned(), delimiter: None, as_columns: false }
}

/// The texts of a file with this name and content.
fn read(name: &str, content: &[u8], options: &TextFileOptions) -> Result<Vec<RowText>, String> {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join(name);
    fs::write(&path, content).expect("a new file");
    let chain = |error: TextFileError| service::chain(&error);
    let file = TextFile::open(&path, options).map_err(chain)?;
    file.map(|chunk| chunk.map(|chunk| chunk.texts).map_err(chain))
        .collect::<Result<Vec<_>, _>>()
        .map(|all| all.concat())
}

fn check(name: &str, content: &str, column: &str, expected: &[RowText]) {
    assert_eq!(read(name, content.as_bytes(), &options(column)).as_deref(), Ok(expected), "{name} {content:?}");
}

fn fails(name: &str, content: &[u8], column: &str, expected: &str) {
    let found = read(name, content, &options(column)).expect_err("the file cannot be read");
    assert!(found.contains(expected), "{name}: {found}");
}

fn good(text: &str) -> RowText {
    Ok(text.to_owned())
}

#[test]
fn each_kind_of_file_gives_its_texts() {
    let rows = [good("a b"), Err(RowProblem::Missing), good("c, \"d\"\ne"), Err(RowProblem::Blank)];
    check("a.csv", "id,text\n1,a b\n2,\n3,\"c, \"\"d\"\"\ne\"\n4,  \n", "text", &rows);
    check("a.tsv", "id\ttext\n1\ta b\n", "text", &[good("a b")]);
    check("a.csv", "\u{feff}text,id\r\na b,1\r\n", "text", &[good("a b")]);
    let lines =
        "{\"text\":\"a b\"}\n\n{\"text\":null}\n{\"text\":\"c, \\\"d\\\"\\ne\"}\n{\"text\":\" \"}\n{\"text\":5}\n{}";
    let more = [&rows[..], &[Err(RowProblem::NotText), Err(RowProblem::Missing)]].concat();
    for name in ["a.jsonl", "a.ndjson", "A.JSON"] {
        check(name, lines, "text", &more);
    }
    let columns = TextFileOptions { as_columns: true, ..options("text") };
    assert_eq!(read("a.jsonl", lines.as_bytes(), &columns).as_deref(), Ok(&more[..]), "the same as columns");
}

#[test]
fn a_gzipped_file_is_unpacked() {
    for (name, content) in [("a.csv.gz", "text\nhello\n"), ("a.jsonl.gz", "{\"text\": \"hello\"}")] {
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(content.as_bytes()).expect("in memory");
        let bytes = packed.finish().expect("in memory");
        assert_eq!(read(name, &bytes, &options("text")), Ok(vec![good("hello")]), "{name}");
    }
}

#[test]
fn a_column_is_found_without_regard_to_case_and_outer_spaces_and_by_a_pointer() {
    check("a.csv", "id, Text \n1,a\n", "text", &[good("a")]);
    check("a.jsonl", "{\"Text\": \"a\"}", "text", &[good("a")]);
    check("a.csv", "Text,text\na,b\n", "text", &[good("b")]);
    check(
        "a.jsonl",
        "{\"mail\": {\"body\": \"a\"}}\n{\"mail\": 1}",
        "/mail/body",
        &[good("a"), Err(RowProblem::Missing)],
    );
}

#[test]
fn numbers_beyond_64_bits_and_mixed_members_become_columns() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("a.jsonl");
    fs::write(&path, "{\"text\":\"a\",\"id\":1}\n{\"text\":\"b\",\"id\":\"x\"}").expect("a new file");
    let mut file = TextFile::open(&path, &TextFileOptions { as_columns: true, ..options("text") }).expect("opens");
    let chunk = file.next().expect("one chunk").expect("readable");
    let Rows::Columns(batch) = chunk.rows else { panic!("columns were asked for") };
    assert_eq!(batch.schema().field_with_name("id").expect("a column").data_type(), &DataType::Utf8);
    assert!(file.next().is_none());
}

#[test]
fn a_chunk_is_bounded_and_all_rows_come_in_order() {
    let rows = CHUNK_ROWS * 2 + 3;
    let content: String =
        std::iter::once("text\n".to_owned()).chain((0..rows).map(|row| format!("t{row}\n"))).collect();
    let texts = read("a.csv", content.as_bytes(), &options("text")).expect("readable");
    assert_eq!(texts, (0..rows).map(|row| good(&format!("t{row}"))).collect::<Vec<_>>());
}

#[test]
fn what_cannot_be_read_names_the_place_and_the_next_step() {
    fails("a.txt", b"hello", "text", "expected a name that ends in .csv");
    fails("a.csv", b"id,body\n1,a\n", "text", "found \"id\", \"body\"; name the text column with --text");
    fails("a.csv", b"id;text\n1;a\n", "text", "are its cells separated by ';'? Use --delimiter ';'");
    fails("a.csv", b"id,text\n1\n", "text", "line: 2");
    fails("a.csv", b"text\nok\ncaf\xe9\n", "text", "line 3");
    fails("a.csv", b"", "text", "found no column");
    fails("a.jsonl", b"{\"text\": \"a\"}\n{\"text\": ", "text", "line 2");
    fails("a.jsonl", b"[{\"text\": \"a\"}]", "text", "jq -c '.[]'");
    fails("a.jsonl", b"{\"text\": \"caf\xe9\"}", "text", "line 1");
    fails("a.jsonl", b"{\"body\": \"a\"}", "text", "found \"body\"");
    fails("a.parquet", b"PAR1", "text", "as Parquet");
    fails("a.jsonl", b"{\"body\": {\"x\": 1}}", "/text/x", "found \"body\"");
}
