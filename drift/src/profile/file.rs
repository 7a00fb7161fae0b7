//! The file of a profile: one line of JSON for people, then the counts as `WindowCounts::encode` writes them.
//!
//! `head -n 1 FILE` shows what a profile is about. Both parts are made of sorted maps, so that equal profiles have equal
//! bytes and one id.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::about::About;
use super::error::{MAGIC, ProfileError, VERSION};
use crate::counts::WindowCounts;

/// The value of `format` in every profile.
const FORMAT: &str = "labelstream drift profile";

#[derive(Serialize)]
struct HeaderRef<'a> {
    format: &'a str,
    version: u32,
    about: &'a About,
}

#[derive(Deserialize)]
struct Header {
    version: u32,
    about: About,
}

/// The version alone: a later format may have another `about`.
#[derive(Deserialize)]
struct VersionOnly {
    version: u32,
}

pub(super) fn encode(about: &About, counts: &WindowCounts) -> Vec<u8> {
    let header = HeaderRef { format: FORMAT, version: VERSION, about };
    let mut bytes = serde_json::to_vec(&header).expect("strings, numbers and maps of them are JSON");
    bytes.push(b'\n');
    bytes.extend_from_slice(&counts.encode());
    bytes
}

pub(super) fn decode(file: &Path, bytes: &[u8]) -> Result<(About, WindowCounts), ProfileError> {
    let file = file.to_owned();
    if !bytes.starts_with(MAGIC.as_bytes()) {
        return Err(ProfileError::NoProfile { file });
    }
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let Some((header, counts)) = end.map(|end| (&bytes[..end], &bytes[end + 1..])) else {
        return Err(ProfileError::Content { file, problem: "expected counts after its first line".to_owned() });
    };
    let version = match serde_json::from_slice::<VersionOnly>(header) {
        Ok(header) => header.version,
        Err(source) => return Err(ProfileError::Header { file, source }),
    };
    if version == 0 || version > VERSION {
        return Err(ProfileError::Version { file, found: version });
    }
    let about = match serde_json::from_slice::<Header>(header) {
        Ok(Header { version: VERSION, about }) => about,
        Ok(Header { version: found, .. }) => return Err(ProfileError::Version { file, found }),
        Err(source) => return Err(ProfileError::Header { file, source }),
    };
    if let Some(problem) = problem(&about) {
        return Err(ProfileError::Content { file, problem });
    }
    match WindowCounts::decode(counts) {
        Ok(counts) if counts.records() == about.records => Ok((about, counts)),
        Ok(counts) => {
            let problem = format!("it counts {} records and says {}", counts.records(), about.records);
            Err(ProfileError::Content { file, problem })
        }
        Err(source) => Err(ProfileError::Counts { file, source }),
    }
}

/// What is wrong with these values; a profile is a file like any other, and nobody vouches for it.
fn problem(about: &About) -> Option<String> {
    for calibration in &about.calibrations {
        if calibration.granularity_ms < 1000 {
            return Some(format!("granularity_ms is {}, expected at least 1000", calibration.granularity_ms));
        }
        let odd = calibration.design_effects.iter().find(|(_, effect)| !(effect.is_finite() && **effect >= 1.0));
        if let Some((feature, effect)) = odd {
            return Some(format!("the design effect of {feature} is {effect}, expected at least 1"));
        }
        if let Some(share) = calibration.duplicates.filter(|share| !(0.0..=1.0).contains(share)) {
            return Some(format!("duplicates is {share}, expected 0 to 1"));
        }
    }
    (about.first_ms > about.last_ms).then(|| "first_ms is later than last_ms".to_owned())
}

/// `sha256:` and the hexadecimal digest of these bytes.
pub(super) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{:x}", Sha256::digest(bytes))
}
