//! YAML that every parser reads alike.
//!
//! Kratos reads its file with a parser of Go that takes more for numbers, dates and booleans than YAML 1.2 says, and Juju
//! reads the files behind `--file` with one of YAML 1.1 (secrets: as JSON first), which refuses or silently changes some of
//! what a writer may produce: surrogate pairs, raw control characters, line separators. So a text is written without quotes
//! only if it is a plain word, path or URL that begins with a letter, and in JSON's quotes, which YAML shares, in any other
//! case. No crate serves: serde_yaml, which is no longer maintained, writes `no` unquoted, and one that quotes everything would
//! change every kratos.yaml that is in use.

use serde_json::Value;

/// Words that some parser takes for something else than text, in small letters.
const RESERVED: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"];

/// The document, in block style, with the order of its maps kept.
pub fn text(value: &Value) -> String {
    let mut lines = String::new();
    block(value, 0, &mut lines);
    lines
}

/// A map of texts as one line of JSON that is YAML 1.1 too.
pub fn text_map<K: AsRef<str>, V: AsRef<str>>(entries: impl IntoIterator<Item = (K, V)>) -> String {
    let pairs = entries
        .into_iter()
        .map(|(key, value)| format!("{}: {}", quoted(key.as_ref()), quoted(value.as_ref())));
    format!("{{{}}}\n", Vec::from_iter(pairs).join(", "))
}

/// Writes whole lines.
fn block(value: &Value, depth: usize, lines: &mut String) {
    let margin = " ".repeat(depth);
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                lines.push_str(&format!("{margin}{}:", word(key)));
                match value {
                    Value::Array(items) if !items.is_empty() => {
                        lines.push('\n');
                        block(value, depth, lines);
                    }
                    Value::Object(map) if !map.is_empty() => {
                        lines.push('\n');
                        block(value, depth + 2, lines);
                    }
                    _ => lines.push_str(&format!(" {}\n", scalar(value))),
                }
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let mut own = String::new();
                block(item, depth + 2, &mut own);
                lines.push_str(&format!("{margin}- {}", own.get(depth + 2..).unwrap_or_default()));
            }
        }
        _ => lines.push_str(&format!("{margin}{}\n", scalar(value))),
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => word(text),
        // Numbers, booleans, null and what is empty look as in JSON.
        other => other.to_string(),
    }
}

fn word(text: &str) -> String {
    let is_plain = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_./@+=-:".contains(c))
        && !text.ends_with(':')
        && !RESERVED.contains(&text.to_ascii_lowercase().as_str());
    if is_plain { text.to_owned() } else { quoted(text) }
}

/// In JSON's quotes, with everything escaped that YAML calls a line break or not printable. All of that lies in the basic
/// plane, so four hexadecimal digits suffice and no surrogate is ever written.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    for character in Value::from(text).to_string().chars() {
        match character {
            special if is_special(special) => quoted.push_str(&format!("\\u{:04x}", u32::from(special))),
            other => quoted.push(other),
        }
    }
    quoted
}

/// What JSON leaves raw, and some parser does not take as it is.
fn is_special(c: char) -> bool {
    matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_looks_like_something_else_is_quoted() {
        for text in [
            "00123",
            "0o17",
            "1_000",
            "0x1f",
            "1e3",
            ".5",
            ".inf",
            "2026-11-26",
            "12:30:45",
            "~",
            "",
            "yes",
            "No",
            "NULL",
            "a: b # c",
            "a:",
            "- a",
            "<<",
            "=",
            "*a",
            "&a",
            "!a",
            "%a",
            "@a",
            "`a`",
            "{a}",
            "[a]",
            "'a'",
            "\"a\"",
            "a\nb",
            " a",
            "a ",
            "\t",
            "?",
            "#",
            "|",
            ">",
            "é",
            "\u{1f600}",
        ] {
            let written = word(text);
            assert!(written.starts_with('"') && written.ends_with('"'), "{written}");
        }
        for text in ["a", "social_user_v0", "https://a.b:8443/c", "base64://YQ+/==", "a@b.c", "Lax"] {
            assert_eq!(word(text), text);
        }
        assert_eq!(word("\u{7f}\u{85}\u{2028}\u{feff}\u{0}\\"), r#""\u007f\u0085\u2028\ufeff\u0000\\""#);
    }

    #[test]
    fn maps_and_lists_are_written_as_blocks() {
        let value =
            json!({"a": {"b": [], "c": {}, "d": [1, "x", [2, 3], {"e": true, "f": {"g": null}}]}, "": -1.5});
        let expected = "a:\n  b: []\n  c: {}\n  d:\n  - 1\n  - x\n  - - 2\n    - 3\n  - e: true\n    f:\n      g: null\n\"\": -1.5\n";
        assert_eq!(text(&value), expected);
        assert_eq!(text(&json!("a: b")), "\"a: b\"\n");
    }

    #[test]
    fn awkward_characters_take_their_safe_form() {
        let table = [
            ("plain", r#"{"k": "plain"}"#),
            ("a\"b\\c/d", r#"{"k": "a\"b\\c/d"}"#),
            ("\n\r\t\0\u{1}", r#"{"k": "\n\r\t\u0000\u0001"}"#),
            ("\u{7f}\u{85}\u{9f}", r#"{"k": "\u007f\u0085\u009f"}"#),
            ("\u{2028}\u{2029}\u{feff}", r#"{"k": "\u2028\u2029\ufeff"}"#),
            ("\u{fffe}\u{ffff}", r#"{"k": "\ufffe\uffff"}"#),
            ("ü😀\u{fffd}", "{\"k\": \"ü😀\u{fffd}\"}"),
            ("", r#"{"k": ""}"#),
        ];
        for (value, expected) in table {
            assert_eq!(text_map([("k", value)]).trim_end(), expected);
        }
        assert_eq!(text_map(BTreeMap::<String, String>::new()), "{}\n");
    }

    /// Any text, with the troublesome characters far more often than chance would give them.
    fn any_text() -> impl Strategy<Value = String> {
        let trouble =
            "\0\u{1}\u{7f}\u{80}\u{85}\u{9f}\u{a0}\u{2028}\u{2029}\u{feff}\u{fffd}\u{fffe}\u{ffff}\u{1f600}";
        let trouble: Vec<char> = trouble.chars().chain("\n\r\t \"\\/#:-{}[],&*!|>%@`'".chars()).collect();
        let character = prop_oneof![proptest::sample::select(trouble), any::<char>()];
        proptest::collection::vec(character, 0..40).prop_map(String::from_iter)
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[ -~\u{7f}-\u{9f}\u{2028}\u{feff}\n\t:#'\"]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 48, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_back(value in any_value()) {
            let written = text(&value);
            prop_assert_eq!(serde_yaml::from_str::<Value>(&written).unwrap(), value, "{}", written);
        }

        #[test]
        fn a_map_of_texts_reads_back(map in proptest::collection::btree_map(any_text(), any_text(), 0..6)) {
            let written = text_map(&map);
            prop_assert_eq!(&serde_yaml::from_str::<BTreeMap<String, String>>(&written).unwrap(), &map);
            prop_assert_eq!(&serde_json::from_str::<BTreeMap<String, String>>(&written).unwrap(), &map);
        }

        #[test]
        fn nothing_that_juju_refuses_is_ever_written(map in proptest::collection::btree_map(any_text(), any_text(), 0..6)) {
            let written = text_map(&map);
            let line = written.strip_suffix('\n').unwrap();
            prop_assert!(!line.contains(|c: char| c.is_control() || is_special(c)), "{line:?}");
            // Behind each backslash stands an escape of the common set, and never half of a surrogate pair.
            let mut rest = line;
            while let Some((_, after)) = rest.split_once('\\') {
                let escape = after.chars().next().unwrap();
                prop_assert!("\"\\bfnrtu".contains(escape), "{line:?}");
                if escape == 'u' {
                    let code = u32::from_str_radix(&after[1..5], 16).unwrap();
                    prop_assert!(char::from_u32(code).is_some(), "{line:?}");
                }
                rest = &after[1..];
            }
        }
    }
}
