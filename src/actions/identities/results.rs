//! An identity as results of an action: within Juju's grammar of keys and its limits, and without credentials.
//!
//! Given the JSON of Kratos, each object opens a level and each other value is a result under the key that Juju allows:
//! `traits.phone_number` becomes `traits.phone-number`, `traits.firstName` becomes `traits.first-name`. A list is one
//! result, as JSON. `null` is left out. Two names that become the same key are told apart by `-2`, `-3`, ... in their
//! order. The result `json` holds the untouched object, for programs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// A longer value is cut; in bytes. Far below the 128 KiB of one argument.
const LONGEST_VALUE: usize = 16 * 1024;
/// What all values are in bytes, `json` aside: a command line carries about 2 MiB.
const MOST_BYTES: usize = 256 * 1024;
/// More results than these nobody reads.
const MOST_KEYS: usize = 500;
/// A longer `json` is left out rather than cut: half an object is none.
pub const LONGEST_JSON: usize = 100 * 1024;
/// Words that Juju keeps for itself.
const RESERVED: [&str; 6] = ["stdout", "stderr", "stdout-encoding", "stderr-encoding", "return-code", "json"];

/// The results for an identity; `rest` is the command that shows what did not fit.
pub fn identity_results(identity: &Value, rest: &str) -> BTreeMap<String, String> {
    let identity = without_credentials(identity);
    let mut gathered = Gathered::default();
    if let Value::Object(map) = &identity {
        gathered.object(map, "");
    }
    let Gathered { mut results, left_out, .. } = gathered;
    if left_out > 0 {
        results
            .insert("left-out".to_owned(), format!("{left_out} values more than fit; the rest with: {rest}"));
    }
    let json = identity.to_string();
    let json = match json.len() {
        length if length > LONGEST_JSON => {
            format!("left out: {length} bytes are more than a result carries; see: {rest}")
        }
        _ => json,
    };
    results.insert("json".to_owned(), json);
    results
}

/// The identity with the types and identifiers of its credentials, and nothing that they hold.
pub fn without_credentials(identity: &Value) -> Value {
    let mut identity = identity.clone();
    for credential in identity["credentials"].as_object_mut().into_iter().flat_map(Map::values_mut) {
        if let Value::Object(credential) = credential {
            credential.shift_remove("config");
        }
    }
    if identity["credentials"].is_null()
        && let Value::Object(map) = &mut identity
    {
        map.shift_remove("credentials");
    }
    identity
}

#[derive(Default)]
struct Gathered {
    results: BTreeMap<String, String>,
    bytes: usize,
    left_out: usize,
}

impl Gathered {
    fn object(&mut self, map: &Map<String, Value>, above: &str) {
        let mut taken = BTreeSet::new();
        for (name, value) in map {
            let key = unique(key(name), &mut taken);
            let key = if above.is_empty() { key } else { format!("{above}.{key}") };
            match value {
                Value::Null => {}
                Value::Object(inner) if !inner.is_empty() => self.object(inner, &key),
                Value::String(text) => self.add(key, text),
                other => self.add(key, &other.to_string()),
            }
        }
    }

    fn add(&mut self, key: String, value: &str) {
        let value = value.replace('\0', "\u{fffd}");
        let value = match value.len() {
            length if length > LONGEST_VALUE => {
                format!("{} [cut: {length} bytes in all]", &value[..value.floor_char_boundary(LONGEST_VALUE)])
            }
            _ => value,
        };
        let bytes = key.len() + value.len();
        if self.results.len() >= MOST_KEYS || self.bytes + bytes > MOST_BYTES || key.len() > LONGEST_VALUE {
            self.left_out += 1;
            return;
        }
        self.bytes += bytes;
        self.results.insert(key, value);
    }
}

/// A part of a key as Juju allows it: lower-case letters, digits and inner hyphens.
fn key(name: &str) -> String {
    let mut key = String::new();
    let mut before = None;
    for character in name.chars() {
        let inner_capital =
            character.is_ascii_uppercase() && before.is_some_and(|b: char| !b.is_ascii_uppercase());
        if (inner_capital || !character.is_ascii_alphanumeric()) && !key.is_empty() && !key.ends_with('-') {
            key.push('-');
        }
        if character.is_ascii_alphanumeric() {
            key.push(character.to_ascii_lowercase());
        }
        before = Some(character);
    }
    let key = key.trim_end_matches('-');
    match key {
        "" => "unnamed".to_owned(),
        reserved if RESERVED.contains(&reserved) => format!("x-{reserved}"),
        key => key.to_owned(),
    }
}

fn unique(key: String, taken: &mut BTreeSet<String>) -> String {
    let mut chosen = key.clone();
    let mut number = 2;
    while !taken.insert(chosen.clone()) {
        chosen = format!("{key}-{number}");
        number += 1;
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_become_keys() {
        let table = [
            ("phone_number", "phone-number"),
            ("firstName", "first-name"),
            ("HTTPProxy", "httpproxy"),
            ("userID", "user-id"),
            ("_x_", "x"),
            ("a.b c", "a-b-c"),
            ("größe", "gr-e"),
            ("日本", "unnamed"),
            ("", "unnamed"),
            ("stdout", "x-stdout"),
            ("return_code", "x-return-code"),
            ("9", "9"),
        ];
        for (name, expected) in table {
            assert_eq!(key(name), expected, "{name}");
        }
    }

    #[test]
    fn names_that_become_one_key_are_told_apart() {
        let identity =
            json!({"a_b": 1, "a-b": 2, "aB": {"c": true}, "n": null, "l": [1, {"x": null}], "o": {}});
        let results = identity_results(&identity, "x");
        let shown: Vec<_> =
            results.iter().filter(|(key, _)| *key != "json").map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(shown, ["a-b=1", "a-b-2=2", "a-b-3.c=true", "l=[1,{\"x\":null}]", "o={}"]);
        assert_eq!(results["json"], identity.to_string());
    }

    #[test]
    fn credentials_are_named_but_not_shown() {
        let identity = json!({"credentials": {"password": {"identifiers": ["a@b"], "config": {"hashed_password": "$2a$x"}}}});
        let shown = format!("{:?}", identity_results(&identity, "x"));
        assert!(!shown.contains("$2a$x") && shown.contains("a@b"), "{shown}");
    }

    #[test]
    fn what_is_too_much_is_counted() {
        let many: Map<String, Value> = (0..600).map(|n| (format!("t{n}"), json!(n))).collect();
        let long = "ü".repeat(80_000);
        let results = identity_results(&json!({"long": long, "many": many, "nul": "a\0b"}), "THE COMMAND");
        assert!(
            results["long"].len() <= LONGEST_VALUE + 40
                && results["long"].ends_with("[cut: 160000 bytes in all]")
        );
        assert_eq!(results["left-out"], "102 values more than fit; the rest with: THE COMMAND");
        assert!(results["json"].starts_with("left out: ") && results["json"].ends_with("see: THE COMMAND"));
        let bytes: usize = results.values().map(String::len).sum();
        assert!(bytes < 2 * MOST_BYTES && results.values().all(|value| value.len() < 128 * 1024 - 200));
    }
}
