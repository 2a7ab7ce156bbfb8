//! Checks a configuration against the outline, and words each fault as the original's validator does.

use super::super::log::go_text;
use super::conditions;
use super::outline::{Node, Type};
use serde_json::Value;
use std::str::FromStr;

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The key and its value, e.g. `log.level: loud`; secrets are shown too, as the original shows them.
    pub shown: String,
    /// What the block for humans says below it.
    pub hint: String,
    /// `I[#/log/level] S[#/properties/log/...] reason`.
    pub line: String,
    margin: usize,
}

/// The hooks that are words of the flow; all but the web hook come without a request.
const HOOKS: &[&str] = &[
    "web_hook",
    "session",
    "revoke_active_sessions",
    "require_verified_address",
    "show_verification_ui",
    "verification",
    "two_step_registration",
    "b2b_sso",
];

const WEB_HOOK: &[&str] =
    &["id", "response", "url", "method", "headers", "body", "can_interrupt", "emit_analytics_event", "auth"];

/// Every fault of `value` under the outline `root`.
pub fn faults(root: &Node, value: &Value) -> Vec<Fault> {
    let mut found = Vec::new();
    check(root, value, &[], "#", &mut found);
    let algorithm = value["ciphers"]["algorithm"].as_str();
    if matches!(algorithm, Some("aes" | "xchacha20-poly1305")) && value["secrets"]["cipher"].is_null() {
        let path = ["secrets".to_owned()];
        missing(&path, "#/allOf/1/then/properties/secrets", "cipher", &mut found);
    }
    for (path, rule, reason) in conditions::broken(value) {
        fault(&path, conditions::at(value, &path), &rule, &reason, &mut found);
    }
    found
}

/// The block that precedes the error on standard error.
pub fn block(faults: &[Fault]) -> String {
    let mut text = String::from("\nThe configuration contains values or keys which are invalid:\n");
    for fault in faults {
        text.push_str(&format!("{}\n{}^-- {}\n\n", fault.shown, " ".repeat(fault.margin), fault.hint));
    }
    text
}

/// The error line: the fault, or all of them below a common head.
pub fn message(faults: &[Fault]) -> String {
    match faults {
        [fault] => fault.line.clone(),
        _ => {
            let lines: String = faults.iter().map(|fault| format!("\n  {}", fault.line)).collect();
            format!("I[#] S[#] validation failed{lines}")
        }
    }
}

fn fault(path: &[String], value: &Value, rule: &str, reason: &str, found: &mut Vec<Fault>) {
    let (shown, margin) = match path.join(".") {
        dotted if dotted.is_empty() => ("(root)".to_owned(), 0),
        dotted => (format!("{dotted}: {}", go_text(value)), dotted.len() + 2),
    };
    let pointer: String = path.iter().map(|part| format!("/{part}")).collect();
    let line = format!("I[#{pointer}] S[{rule}] {reason}");
    found.push(Fault { shown, hint: reason.into(), line, margin });
}

fn missing(path: &[String], rule: &str, name: &str, found: &mut Vec<Fault>) {
    let pointer: String = path.iter().map(|part| format!("/{part}")).collect();
    let dotted = [path, &[name.to_owned()]].concat().join(".");
    found.push(Fault {
        margin: dotted.len() + 2,
        shown: format!("{dotted}: <nil>"),
        hint: "one or more required properties are missing".into(),
        line: format!("I[#{pointer}] S[{rule}/required] missing properties: {name:?}"),
    });
}

fn check(node: &Node, value: &Value, path: &[String], rule: &str, found: &mut Vec<Fault>) {
    let below = |name: &str| [path, &[name.to_owned()]].concat();
    if let Some(expected) = mismatch(node.kind, value) {
        let reason = format!("expected {expected}, but got {}", name_of(value));
        fault(path, value, &format!("{rule}/type"), &reason, found);
        return;
    }
    match (node.kind, value) {
        (Type::Object | Type::Open, Value::Object(map)) => {
            for child in node.children.iter().filter(|child| child.required && !map.contains_key(child.name))
            {
                missing(path, rule, child.name, found);
            }
            for (key, inner) in map {
                match node.child(key) {
                    Some(child) => {
                        check(child, inner, &below(key), &format!("{rule}/properties/{key}"), found);
                    }
                    None if node.kind == Type::Object => unknown(path, value, rule, key, found),
                    None => {}
                }
            }
        }
        (Type::Array, Value::Array(items)) => {
            if let Some(item) = node.child("[]") {
                for (index, inner) in items.iter().enumerate() {
                    check(item, inner, &below(&index.to_string()), &format!("{rule}/items"), found);
                }
            }
        }
        (Type::Hook, _) => hook(value, path, rule, found),
        _ => {}
    }
    for name in &node.rules {
        if let Some((keyword, reason)) = broken(name, value) {
            fault(path, value, &format!("{rule}/{keyword}"), &reason, found);
        }
    }
}

fn unknown(path: &[String], value: &Value, rule: &str, key: &str, found: &mut Vec<Fault>) {
    let reason = format!("additionalProperties {key:?} not allowed");
    fault(path, value, &format!("{rule}/additionalProperties"), &reason, found);
}

fn hook(value: &Value, path: &[String], rule: &str, found: &mut Vec<Fault>) {
    let name = value["hook"].as_str().unwrap_or_default();
    let request = &value["config"];
    let known = HOOKS.contains(&name) && value.as_object().is_some_and(|hook| hook.len() <= 2);
    let complete = name != "web_hook"
        || request.as_object().is_some_and(|config| {
            config.keys().all(|key| WEB_HOOK.contains(&key.as_str()))
                && config.get("url").is_some_and(Value::is_string)
                && config.get("method").is_some_and(Value::is_string)
                && !(request["response"]["ignore"] == true && request["response"]["parse"] == true)
        });
    if !known || !complete {
        fault(path, value, &format!("{rule}/anyOf"), "anyOf failed", found);
    }
}

/// The name of the expected type, if the value is not of it.
fn mismatch(kind: Type, value: &Value) -> Option<&'static str> {
    let (name, fits) = match kind {
        Type::Object | Type::Open | Type::Map | Type::Hook => ("object", value.is_object()),
        Type::Array => ("array", value.is_array()),
        Type::String => ("string", value.is_string()),
        Type::Integer => ("integer", value.is_i64() || value.is_u64()),
        Type::Number => ("number", value.is_number()),
        Type::Boolean => ("boolean", value.is_boolean()),
        Type::Any => return None,
    };
    (!fits).then_some(name)
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The keyword and the reason, if the rule is broken.
fn broken(rule: &str, value: &Value) -> Option<(&'static str, String)> {
    let text = value.as_str();
    let length = text.map(|text| text.chars().count());
    let items = value.as_array();
    if let Some(words) = rule.strip_prefix('=') {
        let words: Vec<_> = words.split('|').collect();
        let listed: Vec<_> = words.iter().map(|word| format!("{word:?}")).collect();
        return text
            .filter(|text| !words.contains(text))
            .map(|_| ("enum", format!("value must be one of {}", listed.join(", "))));
    }
    if let Some(least) = bound(rule, "len>=") {
        return length
            .filter(|n| *n < least)
            .map(|n| ("minLength", format!("length must be >= {least}, but got {n}")));
    }
    if let Some(most) = bound(rule, "len<=") {
        return length
            .filter(|n| *n > most)
            .map(|n| ("maxLength", format!("length must be <= {most}, but got {n}")));
    }
    if let Some(least) = bound(rule, "items>=") {
        let short = items.map(Vec::len).filter(|n| *n < least);
        return short.map(|n| ("minItems", format!("minimum {least} items allowed, but found {n} items")));
    }
    if let Some(least) = bound(rule, ">=") {
        let low = value.as_i64().filter(|n| *n < least);
        return low.map(|n| ("minimum", format!("must be >= {least} but found {n}")));
    }
    if let Some(most) = bound(rule, "<=") {
        let high = value.as_i64().filter(|n| *n > most);
        return high.map(|n| ("maximum", format!("must be <= {most} but found {n}")));
    }
    if let Some(schemes) = rule.strip_prefix("scheme=") {
        let scheme = text?.split_once("://").map_or("", |(scheme, _)| scheme);
        let fits = schemes.split('|').any(|allowed| allowed == scheme);
        return (!fits).then(|| ("pattern", format!("does not match pattern \"^({schemes})://\"")));
    }
    match rule {
        "uri" => text
            .filter(|text| !absolute(text))
            .map(|text| ("format", format!("{text:?} is not valid \"uri\""))),
        "duration" => text
            .filter(|text| !duration(text))
            .map(|_| ("pattern", "does not match pattern \"^([0-9]+(ns|us|ms|s|m|h))+$\"".into())),
        "unique" => {
            let items = items?;
            let twin = (1..items.len()).find(|at| items[..*at].contains(&items[*at]))?;
            let first = items.iter().position(|item| *item == items[twin]).unwrap_or(0);
            Some(("uniqueItems", format!("items at index {first} and {twin} are equal")))
        }
        _ => None,
    }
}

fn bound<T: FromStr>(rule: &str, sign: &str) -> Option<T> {
    rule.strip_prefix(sign)?.parse().ok()
}

fn absolute(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, rest)| {
        !rest.is_empty()
            && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
            && !rest.contains(char::is_whitespace)
    })
}

/// A sequence of numbers with units, e.g. `1h30m`.
fn duration(text: &str) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        let unit = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let after = ["ns", "us", "ms", "s", "m", "h"].iter().find_map(|name| unit.strip_prefix(name));
        match after {
            Some(after) if unit.len() < rest.len() => rest = after,
            _ => return false,
        }
    }
    !text.is_empty()
}
