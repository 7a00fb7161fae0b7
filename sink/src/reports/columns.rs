//! Rust values as Arrow columns and back: one implementation a type of cell, so that a table is a list of names.
//!
//! Only types that every reader of Parquet knows: signed integers, doubles, texts, booleans, lists of structures. A
//! column that a file lacks, because the file is older, reads as null or as an empty list; a column too many is left.

use std::str::FromStr;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int32Array, Int64Array, ListArray, StringArray, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields, Float64Type, Int32Type, Int64Type};
use schemas::report::Verdict;

/// A number that is not finite where a number must be, in the column of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotFinite(pub(super) &'static str);

/// Why columns are no rows, as a fragment.
pub(super) type Mismatch = String;

/// A value in one column of one row.
pub(super) trait Cell: Sized {
    /// Whether the column may hold nulls.
    const NULLABLE: bool;

    fn kind() -> DataType;

    /// The column of these cells, or `Err` for a number that is not finite; `name` is the column's.
    fn encode(name: &'static str, cells: &[&Self]) -> Result<ArrayRef, NotFinite>;

    /// The cells of a column of [`Self::kind`]; `None` where it holds what no cell may be.
    fn decode(column: &dyn Array) -> Option<Vec<Self>>;

    /// What a cell is in a file that lacks the column.
    fn missing() -> Option<Self> {
        None
    }
}

/// Something of several named cells: a row of a table, or an item of a list.
pub(super) trait Record: Sized {
    fn columns(rows: &[&Self]) -> Result<Vec<(Field, ArrayRef)>, NotFinite>;

    fn rows(columns: &StructArray) -> Result<Vec<Self>, Mismatch>;
}

/// Implements [`Record`] for a structure by the names of its fields, all of them; with `key` for the rows of a table.
macro_rules! record {
    ($record:ident { $($field:ident),* $(,)? }) => {
        impl $crate::reports::columns::Record for $record {
            fn columns(rows: &[&Self]) -> Result<Vec<(Field, ArrayRef)>, NotFinite> {
                Ok(vec![$(columns::column(stringify!($field), rows, |row| &row.$field)?),*])
            }

            fn rows(columns: &StructArray) -> Result<Vec<Self>, Mismatch> {
                $(let mut $field = columns::cells(columns, stringify!($field))?.into_iter();)*
                let row = || Some(Self { $($field: $field.next()?),* });
                Ok(std::iter::from_fn(row).collect())
            }
        }
    };
    ($record:ident: key { $($field:ident),* $(,)? }) => {
        impl $crate::reports::columns::Record for $record {
            fn columns(rows: &[&Self]) -> Result<Vec<(Field, ArrayRef)>, NotFinite> {
                let keys: Vec<_> = rows.iter().map(|row| &row.key).collect();
                let mut columns = ReportKey::columns(&keys)?;
                columns.extend([$(columns::column(stringify!($field), rows, |row| &row.$field)?),*]);
                Ok(columns)
            }

            fn rows(columns: &StructArray) -> Result<Vec<Self>, Mismatch> {
                let mut key = ReportKey::rows(columns)?.into_iter();
                $(let mut $field = columns::cells(columns, stringify!($field))?.into_iter();)*
                let row = || Some(Self { key: key.next()?, $($field: $field.next()?),* });
                Ok(std::iter::from_fn(row).collect())
            }
        }
    };
}
pub(super) use record;

/// One column of some rows, with its name and type.
pub(super) fn column<R, C: Cell>(
    name: &'static str,
    rows: &[&R],
    cell: fn(&R) -> &C,
) -> Result<(Field, ArrayRef), NotFinite> {
    let cells: Vec<&C> = rows.iter().map(|row| cell(row)).collect();
    Ok((Field::new(name, C::kind(), C::NULLABLE), C::encode(name, &cells)?))
}

/// The cells of the column of this name.
pub(super) fn cells<C: Cell>(columns: &StructArray, name: &str) -> Result<Vec<C>, Mismatch> {
    let Some(column) = columns.column_by_name(name) else {
        let cells: Option<Vec<C>> = (0..columns.len()).map(|_| C::missing()).collect();
        return cells.ok_or_else(|| format!("column {name} is missing"));
    };
    if !column.data_type().equals_datatype(&C::kind()) && !is_list(column.data_type(), &C::kind()) {
        return Err(format!("column {name} is {}, expected {}", column.data_type(), C::kind()));
    }
    if !C::NULLABLE && column.null_count() > 0 {
        return Err(format!("column {name} has nulls"));
    }
    C::decode(column.as_ref()).ok_or_else(|| format!("column {name} has invalid values"))
}

/// Lists are compared by their items, which may have more members in a newer file.
fn is_list(found: &DataType, expected: &DataType) -> bool {
    matches!((found, expected), (DataType::List(_), DataType::List(_)))
}

/// Cells that arrays of Arrow are made of as they are.
macro_rules! plain_cell {
    ($cell:ty, $kind:expr, $array:ty, $read:expr) => {
        impl Cell for $cell {
            const NULLABLE: bool = false;

            fn kind() -> DataType {
                $kind
            }

            fn encode(_: &'static str, cells: &[&Self]) -> Result<ArrayRef, NotFinite> {
                Ok(Arc::new(cells.iter().map(|cell| Some((*cell).clone())).collect::<$array>()))
            }

            fn decode(column: &dyn Array) -> Option<Vec<Self>> {
                <Option<Self>>::decode(column)?.into_iter().collect()
            }
        }

        impl Cell for Option<$cell> {
            const NULLABLE: bool = true;

            fn kind() -> DataType {
                $kind
            }

            fn encode(_: &'static str, cells: &[&Self]) -> Result<ArrayRef, NotFinite> {
                Ok(Arc::new(cells.iter().map(|cell| (*cell).clone()).collect::<$array>()))
            }

            fn decode(column: &dyn Array) -> Option<Vec<Self>> {
                let read: fn(&dyn Array) -> Option<Vec<Self>> = $read;
                read(column)
            }

            fn missing() -> Option<Self> {
                Some(None)
            }
        }
    };
}

plain_cell!(String, DataType::Utf8, StringArray, |column| {
    Some(column.as_string_opt::<i32>()?.iter().map(|text| text.map(str::to_owned)).collect())
});
plain_cell!(i64, DataType::Int64, Int64Array, |column| Some(column.as_primitive_opt::<Int64Type>()?.iter().collect()));
plain_cell!(i32, DataType::Int32, Int32Array, |column| Some(column.as_primitive_opt::<Int32Type>()?.iter().collect()));
plain_cell!(bool, DataType::Boolean, BooleanArray, |column| Some(column.as_boolean_opt()?.iter().collect()));

impl Cell for f64 {
    const NULLABLE: bool = false;

    fn kind() -> DataType {
        DataType::Float64
    }

    fn encode(name: &'static str, cells: &[&Self]) -> Result<ArrayRef, NotFinite> {
        if cells.iter().any(|number| !number.is_finite()) {
            return Err(NotFinite(name));
        }
        Ok(Arc::new(cells.iter().copied().copied().collect::<Float64Array>()))
    }

    fn decode(column: &dyn Array) -> Option<Vec<Self>> {
        <Option<Self>>::decode(column)?.into_iter().collect()
    }
}

impl Cell for Option<f64> {
    const NULLABLE: bool = true;

    fn kind() -> DataType {
        DataType::Float64
    }

    /// A number that is not finite becomes null: a report must not fail for one cell, and no reader may meet NaN.
    fn encode(name: &'static str, cells: &[&Self]) -> Result<ArrayRef, NotFinite> {
        let odd = cells.iter().filter(|number| number.is_some_and(|number| !number.is_finite())).count();
        if odd > 0 {
            tracing::warn!(column = name, cells = odd, "numbers that are not finite are written as null");
        }
        Ok(Arc::new(cells.iter().map(|number| number.filter(|number| number.is_finite())).collect::<Float64Array>()))
    }

    fn decode(column: &dyn Array) -> Option<Vec<Self>> {
        Some(column.as_primitive_opt::<Float64Type>()?.iter().collect())
    }

    fn missing() -> Option<Self> {
        Some(None)
    }
}

impl Cell for Verdict {
    const NULLABLE: bool = false;

    fn kind() -> DataType {
        DataType::Utf8
    }

    fn encode(_: &'static str, cells: &[&Self]) -> Result<ArrayRef, NotFinite> {
        Ok(Arc::new(cells.iter().map(|verdict| Some(verdict.name())).collect::<StringArray>()))
    }

    fn decode(column: &dyn Array) -> Option<Vec<Self>> {
        column.as_string_opt::<i32>()?.iter().map(|name| Self::from_str(name?).ok()).collect()
    }
}

impl<R: Record> Cell for Vec<R> {
    const NULLABLE: bool = false;

    fn kind() -> DataType {
        DataType::List(Arc::new(element::<R>()))
    }

    fn encode(_: &'static str, cells: &[&Self]) -> Result<ArrayRef, NotFinite> {
        let items: Vec<&R> = cells.iter().flat_map(|list| list.iter()).collect();
        let (fields, columns): (Vec<_>, Vec<_>) = R::columns(&items)?.into_iter().unzip();
        let items = StructArray::new(Fields::from(fields), columns, None);
        let offsets = OffsetBuffer::from_lengths(cells.iter().map(|list| list.len()));
        Ok(Arc::new(ListArray::new(Arc::new(element::<R>()), offsets, Arc::new(items), None)))
    }

    fn decode(column: &dyn Array) -> Option<Vec<Self>> {
        let lists = column.as_list_opt::<i32>()?;
        let row = |row: usize| R::rows(lists.value(row).as_struct_opt()?).ok();
        (0..lists.len()).map(row).collect()
    }

    fn missing() -> Option<Self> {
        Some(Vec::new())
    }
}

/// The item of a list, under the name that the Parquet format gives it.
fn element<R: Record>() -> Field {
    let columns = R::columns(&[]).unwrap_or_default(); // without rows there is no number
    let fields: Fields = columns.into_iter().map(|(field, _)| field).collect();
    Field::new("element", DataType::Struct(fields), false)
}
