//! One identity as one line of an export: what Kratos' API can create again, as JSON.
//!
//! A line is the body of a request that creates the identity, with its credentials as hashes, and `id`, the id that it
//! had; a new one is given at the import. Second factors, sessions and times cannot be created and are left out.

use serde_json::{Map, Value, json};

use super::keys::keys;
use crate::kratos::admin::{Exact, Whole};

/// The credential types of which is asked for what they hold: those that can be created, and those with keys.
pub const CREDENTIALS: [&str; 4] = ["password", "oidc", "webauthn", "passkey"];
/// Those that cannot be created: second factors, and accounts of an enterprise.
const LOST: [&str; 3] = ["totp", "lookup_secret", "saml"];
/// Those that cannot either, once they hold a key.
const KEYS: [&str; 2] = ["webauthn", "passkey"];
const VERIFIABLE: [&str; 5] = ["value", "via", "verified", "status", "verified_at"];
const RECOVERY: [&str; 2] = ["value", "via"];

/// What a line says.
pub struct Body {
    /// To look at.
    pub value: Value,
    /// To create the identity with.
    pub request: Whole,
}

/// The line for an identity, and whether it has a credential that the line cannot carry.
pub fn line(exact: &Exact) -> (Whole, bool) {
    let identity = &exact.value;
    let mut more = Map::new();
    for (name, keys) in [("verifiable_addresses", &VERIFIABLE[..]), ("recovery_addresses", &RECOVERY[..])] {
        if let Some(addresses) = identity[name].as_array().filter(|addresses| !addresses.is_empty()) {
            let addresses = addresses.iter().map(|address| Value::from(picked(address, keys)));
            more.insert(name.to_owned(), addresses.collect());
        }
    }
    let credentials = credentials(&identity["credentials"]);
    if !credentials.is_empty() {
        more.insert("credentials".to_owned(), credentials.into());
    }
    let all = &identity["credentials"];
    let lost = LOST.iter().any(|kind| !all[*kind].is_null())
        || KEYS.iter().any(|kind| keys(all, kind).next().is_some());
    let id = Some(identity["id"].clone()).filter(|id| !id.is_null());
    (Whole { id, plain: exact.plain.clone(), more }, lost)
}

/// The body that creates the identity of a line; an error says what is wrong with the line.
pub fn body(line: &[u8]) -> Result<Body, String> {
    let bad = |error: serde_json::Error| format!("it is no JSON object (column {})", error.column());
    let Exact { value, plain } = Exact::parse(line).map_err(bad)?;
    if !value["schema_id"].is_string() {
        return Err("it has no schema_id".to_owned());
    }
    if !value["traits"].is_object() {
        return Err("it has no traits".to_owned());
    }
    let more = picked(&value, &["verifiable_addresses", "recovery_addresses", "credentials"]);
    Ok(Body { request: Whole { id: None, plain, more }, value })
}

/// Texts by which Kratos may find the identity of a body, should it be there already.
pub fn identifiers(body: &Value) -> Vec<String> {
    let mut found = unique_texts(body);
    let traits = body["traits"].as_object().into_iter().flat_map(Map::values).filter_map(Value::as_str);
    for text in traits.filter(|text| !text.is_empty() && text.len() < 255).take(10) {
        if !found.iter().any(|known| known == text) {
            found.push(text.to_owned());
        }
    }
    found
}

/// Whether Kratos lets the identity of a body exist only once, whatever its traits mean.
pub fn is_unique(body: &Value) -> bool {
    !unique_texts(body).is_empty() || body["external_id"].is_string()
}

fn unique_texts(body: &Value) -> Vec<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let addresses = [list(&body["verifiable_addresses"]), list(&body["recovery_addresses"])].concat();
    let accounts = list(&body["credentials"]["oidc"]["config"]["providers"]);
    let addresses = addresses.iter().filter_map(|address| address["value"].as_str().map(str::to_owned));
    let accounts = accounts.iter().filter_map(|account| {
        Some(format!("{}:{}", account["provider"].as_str()?, account["subject"].as_str()?))
    });
    let mut found: Vec<String> = Vec::new();
    for text in addresses.chain(accounts) {
        if !found.contains(&text) {
            found.push(text);
        }
    }
    found
}

/// The named parts of an object, those that are null left out.
fn picked(object: &Value, names: &[&str]) -> Map<String, Value> {
    let part = |name: &&str| {
        let value = &object[*name];
        (!value.is_null()).then(|| ((*name).to_owned(), value.clone()))
    };
    names.iter().filter_map(part).collect()
}

fn credentials(all: &Value) -> Map<String, Value> {
    let mut kept = Map::new();
    let password = picked(&all["password"]["config"], &["hashed_password", "use_password_migration_hook"]);
    // An identity without a password has the credential, but no hash.
    let is_set = password.get("hashed_password").is_some_and(|hash| hash != "")
        || password.get("use_password_migration_hook") == Some(&Value::Bool(true));
    if is_set {
        kept.insert("password".to_owned(), json!({ "config": password }));
    }
    let providers = all["oidc"]["config"]["providers"].as_array();
    let providers: Vec<Value> = providers
        .into_iter()
        .flatten()
        .map(|provider| picked(provider, &["subject", "provider", "organization", "use_auto_link"]))
        .map(|mut provider| {
            provider.retain(|_, value| *value != "" && *value != false);
            provider.into()
        })
        .collect();
    if !providers.is_empty() {
        kept.insert("oidc".to_owned(), json!({"config": {"providers": providers}}));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_what_can_be_created_and_becomes_that_body() {
        let identity = json!({
            "id": "1", "external_id": "e", "schema_id": "s", "schema_url": "u", "state": "inactive", "state_changed_at": "t",
            "traits": {"email": "a@b"}, "metadata_public": null, "metadata_admin": {"k": 1}, "created_at": "t",
            "verifiable_addresses": [{"id": "9", "value": "a@b", "via": "email", "verified": true, "status": "completed"}],
            "recovery_addresses": [{"id": "9", "value": "a@b", "via": "email", "created_at": "t"}],
            "credentials": {
                "password": {"config": {"hashed_password": "$2a$x"}, "identifiers": ["a@b"]},
                "oidc": {"config": {"providers": [
                    {"subject": "7", "provider": "google", "initial_id_token": "secret", "organization": ""},
                    {"subject": "a@b", "provider": "github", "use_auto_link": true}]}},
                "totp": {"type": "totp"},
            },
        });
        let (text, lost) = lined(&identity);
        assert!(lost);
        assert!(
            !text.contains("initial_id_token") && text.starts_with(r#"{"id":"1","schema_id":"s""#),
            "{text}"
        );
        let expected = json!({
            "schema_id": "s", "traits": {"email": "a@b"}, "state": "inactive", "metadata_admin": {"k": 1},
            "external_id": "e",
            "verifiable_addresses": [{"value": "a@b", "via": "email", "verified": true, "status": "completed"}],
            "recovery_addresses": [{"value": "a@b", "via": "email"}],
            "credentials": {
                "password": {"config": {"hashed_password": "$2a$x"}},
                "oidc": {"config": {"providers": [
                    {"subject": "7", "provider": "google"},
                    {"subject": "a@b", "provider": "github", "use_auto_link": true}]}},
            },
        });
        let body = body(text.as_bytes()).unwrap();
        assert_eq!(serde_json::to_value(&body.request).unwrap(), expected);
        assert_eq!(identifiers(&body.value), ["a@b", "google:7", "github:a@b"]);
        assert!(is_unique(&body.value) && !is_unique(&json!({"traits": {"name": "N"}})));
    }

    /// The line of an identity as text, and whether something is lost.
    fn lined(identity: &Value) -> (String, bool) {
        let (line, lost) = line(&Exact::parse(identity.to_string().as_bytes()).unwrap());
        (serde_json::to_string(&line).unwrap(), lost)
    }

    #[test]
    fn an_empty_credential_is_left_out_and_a_bad_line_is_told() {
        let (line, lost) = lined(&json!({"id": "1", "schema_id": "s", "traits": {}, "credentials": {
            "password": {"config": {}}, "oidc": {"config": {"providers": []}}, "code": {}}}));
        assert_eq!((line.as_str(), lost), (r#"{"id":"1","schema_id":"s","traits":{}}"#, false));
        let wrong = |line: &str| body(line.as_bytes()).err().unwrap();
        assert_eq!(wrong("{"), "it is no JSON object (column 1)");
        assert_eq!(wrong("7"), "it is no JSON object (column 1)");
        assert_eq!(wrong("{}"), "it has no schema_id");
        assert_eq!(wrong(r#"{"schema_id":"s"}"#), "it has no traits");
    }

    #[test]
    fn what_cannot_be_created_is_counted() {
        for kind in LOST {
            assert!(lined(&json!({"id": "1", "credentials": {kind: {"type": kind}}})).1, "{kind}");
        }
        for kind in KEYS {
            let holding = |config: Value| json!({"id": "1", "credentials": {kind: {"config": config}}});
            assert!(lined(&holding(json!({"credentials": [{"id": "k"}]}))).1, "{kind}");
            assert!(!lined(&holding(json!({"user_handle": "oFC4wc=="}))).1, "{kind} without a key");
        }
    }

    #[test]
    fn numbers_of_any_length_go_through_a_line() {
        let traits = r#"{"n":123456789012345678901234567890,"f":0.30000000000000000001}"#;
        let identity =
            format!(r#"{{"id":"1","schema_id":"s","traits":{traits},"metadata_admin":[{traits}]}}"#);
        let (line, _) = line(&Exact::parse(identity.as_bytes()).unwrap());
        let line = serde_json::to_string(&line).unwrap();
        assert_eq!(line, identity);
        let request = serde_json::to_string(&body(line.as_bytes()).unwrap().request).unwrap();
        assert_eq!(request, identity.replace(r#""id":"1","#, ""));
    }
}
