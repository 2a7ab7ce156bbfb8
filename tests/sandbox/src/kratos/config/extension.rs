//! The rules for identity schemas that the original checks after it has read everything else: which words may stand under
//! `ory.sh/kratos`, and which regular expressions Go understands.

use serde_json::Value;

const KEYWORD: &str = "ory.sh/kratos";
/// Each place that may be there; what stands below it is a value.
const PLACES: [&str; 9] = [
    "credentials/password/identifier",
    "credentials/webauthn/identifier",
    "credentials/passkey/display_name",
    "credentials/totp/account_name",
    "credentials/code/identifier",
    "credentials/code/via",
    "verification/via",
    "recovery/via",
    "organizations/matcher",
];
const WAYS: [&str; 2] = ["email", "sms"];

/// The message of the original for a schema that it does not take.
pub fn fault(document: &Value) -> Option<String> {
    if let Some(pattern) = foreign_pattern(document) {
        return Some(format!(r#"I[#] S[#/properties/pattern/format] {pattern:?} is not valid "regex""#));
    }
    // A document behind http(s) is not read.
    let traits = document.get("properties")?.get("traits")?;
    let Some(properties) = traits["properties"].as_object().filter(|properties| !properties.is_empty())
    else {
        return Some(r#"I[#/properties/traits] S[#/required] missing properties: "properties""#.to_owned());
    };
    properties.values().find_map(|kind| inside(kind, "#/properties/traits/properties"))
}

/// A regular expression that looks around or back, which neither Go nor this crate knows.
fn foreign_pattern(schema: &Value) -> Option<&str> {
    let bad = |pattern: &&str| regex::Regex::new(pattern).is_err();
    match schema {
        Value::Object(map) => {
            let own = map.get("pattern").and_then(Value::as_str).filter(bad);
            own.or_else(|| map.values().find_map(foreign_pattern))
        }
        Value::Array(items) => items.iter().find_map(foreign_pattern),
        _ => None,
    }
}

fn inside(kind: &Value, at: &str) -> Option<String> {
    let kind = kind.as_object()?;
    if let Some(extension) = kind.get(KEYWORD)
        && let Some(place) = unknown(extension, "")
    {
        return Some(format!("I[{at}/ory.sh~1kratos{place}] S[#] is not allowed"));
    }
    kind.values().find_map(|value| inside(value, at))
}

/// The place of a word that is not known.
fn unknown(value: &Value, at: &str) -> Option<String> {
    let path = at.trim_start_matches('/');
    if PLACES.contains(&path) {
        let good = match path.rsplit('/').next()? {
            "via" => value.as_str().is_some_and(|way| WAYS.contains(&way)),
            "matcher" => value == "email_domain",
            _ => value.is_boolean(),
        };
        return (!good).then(|| at.to_owned());
    }
    let is_on_the_way = path.is_empty() || PLACES.iter().any(|place| place.starts_with(&format!("{path}/")));
    match value.as_object() {
        Some(map) if is_on_the_way => {
            map.iter().find_map(|(key, inner)| unknown(inner, &format!("{at}/{key}")))
        }
        _ => Some(at.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_known_words_pass() {
        let schema =
            |extension: Value| json!({"properties": {"traits": {"properties": {"a": {KEYWORD: extension}}}}});
        for good in [
            json!({}),
            json!({"credentials": {"password": {"identifier": true}, "code": {"via": "sms"}}}),
            json!({"verification": {"via": "email"}, "recovery": {}}),
        ] {
            assert_eq!(fault(&schema(good)), None);
        }
        for bad in [
            json!([]),
            json!({"verified": {}}),
            json!({"verification": {"via": "mail"}}),
            json!({"credentials": {"password": {"identifier": "yes"}}}),
            json!({"credentials": {"password": true}}),
        ] {
            assert!(fault(&schema(bad.clone())).is_some(), "{bad}");
        }
        let of =
            |pattern: &str| json!({"properties": {"traits": {"properties": {"a": {"pattern": pattern}}}}});
        assert_eq!(fault(&of("^[a-z]+$")), None);
        for bad in ["^(?=.*[a-z]).+$", "(?<!a)b", r"(a)\1"] {
            assert!(fault(&of(bad)).is_some(), "{bad}");
        }
        assert!(fault(&json!({"properties": {"traits": {}}})).is_some());
    }
}
