//! Real text from the optional folder of data sets beside the checkout.

use std::fs::File;
use std::io::{BufRead, BufReader};

use flate2::read::GzDecoder;
use serde::Deserialize;

use crate::workspace;

#[derive(Deserialize)]
struct Row {
    text: String,
}

/// The texts of a gzip JSON lines file such as `throughput_mix/stream.jsonl.gz`, in order; `None` when it is not here.
///
/// # Panics
/// On a line that is not `{"text": ..}`: the data sets are checked where they are made.
pub fn texts(name: &str) -> Option<impl Iterator<Item = String> + Send + use<>> {
    let file = File::open(workspace::dataset(name)?).expect("a readable file");
    let lines = BufReader::new(GzDecoder::new(file)).lines();
    Some(lines.map(|line| {
        let line = line.expect("gzip of UTF-8 lines");
        serde_json::from_str::<Row>(&line).expect("one JSON object a line").text
    }))
}
