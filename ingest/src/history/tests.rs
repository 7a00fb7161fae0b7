//! Histories of both kinds, whole and broken.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, BooleanArray, Date32Array, Float32Array, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression as Codec;
use parquet::file::properties::WriterProperties;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn write(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).expect("a writable folder");
    path
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// Offsets and payloads of a whole history, whose progress must end at its end.
fn read(path: &Path) -> Vec<(i64, String)> {
    let mut history = History::open(path).expect("a good history");
    let mut items = Vec::new();
    for record in history.by_ref() {
        let record = record.expect("a good record");
        assert_eq!(record.origin.topic.as_ref(), path.file_name().expect("a file").to_str().expect("a plain name"));
        let payload = record.payload.expect("a line is a payload");
        items.push((record.origin.offset, String::from_utf8(payload).expect("our own text")));
    }
    let ReadProgress { read_bytes, total_bytes } = history.progress();
    assert_eq!(read_bytes, total_bytes);
    assert_eq!(total_bytes, fs::metadata(path).expect("a file").len());
    items
}

/// The error that a history ends with, after this many records.
fn error(path: &Path) -> (usize, HistoryError) {
    let mut history = match History::open(path) {
        Ok(history) => history,
        Err(error) => return (0, error),
    };
    let good = history.by_ref().take_while(Result::is_ok).count();
    assert!(history.next().is_none(), "a history ends with its error");
    let last = History::open(path).expect("as before").find_map(Result::err);
    (good, last.expect("an error"))
}

#[test]
fn lines_are_payloads_and_blank_ones_are_left_out() {
    let folder = folder();
    let text = b"\xef\xbb\xbf{\"a\":1}\r\n\n  \n{\"b\":2}\nnot json\n{\"c\":3}";
    let expected =
        [(0, "{\"a\":1}"), (3, "{\"b\":2}"), (4, "not json"), (5, "{\"c\":3}")].map(|(at, text)| (at, text.to_owned()));
    assert_eq!(read(&write(&folder, "history.jsonl", text)), expected);
    assert_eq!(read(&write(&folder, "history.jsonl.gz", &gzip(text))), expected);
    let (head, tail) = text.split_at(11);
    let members = [gzip(head), gzip(tail)].concat();
    assert_eq!(read(&write(&folder, "two members.gz", &members)), expected, "gzip files may be joined");
    assert!(read(&write(&folder, "empty.jsonl", b"")).is_empty());
}

#[test]
fn a_broken_file_names_its_line() {
    let folder = folder();
    let packed = gzip("{\"text\":\"abcdefgh\"}\n".repeat(1000).as_bytes());
    let (good, cut) = error(&write(&folder, "cut.gz", &packed[..packed.len() / 2]));
    assert!(matches!(cut, HistoryError::Line { line, .. } if usize::try_from(line) == Ok(good + 1)), "{cut:?}");
    let long = vec![b'x'; lines::LINE_BYTES_MAX + 1];
    let (_, long) = error(&write(&folder, "long", &[b"{}\n", long.as_slice()].concat()));
    assert!(matches!(long, HistoryError::LongLine { line: 2, .. }), "{long:?}");
    let (_, absent) = error(Path::new("no such file"));
    assert!(absent.to_string().contains("no such file"));
}

fn table(folder: &TempDir, name: &str, codec: Codec, columns: Vec<(&str, ArrayRef)>) -> PathBuf {
    let path = folder.path().join(name);
    let batch = RecordBatch::try_from_iter(columns).expect("columns of one length");
    let properties = WriterProperties::builder().set_compression(codec).set_max_row_group_row_count(Some(2)).build();
    let file = File::create(&path).expect("a writable folder");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("plain columns");
    writer.write(&batch).expect("plain columns");
    writer.close().expect("a writable file");
    path
}

fn labels() -> ArrayRef {
    Arc::new(StringArray::from(vec![Some("a"), None, Some("say \"c\"\n")]))
}

#[test]
fn columns_become_the_members_of_labelled_events() {
    let folder = folder();
    let moments = TimestampMicrosecondArray::from(vec![1_777_597_230_000_999, 0, -1_000]);
    let path = table(
        &folder,
        "clinc.parquet",
        Codec::SNAPPY,
        vec![
            ("text", Arc::new(StringArray::from(vec!["one", "two\nlines", "模型"]))),
            ("label", labels()),
            ("score", Arc::new(Float32Array::from(vec![0.5, 0.25, 1.0]))),
            ("event_time", Arc::new(moments)),
            ("entropy", Arc::new(Float64Array::from(vec![Some(0.125), None, Some(0.0)]))),
            ("truncated", Arc::new(BooleanArray::from(vec![true, false, false]))),
            ("id", Arc::new(Int64Array::from(vec![7, 8, 9]))),
            ("seen", Arc::new(TimestampMicrosecondArray::from(vec![0; 3]).with_timezone("Europe/Berlin"))),
        ],
    );
    let read = read(&path);
    let events: Vec<Value> = read.iter().map(|(_, text)| serde_json::from_str(text).expect("JSON")).collect();
    assert_eq!(read.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(
        events[0],
        json!({
            "text": "one", "label": "a", "score": 0.5, "model": {"name": "clinc", "version": "unknown"},
            "signals": {"truncated": true, "entropy": 0.125},
            "source": {"id": "7", "event_time_ms": 1_777_597_230_000_i64}, "seen": "1970-01-01T00:00:00Z"
        })
    );
    assert_eq!((&events[1]["label"], &events[1]["text"]), (&Value::Null, &json!("two\nlines")));
    assert_eq!((&events[2]["label"], &events[2]["text"]), (&json!("say \"c\"\n"), &json!("模型")));
    for text in read.iter().map(|(_, text)| text) {
        formats::observed::read(text, &[], TimeUnit::Milliseconds).expect("what the drift worker reads");
    }
}

#[test]
fn times_may_be_written_in_many_ways() {
    let folder = folder();
    let at = |column: ArrayRef| {
        let labels: ArrayRef = Arc::new(Int32Array::from(vec![1; column.len()]));
        let path = table(&folder, "t.parquet", Codec::LZ4_RAW, vec![("label", labels), ("event_time", column)]);
        let events = read(&path).into_iter().map(|(_, text)| serde_json::from_str::<Value>(&text).expect("JSON"));
        events.map(|event| event["source"]["event_time_ms"].as_i64()).collect::<Vec<_>>()
    };
    assert_eq!(at(Arc::new(Int64Array::from(vec![Some(5), None]))), [Some(5), None]);
    assert_eq!(at(Arc::new(Date32Array::from(vec![1]))), [Some(86_400_000)]);
    let texts = StringArray::from(vec!["1970-01-01T00:00:01Z", "1970-01-01T01:00:01+01:00", "1970-01-01 00:00:01"]);
    assert_eq!(at(Arc::new(texts)), [Some(1000); 3]);
}

#[test]
fn numbers_keep_their_unit_and_moments_have_their_own() {
    let folder = folder();
    let unit = |column: ArrayRef| {
        let labels: ArrayRef = Arc::new(Int32Array::from(vec![1; column.len()]));
        let path = table(&folder, "t.parquet", Codec::LZ4_RAW, vec![("label", labels), ("event_time", column)]);
        let text = read(&path).remove(0).1;
        let unit = History::open(&path).expect("a good history").time_unit(TimeUnit::Seconds);
        let event = formats::observed::read(&text, &[], unit).expect("what the drift worker reads").event;
        (unit, event.event_time_ms)
    };
    let at = Some(1_795_395_723_500);
    assert_eq!(unit(Arc::new(Float64Array::from(vec![1_795_395_723.5]))), (TimeUnit::Seconds, at));
    let whole = unit(Arc::new(Int64Array::from(vec![1_795_395_723])));
    assert_eq!(whole, (TimeUnit::Seconds, Some(1_795_395_723_000)));
    let moments = TimestampMicrosecondArray::from(vec![1_795_395_723_500_000]);
    assert_eq!(unit(Arc::new(moments)), (TimeUnit::Milliseconds, at));
    let lines = History::open(&write(&folder, "a.jsonl", b"{}")).expect("a good history");
    assert_eq!((lines.time_unit(TimeUnit::Nanoseconds), lines.guess()), (TimeUnit::Nanoseconds, None));
    let mut csv = History::open(&write(&folder, "a.csv", b"\n label,score \na,0.5\n")).expect("a good history");
    assert!(csv.next().is_some() && csv.guess().is_some_and(|said| said.contains("CSV")));
}

#[test]
fn a_bad_cell_names_its_row_group_its_row_and_its_column() {
    let folder = folder();
    let times = StringArray::from(vec!["1970-01-01T00:00:01Z", "1970-01-01T00:00:01Z", "yesterday"]);
    let columns: Vec<(&str, ArrayRef)> = vec![("label", labels()), ("event_time", Arc::new(times))];
    let (good, bad) = error(&table(&folder, "t.parquet", Codec::UNCOMPRESSED, columns));
    assert!(matches!(bad, HistoryError::Cell { row_group: 1, row: 2, column: "event_time", .. }), "{bad:?}");
    assert!(good == 0 && !bad.to_string().contains("yesterday"), "messages do not repeat what was written");
}

#[test]
fn a_table_without_labels_is_refused_before_it_is_read() {
    let folder = folder();
    let columns: Vec<(&str, ArrayRef)> = vec![("text", labels()), ("klass", labels())];
    let (_, refused) = error(&table(&folder, "t.parquet", Codec::UNCOMPRESSED, columns));
    assert!(matches!(refused, HistoryError::Column { column: "label", .. }));
    assert!(refused.to_string().contains("text, klass"), "{refused}");
    let (_, torn) = error(&write(&folder, "torn.parquet", b"PAR1 and then nothing"));
    assert!(matches!(torn, HistoryError::Parquet { .. }), "{torn:?}");
}
