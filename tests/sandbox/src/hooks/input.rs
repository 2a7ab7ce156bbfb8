//! Content of `--file`, read as Juju reads it: YAML by yaml.v2, a map of texts.
//!
//! yaml.v2 refuses things that JSON writers produce. A sandbox that accepted them would hide a bug, so the
//! same are refused here: escaped surrogates, `\/`, raw control characters, keys of more than 1024
//! characters.

use std::collections::BTreeMap;
use std::path::Path;

use serde_yaml::Value;

use super::{Call, Fault};

// libyaml's limit for a key that is followed by its value.
const KEY_LIMIT: usize = 1024;

impl Call<'_> {
    /// The map in the file that `--file` names; `-` is standard input.
    pub(super) fn file_map(&self) -> Result<BTreeMap<String, String>, Fault> {
        let Some(name) = self.flags.get("file") else { return Ok(BTreeMap::new()) };
        let bytes =
            if name == "-" { self.stdin.ok_or(Fault::Stdin)?.to_vec() } else { read(&self.dir.join(name))? };
        parse(&bytes)
    }
}

/// A file that the agent opens.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Fault::failed(format!("open {}: no such file or directory", path.display()))
        }
        _ => Fault::failed(format!("open {}: {error}", path.display())),
    })
}

fn parse(bytes: &[u8]) -> Result<BTreeMap<String, String>, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|_| refused("invalid leading UTF-8 octet"))?;
    if text.contains(|c: char| !allowed(c)) {
        return Err(refused("control characters are not allowed"));
    }
    check_escapes(text)?;
    // A raw NEL is a line break, which folds into a space.
    let folded = text.replace('\u{85}', " ");
    let value: Value = serde_yaml::from_str(&folded).map_err(|error| refused(&error.to_string()))?;
    let map = match value {
        Value::Null => return Ok(BTreeMap::new()),
        Value::Mapping(map) => map,
        _ => return Err(refused("unmarshal errors: cannot unmarshal into map[string]string")),
    };
    let mut content = BTreeMap::new();
    for (key, value) in map {
        let (Some(key), Some(value)) = (scalar(&key), scalar(&value)) else {
            return Err(refused("unmarshal errors: cannot unmarshal into string"));
        };
        if key.chars().count() > KEY_LIMIT {
            return Err(refused("could not find expected ':'"));
        }
        content.insert(key, value);
    }
    Ok(content)
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}

// The printable characters of YAML 1.1; a byte order mark only at the start, which serde_yaml checks.
fn allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
}

// Walks through double-quoted texts only: elsewhere a backslash is a backslash.
fn check_escapes(text: &str) -> Result<(), Fault> {
    let mut chars = text.chars().peekable();
    let mut before = '\n';
    while let Some(c) = chars.next() {
        let opens = before.is_whitespace() || "[{,:".contains(before);
        if c == '\'' && opens {
            for c in chars.by_ref() {
                if c == '\'' {
                    break;
                }
            }
        }
        if c == '"' && opens {
            while let Some(c) = chars.next() {
                match c {
                    '"' => break,
                    '\\' => check_escape(&mut chars)?,
                    _ => {}
                }
            }
        }
        before = c;
    }
    Ok(())
}

fn check_escape(chars: &mut impl Iterator<Item = char>) -> Result<(), Fault> {
    let digits = match chars.next() {
        Some('x') => 2,
        Some('u') => 4,
        Some('U') => 8,
        Some(c) if "0abt\tnvfre \"'\\N_LP\n".contains(c) => return Ok(()),
        _ => return Err(refused("found unknown escape character")),
    };
    let hex: String = chars.take(digits).collect();
    match u32::from_str_radix(&hex, 16) {
        Ok(code) if hex.len() == digits && char::from_u32(code).is_some() => Ok(()),
        _ => Err(refused("found invalid Unicode character escape code")),
    }
}

fn refused(reason: &str) -> Fault {
    Fault::failed(format!("yaml: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_yaml_v2_takes_and_refuses() {
        let one = |text: &str| parse(text.as_bytes()).map(|map| map["k"].clone());
        for (text, value) in [
            (r#"{"k": "😀"}"#, "😀"),
            (r#"{"k": "\U0001F600"}"#, "😀"),
            (r#"{"k": "\u00e9\b\f\n\"\\"}"#, "é\u{8}\u{c}\n\"\\"),
            ("k: it's plain \\/", "it's plain \\/"),
            ("k: 'single \\/'", "single \\/"),
            ("k: 12", "12"),
            ("k: true", "true"),
            ("{\"k\": \"a\u{85}b\"}", "a b"),
        ] {
            assert_eq!(one(text).unwrap(), value, "{text}");
        }
        let long = format!("{{\"{}\": \"v\"}}", "k".repeat(1025));
        for text in [
            r#"{"k": "\ud83d\ude00"}"#,
            r#"{"k": "a\/b"}"#,
            "{\"k\": \"\u{7f}\"}",
            "{\"k\": \"\u{fffe}\"}",
            "{\"k\": [1]}",
            "- k",
            &long,
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap_err().kind(), "failed", "{text}");
        }
        assert!(parse(b"").unwrap().is_empty());
    }
}
