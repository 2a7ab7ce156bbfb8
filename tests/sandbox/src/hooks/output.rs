//! Output formats of Juju's commands: smart, JSON as Go's encoding/json writes it, YAML as Go's yaml.v2
//! writes it.

use std::fmt::Write;

use serde_json::Value;

/// A value in a format (`smart`, `json`, `yaml`), with the newline that Juju's commands end with; smart null
/// is nothing.
#[must_use]
pub fn render(value: &Value, format: &str) -> String {
    let text = match format {
        "json" => json(value),
        "yaml" => yaml(value),
        _ => smart(value),
    };
    if text.is_empty() || text.ends_with('\n') { text } else { text + "\n" }
}

fn smart(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(flag) => if *flag { "True" } else { "False" }.to_owned(),
        // Juju leaves a text as it is and always adds a newline.
        Value::String(text) if text.is_empty() => String::new(),
        Value::String(text) => format!("{text}\n"),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
        }
        other => yaml(other),
    }
}

/// JSON with sorted keys and Go's escapes (`<`, `>`, `&`, U+2028, U+2029), without a newline.
#[must_use]
pub fn json(value: &Value) -> String {
    let mut out = String::new();
    write_json(&mut out, value);
    out
}

fn write_json(out: &mut String, value: &Value) {
    match value {
        Value::String(text) => json_string(out, text),
        Value::Number(number) => out.push_str(&go_number(number)),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_json(out, item);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut keys: Vec<&String> = members.keys().collect();
            keys.sort();
            out.push('{');
            for (index, key) in keys.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                json_string(out, key);
                out.push(':');
                write_json(out, &members[key]);
            }
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}

fn json_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

// Go prints a whole float as an integer.
fn go_number(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e21 => format!("{float:.0}"),
        _ => number.to_string(),
    }
}

/// YAML in yaml.v2's style: sorted keys, lists not indented, quotes only where a text would be read as
/// something else.
#[must_use]
pub fn yaml(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(members) if !members.is_empty() => write_map(&mut out, members, 0),
        Value::Array(items) if !items.is_empty() => write_list(&mut out, items, 0),
        scalar => {
            out.push_str(&yaml_scalar(scalar, 0));
            out.push('\n');
        }
    }
    out
}

fn write_map(out: &mut String, members: &serde_json::Map<String, Value>, indent: usize) {
    let mut keys: Vec<&String> = members.keys().collect();
    keys.sort();
    for (index, key) in keys.into_iter().enumerate() {
        // The first key of a map in a list stands behind the dash.
        if index > 0 || !out.ends_with("- ") {
            out.extend(std::iter::repeat_n(' ', indent));
        }
        out.push_str(&yaml_text(key, indent));
        out.push(':');
        match &members[key] {
            Value::Object(inner) if !inner.is_empty() => {
                out.push('\n');
                write_map(out, inner, indent + 2);
            }
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                write_list(out, items, indent);
            }
            scalar => {
                out.push(' ');
                out.push_str(&yaml_scalar(scalar, indent));
                out.push('\n');
            }
        }
    }
}

fn write_list(out: &mut String, items: &[Value], indent: usize) {
    for item in items {
        out.extend(std::iter::repeat_n(' ', indent));
        out.push_str("- ");
        match item {
            Value::Object(inner) if !inner.is_empty() => write_map(out, inner, indent + 2),
            Value::Array(inner) if !inner.is_empty() => {
                out.pop();
                out.push('\n');
                write_list(out, inner, indent + 2);
            }
            scalar => {
                out.push_str(&yaml_scalar(scalar, indent));
                out.push('\n');
            }
        }
    }
}

fn yaml_scalar(value: &Value, indent: usize) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => go_number(number),
        Value::String(text) => yaml_text(text, indent),
        Value::Array(_) => "[]".to_owned(),
        Value::Object(_) => "{}".to_owned(),
    }
}

fn yaml_text(text: &str, indent: usize) -> String {
    let control = |c: char| c.is_control() && c != '\n' && c != '\t';
    if text.chars().any(control) {
        let mut quoted = String::new();
        json_string(&mut quoted, text);
        return quoted;
    }
    if text.contains('\n') && !text.starts_with([' ', '\n', '\t']) {
        let pad = " ".repeat(indent + 2);
        let keep = if text.ends_with("\n\n") {
            "|+"
        } else if text.ends_with('\n') {
            "|"
        } else {
            "|-"
        };
        let body = text.strip_suffix('\n').unwrap_or(text);
        let lines =
            body.split('\n').map(|line| if line.is_empty() { String::new() } else { format!("{pad}{line}") });
        return format!("{keep}\n{}", lines.collect::<Vec<_>>().join("\n"));
    }
    if text.contains('\n') || reads_as_another_type(text) {
        let mut quoted = String::new();
        json_string(&mut quoted, text);
        return quoted;
    }
    if needs_quotes(text) { format!("'{}'", text.replace('\'', "''")) } else { text.to_owned() }
}

fn reads_as_another_type(text: &str) -> bool {
    const WORDS: [&str; 13] =
        ["", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", ".nan", ".inf"];
    let date = |text: &str| {
        let b = text.as_bytes();
        b.len() >= 8 && b[..4].iter().all(u8::is_ascii_digit) && b[4] == b'-' && b[5].is_ascii_digit()
    };
    let digits = text.replace('_', "");
    WORDS.contains(&text.to_ascii_lowercase().as_str())
        || digits
            .parse::<f64>()
            .is_ok_and(|_| !text.contains(|c: char| c.is_ascii_alphabetic() && c != 'e' && c != 'E'))
        || text.starts_with("0x")
        || text.starts_with("0o")
        || date(text)
}

fn needs_quotes(text: &str) -> bool {
    text.starts_with(|c: char| "!&*-?[]{}|>@`\"'%#,:= ".contains(c)) && !plain_dash(text)
        || text.ends_with([' ', ':'])
        || text.contains(": ")
        || text.contains(" #")
        || text.contains('\t')
}

// `-x` is plain, `- x` and `-` are not.
fn plain_dash(text: &str) -> bool {
    text.strip_prefix(['-', '?', ':']).is_some_and(|rest| rest.starts_with(|c: char| !c.is_whitespace()))
}

/// A moment as `2006-01-02 15:04:05Z`, in UTC.
#[must_use]
pub fn timestamp(time: std::time::SystemTime) -> String {
    let (date, clock) = date_and_clock(time);
    format!("{date} {clock}Z")
}

/// A moment's date `2006-01-02` and clock `15:04:05`, in UTC.
#[must_use]
pub fn date_and_clock(time: std::time::SystemTime) -> (String, String) {
    let seconds = time.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, rest) = (seconds / 86400, seconds % 86400);
    // Days to a date by eras of 400 years that begin on 1 March.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let clock = format!("{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    (format!("{year:04}-{month:02}-{day:02}"), clock)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use serde_json::json;

    use super::*;

    #[test]
    fn formats_are_gos() {
        let value =
            json!({"b": 1.0, "a": "<&>\u{2028}", "c": [1, {"d": "x", "e": [true, null]}], "f": {}, "g": []});
        assert_eq!(
            render(&value, "json"),
            "{\"a\":\"\\u003c\\u0026\\u003e\\u2028\",\"b\":1,\"c\":[1,{\"d\":\"x\",\"e\":[true,null]}],\"f\":{},\"g\":[]}\n"
        );
        let value = json!({"c": [1, {"d": "x", "e": [true, null]}], "f": {}, "g": [], "t": "a\nb\n"});
        assert_eq!(
            render(&value, "yaml"),
            "c:\n- 1\n- d: x\n  e:\n  - true\n  - null\nf: {}\ng: []\nt: |\n  a\n  b\n"
        );
        for (value, smart) in [
            (json!(null), ""),
            (json!(true), "True\n"),
            (json!(["a", "b"]), "a\nb\n"),
            (json!("a\n"), "a\n\n"),
            (json!({"a": 1}), "a: 1\n"),
            (json!([]), ""),
        ] {
            assert_eq!(render(&value, "smart"), smart, "{value}");
        }
    }

    #[test]
    fn a_text_is_quoted_where_yaml_would_read_something_else() {
        for (text, shown) in [
            ("plain text", "plain text"),
            ("5", "\"5\""),
            ("1e3", "\"1e3\""),
            ("yes", "\"yes\""),
            ("", "\"\""),
            ("2026-01-02", "\"2026-01-02\""),
            ("a: b", "'a: b'"),
            ("- a", "'- a'"),
            ("-a", "-a"),
            ("{x}", "'{x}'"),
            ("it's", "it's"),
            ("tail:", "'tail:'"),
            ("inf", "inf"),
            ("v1.2.3", "v1.2.3"),
        ] {
            assert_eq!(yaml_text(text, 0), shown, "{text}");
            let back: serde_json::Value = serde_yaml::from_str(&yaml_text(text, 0)).unwrap();
            assert_eq!(back, json!(text));
        }
    }

    #[test]
    fn moments_are_dates() {
        for (seconds, shown) in [
            (0, "1970-01-01 00:00:00Z"),
            (951_782_399, "2000-02-28 23:59:59Z"),
            (951_782_400, "2000-02-29 00:00:00Z"),
            (1_798_761_599, "2026-12-31 23:59:59Z"),
        ] {
            assert_eq!(timestamp(UNIX_EPOCH + Duration::from_secs(seconds)), shown);
        }
    }
}
