//! Guesses what a file without labelled events is, by its first bytes, among the kinds that people try.

/// The beginnings of files that are no lines of text, and what to do about each.
const BINARY: &[(&[u8], &str)] = &[
    (b"PK\x03\x04", "it is a zip archive or an Excel file: unpack it, or save it as Parquet or JSON lines"),
    (b"\x28\xb5\x2f\xfd", "it is compressed with zstd: decompress it (zstd -d), or use gzip"),
    (b"\xfd7zXZ", "it is compressed with xz: decompress it (xz -d), or use gzip"),
    (b"BZh", "it is compressed with bzip2: decompress it (bzip2 -d), or use gzip"),
    (b"\x1f\x8b", "it is compressed with gzip twice: decompress it once"),
    (b"ARROW1", "it is an Arrow (Feather) file: save it as Parquet"),
    (b"ORC", "it is an ORC file: save it as Parquet"),
    (b"Obj\x01", "it is an Avro file: save it as Parquet"),
    (b"SQLite format 3", "it is an SQLite file: export the table as Parquet or JSON lines"),
    (b"\xff\xfe", "it is in UTF-16: save it as UTF-8"),
    (b"\xfe\xff", "it is in UTF-16: save it as UTF-8"),
];

/// Signs between the columns of a table in text.
const DELIMITERS: [char; 4] = [',', ';', '\t', '|'];

/// Says what the first line of a file looks like; `None` where it looks like a JSON object.
pub(super) fn guess(first: &[u8]) -> Option<&'static str> {
    if let Some((_, said)) = BINARY.iter().find(|(begin, _)| first.starts_with(begin)) {
        return Some(said);
    }
    let Ok(line) = std::str::from_utf8(first) else {
        return Some("it is not UTF-8 text");
    };
    match line.trim() {
        "{" => Some("it looks like JSON over several lines: write one object per line (jq -c .)"),
        line if line.starts_with('[') => Some("it looks like a JSON array: write one object per line (jq -c '.[]')"),
        line if line.starts_with('{') => None,
        line if line.contains(DELIMITERS) => Some(
            "it looks like CSV: save it as Parquet, or as JSON lines (pandas: to_parquet, or \
             to_json(orient=\"records\", lines=True))",
        ),
        "" => None,
        _ => Some("it looks like plain text: each line must be one labelled event as a JSON object"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_that_people_try_has_its_sentence() {
        for (first, expected) in [
            (&b"label,score,text"[..], Some("CSV")),
            (b"\"label\";\"score\"", Some("CSV")),
            (b"label\tscore", Some("CSV")),
            (b"[", Some("JSON array")),
            (b"[{\"label\": \"a\"}, {}]", Some("JSON array")),
            (b"{", Some("several lines")),
            (b"hello", Some("plain text")),
            (b"PK\x03\x04\x14", Some("Excel")),
            (b"\x28\xb5\x2f\xfd\x04", Some("zstd")),
            (b"\xff\xfel\0a\0", Some("UTF-16")),
            (b"caf\xe9", Some("UTF-8")),
            (b"{\"label\": \"a\"}", None),
            (b"", None),
        ] {
            let found = guess(first);
            let is_right = expected.map_or(found.is_none(), |word| found.is_some_and(|said| said.contains(word)));
            assert!(is_right, "{first:?}: {found:?}");
        }
    }
}
