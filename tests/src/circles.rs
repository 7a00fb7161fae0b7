//! Files of a crate that use each other in a circle: none of them can be read, tested or moved without the others.
//!
//! Read from the source text without its tests: `use` lines, and paths from `crate`, `super`, `self` or a child module in
//! the code. A name that a file only hands on (`pub use`) belongs to the file that it comes from: a parent that declares
//! its children and hands on their names uses none of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use regex::Regex;

/// Where a module lies: `["consumer", "lease"]` is `crate::consumer::lease`; the crate's root is empty.
type Place = Vec<String>;

/// The circles of the crate at `folder`: of each its files, sorted, each with those of the circle that it uses.
///
/// # Panics
/// When the folder cannot be read.
#[must_use]
pub fn circles(folder: &Path) -> Vec<BTreeMap<String, Vec<String>>> {
    let mut files = BTreeMap::new();
    read_folder(&folder.join("src"), &[], &mut files);
    let uses: BTreeMap<&Place, BTreeSet<&Place>> =
        files.iter().map(|(place, file)| (place, used(place, file, &files))).collect();
    let reach: BTreeMap<&Place, BTreeSet<&Place>> =
        uses.keys().map(|place| (*place, reachable(place, &uses))).collect();
    let mut circles = BTreeSet::new();
    for (place, reached) in reach.iter().filter(|(place, reached)| reached.contains(*place)) {
        circles
            .insert(reached.iter().filter(|other| reach[**other].contains(*place)).copied().collect::<BTreeSet<_>>());
    }
    let name = |place: &Place| format!("crate::{}", place.join("::"));
    let within =
        |circle: &BTreeSet<&Place>, place: &Place| uses[place].intersection(circle).map(|other| name(other)).collect();
    circles.iter().map(|circle| circle.iter().map(|place| (name(place), within(circle, place))).collect()).collect()
}

/// One source file without its tests and comments.
struct File {
    /// The module that each name comes from that a `use` line brings in, as it is written.
    imports: BTreeMap<String, Place>,
    /// Names of `use` lines that are visible outside of the file.
    handed_on: BTreeSet<String>,
    /// Everything else.
    body: String,
    children: BTreeSet<String>,
}

fn read_folder(folder: &Path, place: &[String], files: &mut BTreeMap<Place, File>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())).flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let is_root = place.is_empty() && ["lib.rs", "main.rs"].contains(&name.as_str());
        let mut own = place.to_vec();
        own.extend((!is_root).then(|| name.trim_end_matches(".rs").to_owned()));
        if path.is_dir() {
            read_folder(&path, &own, files);
        } else if name.ends_with(".rs") && name != "tests.rs" && !(name == "main.rs" && folder.join("lib.rs").exists())
        {
            let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            files.insert(own, File::parse(&text));
        }
    }
}

impl File {
    fn parse(text: &str) -> Self {
        let code =
            pattern(r"#\[cfg\(test\)\]\n(pub(\([a-z: ]+\))? )?mod tests \{").split(text).next().unwrap_or_default();
        let code = pattern(r"(?m)//.*$").replace_all(code, "");
        let uses = pattern(r"(?ms)^\s*(pub(?:\([a-z: ]+\))? )?use ([^;]+);");
        let mut file = Self {
            imports: BTreeMap::new(),
            handed_on: BTreeSet::new(),
            body: uses.replace_all(&code, "").into_owned(),
            children: BTreeSet::new(),
        };
        for found in uses.captures_iter(&code) {
            for (name, path) in leaves(&found[2].split_whitespace().collect::<Vec<_>>().join(" "), &[]) {
                file.handed_on.extend(found.get(1).is_some().then(|| name.clone()));
                file.imports.insert(name, path);
            }
        }
        let declared = pattern(r"(?m)^\s*(?:pub(?:\([a-z: ]+\))? )?mod (\w+);");
        file.children = declared.captures_iter(&code).map(|found| found[1].to_owned()).collect();
        file
    }
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("our own pattern")
}

/// The names that a `use` tree brings in, each with its whole path; `prefix` is what stands before the tree.
fn leaves(tree: &str, prefix: &[String]) -> Vec<(String, Place)> {
    let tree = tree.trim();
    if let Some((path, inner)) = tree.split_once('{') {
        let mut path_so_far = prefix.to_vec();
        path_so_far.extend(path.split("::").map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned));
        let inner = inner.trim_end().strip_suffix('}').unwrap_or(inner);
        return split(inner).into_iter().flat_map(|branch| leaves(branch, &path_so_far)).collect();
    }
    let (path, alias) = tree.split_once(" as ").map_or((tree, None), |(path, alias)| (path, Some(alias)));
    let mut whole = prefix.to_vec();
    whole.extend(path.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()));
    if whole.last().is_some_and(|last| last == "self") {
        whole.pop();
    }
    let name = alias.map_or_else(|| whole.last().cloned().unwrap_or_default(), |alias| alias.trim().to_owned());
    if name.is_empty() { Vec::new() } else { vec![(name, whole)] }
}

/// Splits at the commas that stand in no braces.
fn split(list: &str) -> Vec<&str> {
    let (mut branches, mut depth, mut start) = (Vec::new(), 0, 0);
    for (place, sign) in list.char_indices() {
        match sign {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                branches.push(&list[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    branches.push(&list[start..]);
    branches.into_iter().filter(|branch| !branch.trim().is_empty()).collect()
}

/// The other files that a file uses.
fn used<'a>(place: &Place, file: &File, files: &'a BTreeMap<Place, File>) -> BTreeSet<&'a Place> {
    let words: BTreeSet<&str> = file.body.split(|sign: char| !sign.is_alphanumeric() && sign != '_').collect();
    let only_handed_on = |name: &String| file.handed_on.contains(name) && !words.contains(name.as_str());
    let imported = file.imports.iter().filter(|(name, _)| !only_handed_on(name)).map(|(_, path)| path.clone());
    let paths = pattern(r"\b\w+(?:::\w+)+");
    let written = paths.find_iter(&file.body).map(|path| path.as_str().split("::").map(str::to_owned).collect());
    let absolute = imported.chain(written).filter_map(|path: Place| absolute(place, file, &path));
    absolute.filter_map(|path| home(&path, files, 0)).filter(|other| *other != place).collect()
}

/// A path from the crate's root; `None` where it leads out of the crate.
fn absolute(place: &Place, file: &File, path: &[String]) -> Option<Place> {
    let (first, rest) = path.split_first()?;
    let from = match first.as_str() {
        "crate" => Vec::new(),
        "self" => place.clone(),
        "super" => {
            let ups = path.iter().take_while(|part| *part == "super").count();
            let parent = place.len().checked_sub(ups)?;
            return Some([&place[..parent], &path[ups..]].concat());
        }
        child if file.children.contains(child) => return Some([place, path].concat()),
        name => {
            // A module or a type that a `use` line brought in.
            let path = file.imports.get(name).filter(|import| import.first().is_some_and(|first| first != name))?;
            return Some([absolute(place, file, path)?, rest.to_vec()].concat());
        }
    };
    Some([from, rest.to_vec()].concat())
}

/// The file that holds what a path names, through files that only hand it on.
fn home<'a>(path: &[String], files: &'a BTreeMap<Place, File>, hops: usize) -> Option<&'a Place> {
    let length = (0..=path.len()).rev().find(|length| files.contains_key(&path[..*length]))?;
    let (place, file) = files.get_key_value(&path[..length])?;
    let handed_on = path.get(length).filter(|name| file.handed_on.contains(*name) && hops < files.len());
    let onward = handed_on.and_then(|name| absolute(place, file, &file.imports[name]));
    onward.map_or(Some(place), |onward| home(&onward, files, hops + 1))
}

fn reachable<'a>(from: &Place, uses: &BTreeMap<&'a Place, BTreeSet<&'a Place>>) -> BTreeSet<&'a Place> {
    let mut reached = BTreeSet::new();
    let mut waiting: Vec<&'a Place> = uses[from].iter().copied().collect();
    while let Some(next) = waiting.pop() {
        if reached.insert(next) {
            waiting.extend(uses[next].iter().copied());
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(files: &[(&str, &str)], expected: &[&[&str]]) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            let file = folder.path().join("src").join(name);
            fs::create_dir_all(file.parent().expect("a file lies in a folder")).expect("our own folder");
            fs::write(file, text).expect("our own folder");
        }
        let found = circles(folder.path());
        let names: Vec<Vec<&String>> = found.iter().map(|circle| circle.keys().collect()).collect();
        assert_eq!(names, expected);
    }

    #[test]
    fn files_that_use_each_other_are_a_circle_however_it_is_written() {
        let lib = ("lib.rs", "mod a;\nmod b;\nmod c;\n");
        let circle: &[&[&str]] = &[&["crate::a", "crate::b"]];
        check(
            &[lib, ("a.rs", "use crate::b::B;\n"), ("b.rs", "use crate::{c::C, a::{A, Other}};\n"), ("c.rs", "")],
            circle,
        );
        check(
            &[
                lib,
                ("a.rs", "fn f() { super::b::g() }\n"),
                ("b.rs", "use super::a;\nfn g() { a::f() }\n"),
                ("c.rs", ""),
            ],
            circle,
        );
        check(&[lib, ("a.rs", "use crate::b::B;\n"), ("b.rs", "use crate::c::C;\n"), ("c.rs", "struct C;\n")], &[]);
        check(
            &[lib, ("a.rs", "use crate::b::B;\n"), ("b.rs", "use crate::c::C;\n"), ("c.rs", "use crate::a::A;\n")],
            &[&["crate::a", "crate::b", "crate::c"]],
        );
    }

    #[test]
    fn a_parent_and_a_child_are_one_only_where_both_use_the_other() {
        let lib = ("lib.rs", "pub mod a;\n");
        let child = ("a/child.rs", "use super::Shared;\nuse crate::a::Other as Renamed;\n");
        check(&[lib, ("a.rs", "mod child;\npub use child::Child;\npub struct Shared;\n"), child], &[]);
        let uses = ("a.rs", "mod child;\npub use child::Child;\npub struct Shared(Child);\n");
        check(&[lib, uses, child], &[&["crate::a", "crate::a::child"]]);
        check(&[lib, ("a.rs", "mod child;\nfn f() { child::g() }\n"), child], &[&["crate::a", "crate::a::child"]]);
    }

    #[test]
    fn a_name_belongs_to_the_file_that_it_comes_from() {
        let lib = ("lib.rs", "pub mod a;\n");
        let parent = ("a.rs", "mod one;\nmod two;\npub use one::One;\npub use two::Two;\n");
        check(&[lib, parent, ("a/one.rs", "use super::Two;\n"), ("a/two.rs", "pub struct Two;\n")], &[]);
        let circle: &[&[&str]] = &[&["crate::a::one", "crate::a::two"]];
        check(&[lib, parent, ("a/one.rs", "use super::Two;\n"), ("a/two.rs", "use crate::a::One;\n")], circle);
    }

    #[test]
    fn comments_and_tests_use_nothing() {
        let lib = ("lib.rs", "mod a;\nmod b;\n");
        let tests = ("b.rs", "//! See [`crate::a`].\n#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n");
        check(&[lib, ("a.rs", "use crate::b::B;\n"), tests, ("a/tests.rs", "use super::*;\n")], &[]);
    }
}
