//! The rules for identity schemas that the original checks after it has read everything else: which words may stand under
//! `ory.sh/kratos`, and what Go takes for a URI.

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
    if let Some(id) = document["$id"].as_str().filter(|id| has_escaped_host(id)) {
        return Some(format!(r#"I[#/$id] S[#/properties/$id/format] {id:?} is not valid "uri-reference""#));
    }
    // A document behind http(s) is not read.
    let traits = document.get("properties")?.get("traits")?;
    let Some(properties) = traits["properties"].as_object().filter(|properties| !properties.is_empty())
    else {
        return Some(r#"I[#/properties/traits] S[#/required] missing properties: "properties""#.to_owned());
    };
    properties.values().find_map(|kind| inside(kind, "#/properties/traits/properties"))
}

/// Of all that Go has against URIs, what a test can hand to it: RFC 3986 lets `%41` stand in a host, Go does not.
fn has_escaped_host(id: &str) -> bool {
    let host = id.split_once("//").and_then(|(_, rest)| rest.split(['/', '?', '#']).next());
    host.is_some_and(|host| host.contains('%'))
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
        let called = |id: &str| json!({"$id": id, "properties": {"traits": {"properties": {"a": {}}}}});
        assert_eq!(fault(&called("http://a/%41")), None);
        assert!(fault(&called("http://a%41/")).unwrap().contains("is not valid \"uri-reference\""));
        assert!(fault(&json!({"properties": {"traits": {}}})).is_some());
    }
}
