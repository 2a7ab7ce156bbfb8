//! The documents: each link in them leads to a file and a place in it, and each number by which code and tests refer to
//! docs/behaviour.md stands there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const BEHAVIOUR: &str = "docs/behaviour.md";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a folder whose names end so.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|it| it == extension) {
            found.push(path);
        }
    }
    found
}

fn documents() -> Vec<PathBuf> {
    let top = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|name| root().join(name));
    top.into_iter().chain(files(&root().join("docs"), "md")).collect()
}

/// A document without its blocks of code.
fn prose(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut is_code = false;
    let mut kept = String::new();
    for line in text.lines() {
        let is_fence = line.trim_start().starts_with("```");
        if !is_code && !is_fence {
            kept += line;
            kept.push('\n');
        }
        is_code ^= is_fence;
    }
    assert!(!is_code, "{}: a block of code has no end", path.display());
    kept
}

/// The places in a document that a link may name: its headings, as GitHub spells them, and the anchors written in it.
fn anchors(path: &Path) -> BTreeSet<String> {
    let text = prose(path);
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let slug = |line: &str| -> String {
        let heading = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        heading.chars().filter(|letter| letter.is_alphanumeric() || "-_".contains(*letter)).collect()
    };
    let written = text.split("<a id=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
    headings.map(slug).chain(written).collect()
}

/// The targets of the links in a document.
fn links(path: &Path) -> Vec<String> {
    let text = prose(path);
    let outside: String = text.split('`').step_by(2).collect::<Vec<_>>().join("`");
    outside.split("](").skip(1).map(|rest| rest.split(')').next().unwrap().to_owned()).collect()
}

/// What begins a text and belongs to an anchor.
fn anchor(text: &str) -> &str {
    let end =
        text.find(|letter: char| !(letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-'));
    &text[..end.unwrap_or(text.len())]
}

/// The anchors of docs/behaviour.md that a text names.
fn named(text: &str) -> Vec<String> {
    let whole = text.split("behaviour.md#").skip(1).map(|rest| anchor(rest).to_owned());
    let further = text.split(" #").skip(1).map(|rest| anchor(rest).to_owned());
    let is_numbered = |anchor: &String| ["row-", "weakness-"].iter().any(|kind| anchor.starts_with(kind));
    whole.filter(|anchor| !anchor.is_empty()).chain(further.filter(is_numbered)).collect()
}

/// The anchors that the names of a file's functions stand for: `weakness_63_and_row_74_…`, `rows_69_to_73_…`.
fn of_functions(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for name in text.split("fn ").skip(1).filter_map(|rest| rest.split('(').next()) {
        let mut kind = None;
        for word in name.split('_') {
            match (word, word.parse::<u32>(), kind) {
                ("row" | "rows", ..) => kind = Some("row"),
                ("weakness" | "weaknesses", ..) => kind = Some("weakness"),
                (_, Ok(number), Some(kind)) => found.push(format!("{kind}-{number}")),
                ("and" | "to", ..) => {}
                _ => kind = None,
            }
        }
    }
    found
}

#[test]
fn every_link_leads_somewhere() {
    let mut count = 0;
    for document in documents() {
        for link in links(&document) {
            if ["http://", "https://", "mailto:"].iter().any(|scheme| link.starts_with(scheme)) {
                continue;
            }
            let (path, place) = link.split_once('#').map_or((link.as_str(), None), |(a, b)| (a, Some(b)));
            let target = match path {
                "" => document.clone(),
                path => document.parent().unwrap().join(path),
            };
            let shown = format!("{}: {link}", document.display());
            assert!(target.exists(), "{shown}");
            assert!(place.is_none_or(|place| anchors(&target).contains(place)), "{shown}");
            count += 1;
        }
    }
    assert!(count > 10, "{count} links");
}

#[test]
fn every_number_that_code_and_tests_refer_to_stands_in_behaviour_md() {
    let known = anchors(&root().join(BEHAVIOUR));
    let mut referring: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (folder, extension) in [("src", "rs"), ("tests", "rs"), ("docs", "md")] {
        for path in files(&root().join(folder), extension) {
            let text = fs::read_to_string(&path).unwrap();
            for anchor in named(&text).into_iter().chain(of_functions(&text)) {
                referring.entry(anchor).or_default().push(path.display().to_string());
            }
        }
    }
    let lost: Vec<_> = referring.iter().filter(|(anchor, _)| !known.contains(*anchor)).collect();
    assert!(lost.is_empty(), "{BEHAVIOUR} does not hold {lost:?}");
    for anchor in ["row-52", "weakness-66", "events-of-the-endpoints"] {
        assert!(referring.contains_key(anchor), "{anchor} is not looked for");
    }
}
