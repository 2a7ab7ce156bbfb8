//! The rules for an identity schema: whether Kratos takes it, and whether it works with it afterwards.
//!
//! Kratos reads every schema when it loads its configuration and refuses the whole configuration for one that it cannot
//! use. Some schemas it takes, and fails at every request.

use jsonschema::Draft;
use serde_json::{Value, json};

use super::parts::{EXTENSION, fault_of_parts};
use crate::kratos::version::WorkloadVersion;

/// As long as the column is in which identities keep it.
const LONGEST_ID: usize = 2048;
/// Kratos reads no more of a schema, in bytes.
const LARGEST_SCHEMA: usize = 1024 * 1024;
/// The drafts that Kratos knows, exactly as it wants them to be named.
const DRAFTS: [&str; 4] = [
    "http://json-schema.org/draft-07/schema#",
    "http://json-schema.org/draft-06/schema#",
    "http://json-schema.org/draft-04/schema#",
    "http://json-schema.org/schema#",
];
/// The formats of a trait that can be verified.
const VERIFIABLE: [&str; 6] = ["email", "tel", "date", "time", "date-time", "no-validate"];

/// What is wrong with a schema id, if anything is.
pub fn fault_of_id(id: &str) -> Option<String> {
    let fault = match id {
        "" => "the id is empty",
        _ if id.len() > LONGEST_ID => "the id is longer than 2048 bytes",
        _ if id.chars().any(char::is_control) => "the id holds control characters",
        _ => return None,
    };
    Some(fault.to_owned())
}

/// What is wrong with an identity schema, if anything is: the rules that a Kratos of this version (`None`: the newest
/// known) checks when it loads one, and those that it would fail by when it uses one.
pub fn fault_of_schema(schema: &Value, version: Option<&WorkloadVersion>) -> Option<String> {
    let draft = schema.get("$schema").and_then(Value::as_str).unwrap_or(DRAFTS[0]);
    let fault = if !schema.is_object() {
        "the schema is no JSON object"
    } else if schema.to_string().len() > LARGEST_SCHEMA {
        "the schema is larger than 1 MiB"
    } else if let Some(place) = fault_of_draft_7(schema) {
        return Some(format!("the schema is no JSON schema (draft 7){place}"));
    } else if !DRAFTS.contains(&draft) {
        "Kratos does not know the draft that \"$schema\" names: use \"http://json-schema.org/draft-07/schema#\""
    } else if draft == DRAFTS[2] && !jsonschema::draft4::meta::is_valid(schema) {
        "the schema names draft 4, but is no JSON schema of that draft"
    } else if !is_of_type_object(schema) {
        "the schema is not of type object"
    } else {
        let known = extensions(version);
        return fault_of_traits(&schema["properties"]["traits"], &known)
            .or_else(|| fault_of_extension(schema, &known))
            .or_else(|| fault_of_parts(schema));
    };
    Some(fault.to_owned())
}

/// Where it is no JSON schema, if anywhere. Its regular expressions are looked at elsewhere, since Kratos reads others than
/// ECMA's, and its addresses are read by Go's rule, which lets pass what RFC 3986 does not.
fn fault_of_draft_7(schema: &Value) -> Option<String> {
    let options = jsonschema::options().with_draft(Draft::Draft7).should_validate_formats(true);
    let options = options.with_format("regex", |_: &str| true);
    let options = options.with_format("uri", is_go_url).with_format("uri-reference", is_go_url);
    let meta = options.build(&json!({"$ref": DRAFTS[0]}));
    let Ok(meta) = meta else { return Some(String::new()) };
    let error = meta.iter_errors(schema).next()?;
    Some(match error.instance_path().to_string() {
        place if place.is_empty() => String::new(),
        place => format!(": see {}", place.chars().take(80).flat_map(char::escape_debug).collect::<String>()),
    })
}

/// Whether Go's `net/url` parses the text, which Kratos asks of every `$id` and `$ref`.
fn is_go_url(text: &str) -> bool {
    if text.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
        return false;
    }
    let text = text.split_once('#').map_or(text, |(before, _)| before);
    let (scheme, rest) = match text.split_once(':') {
        Some(("", _)) => return false,
        Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
        _ => (None, text),
    };
    let (rest, _query) = rest.split_once('?').unwrap_or((rest, ""));
    let first = rest.split('/').next().unwrap_or_default();
    if scheme.is_none() && first.contains(':') {
        return false;
    }
    // What has a scheme and no slash behind it is opaque to Go.
    if scheme.is_some() && !rest.starts_with('/') {
        return true;
    }
    let (authority, path) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        None => ("", rest),
    };
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let is_port = host.rsplit_once(':').is_none_or(|(_, port)| {
        port.bytes().all(|byte| byte.is_ascii_digit()) || host.starts_with('[') && host.ends_with(']')
    });
    let is_host = !host.contains([' ', '<', '>', '"', '\\', '^', '`', '{', '}', '|']);
    is_port && is_host && are_escapes_whole(path) && are_escapes_whole(host)
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn are_escapes_whole(text: &str) -> bool {
    let is_whole = |tail: &str| tail.len() >= 2 && tail.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    text.split('%').skip(1).all(is_whole)
}

fn is_of_type_object(schema: &Value) -> bool {
    match schema.get("type") {
        None => true,
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        Some(kind) => kind == "object",
    }
}

fn fault_of_traits(traits: &Value, known: &Value) -> Option<String> {
    let Some(properties) = traits["properties"].as_object().filter(|properties| !properties.is_empty())
    else {
        return Some("the schema has no properties.traits.properties".to_owned());
    };
    if traits.get("type").is_some_and(|kind| kind != "object") {
        return Some("properties.traits is not of type object".to_owned());
    }
    properties.iter().find_map(|(name, kind)| {
        let fault =
            if kind.is_object() { fault_of_trait(kind, known)? } else { "it is no object".to_owned() };
        let name: String = name.chars().take(40).flat_map(char::escape_debug).collect();
        Some(format!("in the trait \"{name}\", {fault}"))
    })
}

/// What is wrong in the schema of a trait, or in one that it holds.
fn fault_of_trait(kind: &Value, known: &Value) -> Option<String> {
    let format = kind.get("format").filter(|_| !kind[EXTENSION]["verification"].is_null());
    if let Some(format) = format.filter(|format| !VERIFIABLE.iter().any(|known| *format == known)) {
        return Some(format!(
            "with a verification the format is one of {}, not {format}",
            VERIFIABLE.join(", ")
        ));
    }
    fault_of_extension(kind, known)
}

fn fault_of_extension(kind: &Value, known: &Value) -> Option<String> {
    let Value::Object(kind) = kind else { return None };
    if let Some(extension) = kind.get(EXTENSION) {
        let validator = jsonschema::draft7::new(known).ok()?;
        if let Some(error) = validator.iter_errors(extension).next() {
            let path = error.instance_path().to_string();
            return Some(format!("Kratos does not know what \"{EXTENSION}\"{path} holds"));
        }
    }
    kind.values().find_map(|kind| fault_of_extension(kind, known))
}

/// What Kratos lets stand under its keyword, as a JSON schema.
fn extensions(version: Option<&WorkloadVersion>) -> Value {
    let is_old = version.is_some_and(|version| Some(version) < WorkloadVersion::parse("v25.4.0").as_ref());
    let only = |known: Value| json!({"type": "object", "additionalProperties": false, "properties": known});
    let flag = |name: &str| only(json!({name: {"type": "boolean"}}));
    let way = json!({"type": "string", "enum": ["email", "sms"]});
    let mut known = json!({
        "credentials": only(json!({
            "password": flag("identifier"),
            "webauthn": flag("identifier"),
            "passkey": flag("display_name"),
            "totp": flag("account_name"),
            "code": only(json!({"identifier": {"type": "boolean"}, "via": way})),
        })),
        "verification": only(json!({"via": way})),
        "recovery": only(json!({"via": way})),
    });
    if is_old {
        known["recovery"] = only(json!({"via": {"type": "string", "enum": ["email"]}}));
    } else {
        known["organizations"] = only(json!({"matcher": {"type": "string", "enum": ["email_domain"]}}));
    }
    only(known)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn user() -> Value {
        json!({"properties": {"traits": {"type": "object", "properties": {"email": {"type": "string"}}}}})
    }

    #[test]
    fn addresses_are_read_as_go_reads_them() {
        for good in [
            "{{ domain }}/user v1",
            "",
            "user v1",
            "https://x/a b",
            "urn:x:y z",
            "a%20b",
            "#{x}",
            "x?y:z",
            "http://[::1]:80/x",
        ] {
            let mut schema = user();
            schema["$id"] = json!(good);
            assert_eq!(fault_of_schema(&schema, None), None, "{good}");
        }
        for bad in ["a\nb", ":x", "a b:c", "a%2", "http://a b/", "http://x:port/", "1a:b"] {
            let mut schema = user();
            schema["$id"] = json!(bad);
            let fault = fault_of_schema(&schema, None).unwrap_or_default();
            assert_eq!(fault, "the schema is no JSON schema (draft 7): see /$id", "{bad:?}");
        }
    }

    #[test]
    fn kratos_knows_what_a_trait_may_be_for() {
        let fault_for = |kind: Value, version: Option<&str>| {
            let version = version.and_then(WorkloadVersion::parse);
            fault_of_schema(
                &json!({"properties": {"traits": {"properties": {"mail": kind}}}}),
                version.as_ref(),
            )
        };
        let fault = |kind: Value| fault_for(kind, None);
        let with = |extension: Value| json!({"type": "string", EXTENSION: extension});
        for good in [
            with(json!({})),
            with(
                json!({"credentials": {"password": {"identifier": true}, "code": {"identifier": true, "via": "sms"}}}),
            ),
            with(json!({"verification": {"via": "email"}, "recovery": {"via": "sms"}})),
            with(json!({"organizations": {"matcher": "email_domain"}})),
            json!({"type": "string", "format": "email", EXTENSION: {"verification": {"via": "email"}}}),
            json!({"type": "string", "format": "uri", EXTENSION: {"recovery": {"via": "email"}}}),
        ] {
            assert_eq!(fault(good.clone()), None, "{good}");
            assert_eq!(fault_for(good.clone(), Some("v25.4.0")), None, "{good}");
        }
        for newer in
            [json!({"recovery": {"via": "sms"}}), json!({"organizations": {"matcher": "email_domain"}})]
        {
            let fault = fault_for(with(newer.clone()), Some("v1.3.1")).unwrap_or_default();
            assert!(fault.contains("Kratos does not know what"), "{newer}: {fault}");
        }
        for (bad, place) in [
            (with(json!({"verification": {"via": "mail"}})), "\"ory.sh/kratos\"/verification/via holds"),
            (
                with(json!({"credentials": {"password": {"identifier": "yes"}}})),
                "/credentials/password/identifier",
            ),
            (with(json!({"verified": {}})), "\"ory.sh/kratos\" holds"),
            (with(json!([])), "in the trait \"mail\", Kratos does not know"),
            (
                json!({"type": "object", "properties": {"x": with(json!({"recovery": true}))}}),
                "/recovery holds",
            ),
            (json!({"format": "uri", EXTENSION: {"verification": {}}}), "the format is one of email, tel,"),
            (json!(true), "it is no object"),
        ] {
            let fault = fault(bad.clone()).unwrap_or_default();
            assert!(fault.contains(place), "{bad}: {fault}");
        }
        let large = json!({"description": "x".repeat(LARGEST_SCHEMA), "properties": user()["properties"]});
        assert_eq!(fault_of_schema(&large, None).unwrap(), "the schema is larger than 1 MiB");
    }

    #[test]
    fn schemas_that_kratos_takes_and_then_fails_by_are_refused_too() {
        let fault = |change: Value| {
            let mut schema = user();
            schema.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            fault_of_schema(&schema, None)
        };
        for good in [
            json!({}),
            json!({"$schema": "http://json-schema.org/draft-07/schema#", "type": ["object", "null"]}),
            json!({"$schema": "http://json-schema.org/draft-04/schema#", "$id": "user"}),
            json!({"definitions": {"a": {"pattern": "(?i)^[[:alpha:]]"}}}),
        ] {
            assert_eq!(fault(good.clone()), None, "{good}");
        }
        for (bad, expected) in [
            (json!({"$schema": "https://json-schema.org/draft/2020-12/schema"}), "does not know the draft"),
            (json!({"$schema": "http://json-schema.org/draft-07/schema"}), "does not know the draft"),
            (
                json!({"$schema": "http://json-schema.org/draft-04/schema#", "exclusiveMinimum": 3}),
                "names draft 4",
            ),
            (json!({"type": "string"}), "the schema is not of type object"),
            (
                json!({"definitions": {"a": {EXTENSION: {"x": 1}}}}),
                "does not know what \"ory.sh/kratos\" holds",
            ),
            (json!({"allOf": [{"pattern": "(?=a)"}]}), "cannot read the pattern"),
            (json!({"not": {"$ref": "#/definitions/a"}}), "leads nowhere"),
        ] {
            let fault = fault(bad.clone()).unwrap_or_default();
            assert!(fault.contains(expected), "{bad}: {fault}");
        }
    }
}
