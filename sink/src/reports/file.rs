//! Rows as one Parquet file and back. The same rows give the same bytes: there is no clock and no chance in them.
//!
//! What changes the bytes is a new version of labelstream (it stands in `created_by`), of the `parquet` crate or of
//! zstd; the rows are then still the same.

use std::sync::Arc;

use arrow::array::{RecordBatch, StructArray};
use arrow::datatypes::{DataType, Field, Fields, Schema};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::columns::Mismatch;
use super::error::StoreError;
use super::tables::Table;

/// Who wrote the file, in the form that readers look for known faults of writers by.
const CREATED_BY: &str = concat!("labelstream version ", env!("CARGO_PKG_VERSION"));

/// zstd's effort, 1 to 22: on a report of 600 findings, 9 is 2 % smaller and 19 is 4 %.
const ZSTD_LEVEL: i32 = 3;

/// Rows of a row group: a reader holds one at a time, and nearly every report has only one.
const GROUP_ROWS: usize = 131_072;

/// Bytes of the least and greatest text kept in the statistics of a column.
const STATISTICS_BYTES: usize = 64;

/// Columns that nobody filters by: their least and greatest texts would be dead weight in every footer.
const WITHOUT_STATISTICS: [&str; 5] = ["reason", "report_id", "config_hash", "reference_id", "pipeline_version"];

/// Texts that hardly ever repeat: a dictionary of them, as of numbers, would only add its own size.
const DISTINCT: [&str; 2] = ["report_id", "reason"];

/// The rows as a Parquet file.
///
/// # Errors
/// [`StoreError::NotFinite`] for NaN or an infinity where a number must be.
pub(super) fn encode<T: Table>(rows: &[T]) -> Result<Bytes, StoreError> {
    let columns = T::columns(&rows.iter().collect::<Vec<_>>())
        .map_err(|odd| StoreError::NotFinite { table: T::NAME, column: odd.0 })?;
    let (fields, columns): (Vec<Field>, Vec<_>) = columns.into_iter().unzip();
    write(Schema::new(fields), columns).map_err(|source| StoreError::Encode { table: T::NAME, source })
}

fn write(schema: Schema, columns: Vec<arrow::array::ArrayRef>) -> Result<Bytes, ParquetError> {
    let schema = Arc::new(schema);
    let properties = properties(schema.fields())?;
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
    // Arrow's own copy of the schema would take a kilobyte a file and says nothing that the types do not.
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), schema, options)?;
    writer.write(&batch)?;
    writer.into_inner().map(Bytes::from)
}

/// Statistics per column and no index of pages: a column of a report has one page.
fn properties(fields: &Fields) -> Result<WriterProperties, ParquetError> {
    let mut properties = WriterProperties::builder()
        .set_created_by(CREATED_BY.to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_statistics_truncate_length(Some(STATISTICS_BYTES))
        .set_offset_index_disabled(true);
    for field in fields {
        let name = field.name().as_str();
        if *field.data_type() == DataType::Float64 || DISTINCT.contains(&name) {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(name), false);
        }
        if WITHOUT_STATISTICS.contains(&name) {
            properties = properties.set_column_statistics_enabled(ColumnPath::from(name), EnabledStatistics::None);
        }
        for path in leaves_of_list(field) {
            properties = properties.set_column_statistics_enabled(path, EnabledStatistics::None);
        }
    }
    Ok(properties.build())
}

/// The columns that a list of structures is stored in.
fn leaves_of_list(field: &Field) -> Vec<ColumnPath> {
    let DataType::List(element) = field.data_type() else { return Vec::new() };
    let DataType::Struct(members) = element.data_type() else { return Vec::new() };
    let path = |member: &Arc<Field>| {
        let parts = [field.name(), "list", element.name(), member.name()];
        ColumnPath::new(parts.map(String::from).to_vec())
    };
    members.iter().map(path).collect()
}

/// The rows of a file.
///
/// # Errors
/// Why the file is not one of this table, as a fragment.
pub(super) fn decode<T: Table>(file: Bytes) -> Result<Vec<T>, Mismatch> {
    let batches = ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(ParquetRecordBatchReaderBuilder::build)
        .map_err(|error| error.to_string())?;
    let mut rows = Vec::new();
    for batch in batches {
        let batch = batch.map_err(|error| error.to_string())?;
        rows.extend(T::rows(&StructArray::from(batch))?);
    }
    Ok(rows)
}
