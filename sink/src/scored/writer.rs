//! One writer a kind of file. Each is given whole rows, and begins with the first of them.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Schema};
use arrow::error::ArrowError;
use arrow::json::WriterBuilder;
use arrow::json::writer::LineDelimited;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use schemas::{Fields, Label};
use serde::ser::{SerializeMap, Serializer};

use super::added::{Added, RowAnswer};
use super::error::ScoredError;
use super::kind::ScoredKind;

pub(super) enum Writer {
    Lines(BufWriter<File>),
    Separated {
        csv: Box<csv::Writer<File>>,
        has_header: bool,
    },
    /// Opened with the first rows, whose types it takes.
    Parquet {
        file: Option<File>,
        writer: Option<Box<ArrowWriter<File>>>,
    },
}

/// What went wrong, before the file's name is known.
pub(super) enum WriteError {
    Io(io::Error),
    Columns(ArrowError),
    Parquet(ParquetError),
    Csv(csv::Error),
    Json(serde_json::Error),
    Nested { column: String, kind: String },
}

impl WriteError {
    pub(super) fn at(self, path: &Path) -> ScoredError {
        let path = path.to_owned();
        match self {
            Self::Io(source) => ScoredError::Write { path, source },
            Self::Columns(source) => ScoredError::Columns { path, source },
            Self::Parquet(source) => ScoredError::Parquet { path, source },
            Self::Csv(source) => ScoredError::Csv { path, source },
            Self::Json(source) => ScoredError::Json { path, source },
            Self::Nested { column, kind } => ScoredError::Nested { path, column, kind },
        }
    }
}

impl Writer {
    pub(super) fn new(kind: ScoredKind, file: File) -> Self {
        match kind {
            ScoredKind::JsonLines => Self::Lines(BufWriter::new(file)),
            ScoredKind::Separated(delimiter) => {
                let csv = csv::WriterBuilder::new().delimiter(delimiter).from_writer(file);
                Self::Separated { csv: Box::new(csv), has_header: false }
            }
            ScoredKind::Parquet => Self::Parquet { file: Some(file), writer: None },
        }
    }

    pub(super) fn columns(&mut self, rows: &RecordBatch) -> Result<(), WriteError> {
        match self {
            Self::Lines(out) => {
                let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(out);
                writer.write(rows).and_then(|()| writer.finish()).map_err(WriteError::Columns)
            }
            Self::Separated { csv, has_header } => {
                if !std::mem::replace(has_header, true) {
                    header(csv, &rows.schema())?;
                }
                records(csv, rows)
            }
            Self::Parquet { file, writer } => {
                if let Some(file) = file.take() {
                    let level = ZstdLevel::try_new(3).map_err(WriteError::Parquet)?;
                    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
                    let opened =
                        ArrowWriter::try_new(file, rows.schema(), Some(properties)).map_err(WriteError::Parquet)?;
                    *writer = Some(Box::new(opened));
                }
                writer.as_mut().map_or(Ok(()), |writer| writer.write(rows)).map_err(WriteError::Parquet)
            }
        }
    }

    /// A JSON object with its answer.
    pub(super) fn members(&mut self, row: &Fields, added: &Added, answer: &RowAnswer) -> Result<(), WriteError> {
        let Self::Lines(out) = self else {
            unreachable!("rows of a file with columns are read as columns");
        };
        let mut serializer = serde_json::Serializer::new(&mut *out);
        let mut map = serializer.serialize_map(None).map_err(WriteError::Json)?;
        for (name, value) in &row.0 {
            map.serialize_entry(name, value).map_err(WriteError::Json)?;
        }
        added.members(&mut map, answer).and_then(|()| SerializeMap::end(map)).map_err(WriteError::Json)?;
        out.write_all(b"\n").map_err(WriteError::Io)
    }

    pub(super) fn finish(self) -> Result<(), WriteError> {
        match self {
            Self::Lines(mut out) => out.flush().map_err(WriteError::Io),
            Self::Separated { mut csv, .. } => csv.flush().map_err(WriteError::Io),
            Self::Parquet { writer, .. } => {
                writer.map_or(Ok(()), |writer| writer.close().map(drop)).map_err(WriteError::Parquet)
            }
        }
    }
}

/// Gives the text of a row's cell.
type Cell<'a> = Box<dyn Fn(usize) -> Result<String, WriteError> + 'a>;

fn header(csv: &mut csv::Writer<File>, schema: &Schema) -> Result<(), WriteError> {
    for field in schema.fields() {
        if field.data_type().is_nested() && !is_labels(field.data_type()) {
            let (column, kind) = (field.name().clone(), field.data_type().to_string());
            return Err(WriteError::Nested { column, kind });
        }
    }
    csv.write_record(schema.fields().iter().map(|field| field.name())).map_err(WriteError::Csv)
}

fn records(csv: &mut csv::Writer<File>, rows: &RecordBatch) -> Result<(), WriteError> {
    let options = FormatOptions::default().with_null("");
    let schema = rows.schema();
    let mut columns: Vec<Cell<'_>> = Vec::new();
    for (field, column) in schema.fields().iter().zip(rows.columns()) {
        if is_labels(field.data_type()) {
            columns.push(Box::new(|row| labels(column, row)));
        } else {
            let cells = ArrayFormatter::try_new(column, &options).map_err(WriteError::Columns)?;
            columns.push(Box::new(move |row| cells.value(row).try_to_string().map_err(WriteError::Columns)));
        }
    }
    for row in 0..rows.num_rows() {
        let cells = columns.iter().map(|cell| cell(row)).collect::<Result<Vec<_>, _>>()?;
        csv.write_record(cells).map_err(WriteError::Csv)?;
    }
    Ok(())
}

/// Our own list of labels, the only nested column that CSV gets: as JSON.
fn is_labels(kind: &DataType) -> bool {
    let DataType::List(entry) = kind else { return false };
    let DataType::Struct(fields) = entry.data_type() else { return false };
    fields.iter().map(|field| field.name().as_str()).eq(["label", "score"])
}

fn labels(column: &dyn Array, row: usize) -> Result<String, WriteError> {
    let lists = column.as_list::<i32>();
    if lists.is_null(row) {
        return Ok(String::new());
    }
    let entries = lists.value(row);
    let (names, scores) = (entries.as_struct().column(0).clone(), entries.as_struct().column(1).clone());
    let labels: Vec<Label> = names
        .as_string::<i32>()
        .iter()
        .zip(scores.as_primitive::<arrow::datatypes::Float32Type>())
        .filter_map(|(label, score)| Some(Label { label: label?.into(), score: score? }))
        .collect();
    serde_json::to_string(&labels).map_err(WriteError::Json)
}
