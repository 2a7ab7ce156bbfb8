//! Compares what was recorded with what the double answers.
//!
//! It is given both as JSON (or text) and gives the first difference; what must differ from run to run (ids, times, process
//! numbers, random names, the root directory) is normalised, ids by a mapping that must stay one to one.

use std::{collections::HashMap, path::Path};

use serde_json::Value;

/// The state of a comparison over a group of recordings.
#[derive(Default)]
pub struct Compare {
    ids: HashMap<(String, String), String>,
    replacements: Vec<(String, String)>,
    /// The daemon runs as root, like the recorded one.
    pub root_user: bool,
}

const TIMES: [&str; 8] = [
    "spawn-time",
    "ready-time",
    "current-since",
    "first-occurred",
    "last-occurred",
    "last-repeated",
    "time",
    "last-modified",
];
const OWNERS: [&str; 6] = ["user", "user-id", "group", "group-id", "HOME", "USER"];

impl Compare {
    /// Begins: `/srv/pebtest` of the recordings is `root` here.
    pub fn new(root: &Path) -> Self {
        let root = root.to_string_lossy().into_owned();
        let replacements = vec![("/srv/pebtest".into(), root.clone()), ("/tmp/pebtest".into(), root)];
        Self { ids: HashMap::new(), replacements, root_user: nix::unistd::Uid::effective().is_root() }
    }

    /// Replaces a text of the recordings by what stands for it here.
    pub fn replace(&mut self, recorded: &str, here: &str) {
        self.replacements.push((recorded.to_owned(), here.to_owned()));
    }

    /// The text with everything replaced.
    pub fn here(&self, text: &str) -> String {
        self.replacements.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    }

    /// The value with everything replaced in its strings.
    pub fn value_here(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.here(text).into(),
            Value::Array(items) => items.iter().map(|item| self.value_here(item)).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(name, value)| (name.clone(), self.value_here(value))).collect()
            }
            other => other.clone(),
        }
    }

    /// The id that stands for a recorded one.
    pub fn id(&self, space: &str, recorded: &str) -> String {
        self.ids.get(&(space.to_owned(), recorded.to_owned())).cloned().unwrap_or_else(|| recorded.to_owned())
    }

    /// Makes the id that stands for a recorded one known.
    pub fn know(&mut self, space: &str, recorded: &str, here: &str) {
        self.ids.insert((space.to_owned(), recorded.to_owned()), here.to_owned());
    }

    fn same_id(&mut self, space: &str, recorded: &Value, actual: &Value) -> Result<(), String> {
        let (Some(recorded), Some(actual)) = (recorded.as_str(), actual.as_str()) else {
            return if recorded == actual { Ok(()) } else { Err(format!("id {recorded} is {actual}")) };
        };
        let known =
            self.ids.entry((space.to_owned(), recorded.to_owned())).or_insert_with(|| actual.to_owned());
        if known == actual {
            Ok(())
        } else {
            Err(format!("{space} {recorded} was {known} before and is {actual} now"))
        }
    }

    /// Compares JSON; `path` says where, for the message.
    pub fn json(&mut self, path: &str, recorded: &Value, actual: &Value) -> Result<(), String> {
        let differ = || Err(format!("{path}: recorded {recorded}, here {actual}"));
        match (recorded, actual) {
            (Value::Object(a), Value::Object(b)) => {
                let mut names: Vec<_> = a.keys().chain(b.keys()).collect();
                names.sort();
                names.dedup();
                for name in names {
                    let (Some(a), Some(b)) = (a.get(name), b.get(name)) else {
                        if !self.root_user && OWNERS.contains(&name.as_str()) {
                            continue;
                        }
                        return Err(format!(
                            "{path}.{name}: recorded {:?}, here {:?}",
                            a.get(name),
                            b.get(name)
                        ));
                    };
                    self.field(path, name, a, b)?;
                }
                Ok(())
            }
            (Value::Array(a), Value::Array(b)) => {
                if a.len() != b.len() {
                    return differ();
                }
                let (a, b) = (sorted(a), sorted(b));
                for (index, (a, b)) in a.iter().zip(&b).enumerate() {
                    self.json(&format!("{path}[{index}]"), a, b)?;
                }
                Ok(())
            }
            (Value::String(a), Value::String(b)) => {
                let (a, b) = (plain(&self.here(a)), plain(b));
                if a == b { Ok(()) } else { Err(format!("{path}: recorded {a:?}, here {b:?}")) }
            }
            (a, b) if a == b => Ok(()),
            _ => differ(),
        }
    }

    fn field(&mut self, path: &str, name: &str, a: &Value, b: &Value) -> Result<(), String> {
        let here = format!("{path}.{name}");
        let task = path.contains(".tasks[");
        match name {
            "id" if b.as_str().is_some_and(|id| id.parse::<u64>().is_ok()) => {
                self.same_id(if task { "task" } else { "change" }, a, b)
            }
            "change" | "change-id" | "prev-change-id" => self.same_id("change", a, b),
            "task-id" => self.same_id("task", a, b),
            "boot-id" => {
                if b.as_str().is_some_and(|id| id.len() == 36) {
                    Ok(())
                } else {
                    Err(format!("{here}: {b}"))
                }
            }
            // How often a check has run by now depends on the machine; whether it has does not.
            "successes" | "failures" if a.as_u64() > Some(0) && b.as_u64() > Some(0) => Ok(()),
            name if TIMES.contains(&name) => {
                if is_time(a) && is_time(b) {
                    Ok(())
                } else {
                    Err(format!("{here}: recorded {a}, here {b}"))
                }
            }
            name if !self.root_user && (OWNERS.contains(&name) || name == "working-dir") => Ok(()),
            _ => self.json(&here, a, b),
        }
    }
}

fn is_time(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() >= 20 && text.contains('T') && text.ends_with('Z'))
}

/// Changes come in no order: they are put into that of their ids.
fn sorted(items: &[Value]) -> Vec<Value> {
    let mut items = items.to_vec();
    if items.iter().all(|item| item.get("summary").is_some() && item.get("id").is_some()) {
        items.sort_by_key(|item| item["id"].as_str().and_then(|id| id.parse::<u64>().ok()));
    }
    items
}

/// Text without its times, random numbers and ids.
fn plain(text: &str) -> String {
    let numbers: Vec<&str> = text.split(' ').collect();
    if numbers.len() == 3 && numbers.iter().all(|number| number.parse::<u32>().is_ok()) {
        // A process, its group and its session: only who is who counts.
        return format!(
            "group leader: {}, session leader: {}",
            numbers[0] == numbers[1],
            numbers[0] == numbers[2]
        );
    }
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        plain.push_str(before);
        let end = from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len());
        let (digits, after) = from.split_at(end);
        let time = from.get(..20).filter(|time| time.ends_with('Z') && time.as_bytes()[10] == b'T');
        let id = ["exec ", "change ", "task \""].iter().any(|word| before.ends_with(word));
        if let Some(time) = time {
            plain.push_str("<time>");
            rest = &from[time.len()..];
        } else if after.starts_with('~') || id || digits.len() >= 9 {
            // A random name, an id, or the clock or process number that a test program printed.
            plain.push_str("<n>");
            rest = after;
        } else {
            plain.push_str(digits);
            rest = after;
        }
    }
    plain.push_str(rest);
    plain
}

/// The parts of a multipart body: heading and content, without the boundary.
pub fn parts(body: &[u8], boundary: &str) -> Vec<(String, Vec<u8>)> {
    let delimiter = format!("--{boundary}").into_bytes();
    let find = |from: usize, what: &[u8]| {
        body[from..].windows(what.len()).position(|window| window == what).map(|at| from + at)
    };
    let mut parts = Vec::new();
    let mut at = 0;
    while let Some(start) = find(at, &delimiter) {
        let begin = start + delimiter.len() + 2;
        let (Some(head), Some(end)) =
            (find(begin.min(body.len()), b"\r\n\r\n"), find(begin.min(body.len()), &delimiter))
        else {
            break;
        };
        let content = body[(head + 4).min(end)..end].to_vec();
        parts.push((String::from_utf8_lossy(&body[begin..head]).into_owned(), content));
        at = end;
    }
    parts
}
