//! Prints the files that use each other in a circle: `cargo run --package tests --example circles -- [CHECKOUT]`.

use std::path::PathBuf;
use std::{env, fs, io::Write};

use tests::{circles, workspace};

fn main() -> std::io::Result<()> {
    let root = env::args().nth(1).map_or_else(workspace::root, PathBuf::from);
    let mut folders: Vec<_> = fs::read_dir(&root)?.flatten().map(|entry| entry.path()).collect();
    folders.retain(|folder| folder.join("Cargo.toml").is_file() && folder.join("src").is_dir());
    folders.sort();
    let (mut count, mut files, mut out) = (0, 0, std::io::stdout().lock());
    for folder in folders {
        for circle in circles::circles(&folder) {
            (count, files) = (count + 1, files + circle.len());
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            writeln!(out, "{name}, {} files:", circle.len())?;
            circle.iter().try_for_each(|(file, uses)| writeln!(out, "  {file} uses {}", uses.join(", ")))?;
        }
    }
    writeln!(out, "{count} circles, {files} files in them")
}
