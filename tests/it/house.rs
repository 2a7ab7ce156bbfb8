//! The house rules that no lint knows: how long a file is, and what things are called.
//!
//! Given the sources of the charm and of its tests, each test lists the places that break one rule.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const LONGEST: usize = 400;

/// Public types of `src` that share a name, because it is the word for each of them.
const SHARED: [(&str, &str); 3] = [
    ("Connection", "a session with PostgreSQL, and one with the API server"),
    ("Error", "each room has one, and others call it by the room's name"),
    ("Result", "of the room's own error"),
];

/// Names of modules that say nothing of what they hold.
const VAGUE: [&str; 5] = ["complaints", "inputs", "obstacles", "outputs", "questions"];
/// Words that were made up here, where the field has its own.
const INVENTED: [&str; 4] = ["Desk", "Making", "Takers", "Told"];

/// The files of Rust below a directory of this package, by their path in it.
fn sources(directory: &str) -> BTreeMap<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut found, mut left) = (BTreeMap::new(), vec![root.join(directory)]);
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.insert(path.strip_prefix(root).unwrap().to_owned(), text);
            }
        }
    }
    assert!(!found.is_empty());
    found
}

/// The files of the charm and of all its tests.
fn all() -> BTreeMap<PathBuf, String> {
    let mut all = sources("src");
    all.extend(sources("tests"));
    all
}

/// The name of the type that a line declares, and whether other modules can name it.
fn declared(line: &str) -> Option<(&str, bool)> {
    let line = line.trim_start();
    let public = line.strip_prefix("pub ");
    let (_, rest) = ["struct ", "enum ", "trait ", "type ", "union "]
        .iter()
        .find_map(|word| Some((word, public.unwrap_or(line).strip_prefix(word)?)))?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    // A macro names its types elsewhere.
    (end > 0).then_some((&rest[..end], public.is_some()))
}

#[test]
fn no_file_is_too_long() {
    let long = all().into_iter().map(|(path, text)| (path, text.lines().count()));
    let long: Vec<_> = long.filter(|(_, lines)| *lines > LONGEST).collect();
    assert!(long.is_empty(), "above {LONGEST} lines: {long:#?}");
}

#[test]
fn no_two_public_types_of_the_charm_share_a_name() {
    let mut places: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for (path, text) in sources("src") {
        for (name, _) in text.lines().filter_map(declared).filter(|(_, is_public)| *is_public) {
            places.entry(name.to_owned()).or_default().push(path.clone());
        }
    }
    places.retain(|_, places| places.len() > 1);
    for (name, reason) in SHARED {
        assert!(places.remove(name).is_some(), "{name} ({reason}) is no longer shared: take it off the list");
    }
    assert!(places.is_empty(), "name each for what it is: {places:#?}");
}

#[test]
fn names_are_those_of_the_field() {
    let mut faults = Vec::new();
    for (path, text) in all() {
        let words = path.iter().filter_map(|word| word.to_str()?.split('.').next());
        faults.extend(words.filter(|word| VAGUE.contains(word)).map(|word| format!("{path:?}: {word}")));
        for (number, line) in text.lines().enumerate() {
            let invented = declared(line).is_some_and(|(name, _)| INVENTED.contains(&name));
            let vague = path.starts_with("src") && line.contains("fn of_");
            if invented || vague {
                faults.push(format!("{path:?}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}
