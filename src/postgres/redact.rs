//! Takes one secret out of a text, however the text quotes it.
//!
//! Given a text of somebody else (a program's stderr, a server's message) and the secret, it replaces every occurrence
//! by `***`. A program that was given a percent-encoded DSN may print the secret decoded, encoded by its own rules
//! or inside JSON, so each byte of the secret is recognised in each of these spellings. Crates that hide secrets hide
//! values of ours; none searches the text of another program.

use std::borrow::Cow;

const MASK: &str = "***";

/// `text` with each occurrence of `secret` replaced by `***`; an empty secret occurs nowhere.
pub(super) fn redact<'t>(text: &'t str, secret: &str) -> Cow<'t, str> {
    let mut clean = String::new();
    let (mut copied, mut at) = (0, 0);
    while at < text.len() {
        match end_of(&text.as_bytes()[at..], secret.as_bytes()) {
            Some(length) if text.is_char_boundary(at) && text.is_char_boundary(at + length) => {
                clean.push_str(&text[copied..at]);
                clean.push_str(MASK);
                at += length;
                copied = at;
            }
            _ => at += 1,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    clean.push_str(&text[copied..]);
    Cow::Owned(clean)
}

/// How many bytes at the start of `text` spell the whole secret, the longest reading if there are several.
fn end_of(text: &[u8], secret: &[u8]) -> Option<usize> {
    let (&first, rest) = secret.split_first()?;
    let mut ends = spellings(text, first);
    for &byte in rest {
        if ends.is_empty() {
            return None;
        }
        let mut next: Vec<usize> = ends
            .iter()
            .flat_map(|&end| spellings(&text[end..], byte).into_iter().map(move |n| end + n))
            .collect();
        // Without this, a secret of backslashes would double the readings at every byte.
        next.sort_unstable();
        next.dedup();
        ends = next;
    }
    ends.into_iter().max()
}

/// What stands after the backslash in JSON's short escape of `byte`.
fn json_letter(byte: u8) -> u8 {
    match byte {
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        other => other,
    }
}

/// The lengths of all spellings of `byte` at the start of `text`: itself, `%XX`, `+` for a space, `\x`, `\u00XX`.
fn spellings(text: &[u8], byte: u8) -> Vec<usize> {
    let hex = |digits: Option<&[u8]>| {
        digits
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            == Some(byte)
    };
    let mut lengths = Vec::new();
    if text.first() == Some(&byte) || (byte == b' ' && text.first() == Some(&b'+')) {
        lengths.push(1);
    }
    if text.first() == Some(&b'%') && hex(text.get(1..3)) {
        lengths.push(3);
    }
    if text.first() == Some(&b'\\') {
        if text.get(1) == Some(&json_letter(byte)) {
            lengths.push(2);
        }
        if text.get(1..4) == Some(b"u00") && hex(text.get(4..6)) {
            lengths.push(6);
        }
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    #[test]
    fn every_spelling_is_masked() {
        let secret = "p@ss/\"w&r d%\\ü";
        for text in [
            "p@ss/\"w&r d%\\ü",
            "p%40ss%2F%22w%26r%20d%25%5C%C3%BC",
            "p%40ss%2f%22w&r+d%25%5cü",
            r#"p@ss/\"w\u0026r d%\\ü"#,
        ] {
            assert_eq!(redact(&format!("dsn ({text}): {text}!"), secret), "dsn (***): ***!");
        }
    }

    #[test]
    fn other_text_is_left_alone() {
        assert!(matches!(redact("nothing here", "secret"), Cow::Borrowed("nothing here")));
        assert!(matches!(redact("anything", ""), Cow::Borrowed("anything")));
        assert_eq!(redact("secre secret", "secret"), "secre ***");
    }

    #[test]
    fn a_hostile_secret_costs_no_time() {
        let text = format!("{}x", "\\".repeat(400));
        assert_eq!(redact(&text, &"\\".repeat(300)), "***x");
        assert!(matches!(redact(&text, &format!("{}y", "\\".repeat(250))), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn the_secret_never_survives(before in "[<>]{0,9}", secret in "[^<>*]{1,20}", after in "[<>]{0,9}") {
            let encoded = utf8_percent_encode(&secret, NON_ALPHANUMERIC).to_string();
            for spelling in [&secret, &encoded] {
                let text = format!("{before}{spelling}{after}");
                prop_assert_eq!(redact(&text, &secret), format!("{before}***{after}"));
            }
            let json = serde_json::to_string(&secret).unwrap();
            let inner = &json[1..json.len() - 1];
            prop_assert!(!redact(&json, &secret).contains(inner));
        }
    }
}
