//! Writes a map of texts in the form that every parser behind Juju's `--file` reads without change.
//!
//! Given a map, [`text_map`] returns one line that is JSON and YAML at once. Juju reads such files with a YAML 1.1
//! parser (secrets: as JSON first), which refuses some of what a JSON writer may produce and silently changes some
//! other: surrogate pairs, an escaped slash and raw control characters are refused, raw U+0085 becomes a space, and
//! spaces around the raw line separators U+2028 and U+2029 are folded away. So everything printable stays raw and the
//! rest is escaped by the forms that all of them know.

use std::fmt::Write;

/// The longest key that the parser accepts, in characters as written, quotes included.
pub(super) const KEY_LIMIT: usize = 1024;

/// The map as one line of JSON that is YAML 1.1 too.
pub(super) fn text_map<K: AsRef<str>, V: AsRef<str>>(entries: impl IntoIterator<Item = (K, V)>) -> String {
    let mut out = String::from("{");
    for (key, value) in entries {
        if out.len() > 1 {
            out.push_str(", ");
        }
        quote(key.as_ref(), &mut out);
        out.push_str(": ");
        quote(value.as_ref(), &mut out);
    }
    out.push_str("}\n");
    out
}

/// How many characters the key takes as written.
pub(super) fn key_length(key: &str) -> usize {
    let mut out = String::new();
    quote(key, &mut out);
    out.chars().count()
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Writing to a String cannot fail.
            c if needs_escape(c) => write!(out, "\\u{:04x}", u32::from(c)).unwrap_or_default(),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// All of these lie in the basic plane, so that four hexadecimal digits suffice and no surrogate is ever written.
fn needs_escape(c: char) -> bool {
    matches!(
        c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn one(value: &str) -> String {
        text_map([("k", value)])
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
            assert_eq!(one(value).trim_end(), expected);
        }
        assert_eq!(text_map(BTreeMap::<String, String>::new()), "{}\n");
        assert_eq!(key_length("a\u{7f}"), 9);
    }

    /// Any text, with the troublesome characters far more often than chance would give them.
    fn text() -> impl Strategy<Value = String> {
        let trouble =
            "\0\u{1}\u{7f}\u{80}\u{85}\u{9f}\u{a0}\u{2028}\u{2029}\u{feff}\u{fffd}\u{fffe}\u{ffff}\u{1f600}";
        let trouble: Vec<char> = trouble.chars().chain("\n\r\t \"\\/#:-{}[],&*!|>%@`'".chars()).collect();
        let character = prop_oneof![proptest::sample::select(trouble), any::<char>()];
        proptest::collection::vec(character, 0..40).prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(map in proptest::collection::btree_map(text(), text(), 0..6)) {
            let written = text_map(&map);
            prop_assert_eq!(&serde_yaml::from_str::<BTreeMap<String, String>>(&written).unwrap(), &map);
            prop_assert_eq!(&serde_json::from_str::<BTreeMap<String, String>>(&written).unwrap(), &map);
        }

        #[test]
        fn nothing_refused_is_ever_written(map in proptest::collection::btree_map(text(), text(), 0..6)) {
            let written = text_map(&map);
            let line = written.strip_suffix('\n').unwrap();
            prop_assert!(!line.contains(needs_escape), "{line:?}");
            // Behind each backslash stands an escape of the common set, and never half of a surrogate pair.
            let mut rest = line;
            while let Some((_, after)) = rest.split_once('\\') {
                let escape = after.chars().next().unwrap();
                prop_assert!("\"\\nrtu".contains(escape), "{line:?}");
                if escape == 'u' {
                    let code = u32::from_str_radix(&after[1..5], 16).unwrap();
                    prop_assert!(char::from_u32(code).is_some(), "{line:?}");
                }
                rest = &after[1..];
            }
        }
    }
}
