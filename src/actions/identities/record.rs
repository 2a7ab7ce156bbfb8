//! One identity as one line of an export: what Kratos' API can create again, as JSON.
//!
//! A line is the body of a request that creates the identity, with its credentials as hashes, and `id`, the id that it
//! had; a new one is given at the import. Second factors, sessions and times cannot be created and are left out.

use serde_json::{Map, Value, json};

/// The credential types that can be created; what they hold is asked for at an export.
pub const CREDENTIALS: [&str; 2] = ["password", "oidc"];
const SECOND_FACTORS: [&str; 4] = ["totp", "lookup_secret", "webauthn", "passkey"];
/// What is copied as it is.
const PLAIN: [&str; 6] = ["schema_id", "traits", "state", "metadata_public", "metadata_admin", "external_id"];
const VERIFIABLE: [&str; 5] = ["value", "via", "verified", "status", "verified_at"];
const RECOVERY: [&str; 2] = ["value", "via"];

/// The line for an identity, and whether it has a credential that the line cannot carry.
pub fn line(identity: &Value) -> (Value, bool) {
    let mut line = picked(identity, &["id"]);
    line.extend(picked(identity, &PLAIN));
    for (name, keys) in [("verifiable_addresses", &VERIFIABLE[..]), ("recovery_addresses", &RECOVERY[..])] {
        if let Some(addresses) = identity[name].as_array().filter(|addresses| !addresses.is_empty()) {
            let addresses = addresses.iter().map(|address| Value::from(picked(address, keys)));
            line.insert(name.to_owned(), addresses.collect());
        }
    }
    let credentials = credentials(&identity["credentials"]);
    if !credentials.is_empty() {
        line.insert("credentials".to_owned(), credentials.into());
    }
    let lost = SECOND_FACTORS.iter().any(|kind| !identity["credentials"][*kind].is_null());
    (line.into(), lost)
}

/// The body that creates the identity of a line; an error says what is wrong with the line.
pub fn body(line: &str) -> Result<Value, String> {
    let line: Value =
        serde_json::from_str(line).map_err(|error| format!("it is no JSON (column {})", error.column()))?;
    if !line["schema_id"].is_string() {
        return Err("it has no schema_id".to_owned());
    }
    if !line["traits"].is_object() {
        return Err("it has no traits".to_owned());
    }
    let mut body = picked(&line, &PLAIN);
    body.extend(picked(&line, &["verifiable_addresses", "recovery_addresses", "credentials"]));
    Ok(body.into())
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
        .map(|provider| picked(provider, &["subject", "provider", "organization"]))
        .map(|mut provider| {
            provider.retain(|_, value| *value != "");
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
                    {"subject": "7", "provider": "google", "initial_id_token": "secret", "organization": ""}]}},
                "totp": {"type": "totp"},
            },
        });
        let (line, lost) = line(&identity);
        assert!(lost);
        let text = line.to_string();
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
                "oidc": {"config": {"providers": [{"subject": "7", "provider": "google"}]}},
            },
        });
        let body = body(&text).unwrap();
        assert_eq!(body, expected);
        assert_eq!(identifiers(&body), ["a@b", "google:7"]);
        assert!(is_unique(&body) && !is_unique(&json!({"traits": {"name": "N"}})));
    }

    #[test]
    fn an_empty_credential_is_left_out_and_a_bad_line_is_told() {
        let (line, lost) = line(&json!({"id": "1", "schema_id": "s", "traits": {}, "credentials": {
            "password": {"config": {}}, "oidc": {"config": {"providers": []}}, "code": {}}}));
        assert_eq!((line, lost), (json!({"id": "1", "schema_id": "s", "traits": {}}), false));
        assert_eq!(body("{"), Err("it is no JSON (column 1)".to_owned()));
        assert_eq!(body("[]"), Err("it has no schema_id".to_owned()));
        assert_eq!(body(r#"{"schema_id":"s"}"#), Err("it has no traits".to_owned()));
    }
}
