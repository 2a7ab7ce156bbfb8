//! The rules of a configuration that bind several keys: what a provider of each kind needs and must not have, and a security
//! key's relying party.

use serde_json::Value;

/// A broken rule: the path to the value, the place of the rule, and the reason.
type Broken = (Vec<String>, String, String);

/// Every rule of that kind that `value` breaks.
pub fn broken(value: &Value) -> Vec<Broken> {
    let methods = ["selfservice", "methods"];
    let path = |tail: &[&str]| methods.iter().chain(tail).map(|part| (*part).to_owned()).collect::<Vec<_>>();
    let mut found = Vec::new();
    let webauthn = &value["selfservice"]["methods"]["webauthn"];
    if webauthn["enabled"] == true {
        let rp = &webauthn["config"]["rp"];
        if webauthn["config"].is_null() {
            found.push((path(&["webauthn"]), rule("webauthn/then/required"), missing("config")));
        } else if rp.is_object() && !["id", "display_name"].iter().all(|key| rp[key].is_string()) {
            let reason = "oneOf failed".to_owned();
            found.push((
                path(&["webauthn", "config", "rp"]),
                rule("webauthn/properties/config/properties/rp/oneOf"),
                reason,
            ));
        }
    }
    let providers = value["selfservice"]["methods"]["oidc"]["config"]["providers"].as_array();
    for (index, provider) in providers.into_iter().flatten().enumerate() {
        let at = path(&["oidc", "config", "providers", &index.to_string()]);
        for (place, reason) in provider_faults(provider) {
            found.push((at.clone(), format!("#/definitions/selfServiceOIDCProvider/allOf/{place}"), reason));
        }
    }
    found
}

/// The value at a path.
pub fn at<'a>(value: &'a Value, path: &[String]) -> &'a Value {
    path.iter().fold(value, |value, part| match part.parse::<usize>() {
        Ok(index) => &value[index],
        Err(_) => &value[part.as_str()],
    })
}

fn provider_faults(provider: &Value) -> Vec<(&'static str, String)> {
    let has = |key: &str| provider.get(key).is_some();
    let is_filled = |key: &str| provider[key].as_str().is_some_and(|text| !text.is_empty());
    let not_allowed = || "not failed".to_owned();
    let mut found = Vec::new();
    match (provider["provider"] == "microsoft", has("microsoft_tenant")) {
        (true, false) => found.push(("0/then/required", missing("microsoft_tenant"))),
        (false, true) => found.push(("0/else/not", not_allowed())),
        _ => {}
    }
    let apple = ["apple_private_key_id", "apple_private_key", "apple_team_id"];
    if provider["provider"] == "apple" {
        if is_filled("client_secret") {
            found.push(("1/then/not", not_allowed()));
        }
        found.extend(apple.into_iter().filter(|key| !has(key)).map(|key| ("1/then/required", missing(key))));
    } else {
        if !has("client_secret") {
            found.push(("1/else/required", missing("client_secret")));
        }
        found.extend(
            apple.into_iter().filter(|key| is_filled(key)).map(|_| ("1/else/allOf/not", not_allowed())),
        );
    }
    found
}

fn rule(tail: &str) -> String {
    format!("#/properties/selfservice/properties/methods/properties/{tail}")
}

fn missing(key: &str) -> String {
    format!("missing properties: {key:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn is_taken(provider: Value) -> bool {
        broken(&json!({"selfservice": {"methods": {"oidc": {"config": {"providers": [provider]}}}}}))
            .is_empty()
    }

    #[test]
    fn a_provider_has_what_its_kind_needs_and_no_more() {
        assert!(is_taken(json!({"provider": "google", "client_secret": ""})));
        assert!(!is_taken(json!({"provider": "google"})));
        assert!(!is_taken(json!({"provider": "google", "client_secret": "s", "microsoft_tenant": ""})));
        assert!(!is_taken(json!({"provider": "google", "client_secret": "s", "apple_team_id": "t"})));
        assert!(is_taken(json!({"provider": "microsoft", "client_secret": "s", "microsoft_tenant": "t"})));
        assert!(!is_taken(json!({"provider": "microsoft", "client_secret": "s"})));
        let apple = json!({"provider": "apple", "apple_team_id": "t", "apple_private_key_id": "k", "apple_private_key": "p"});
        assert!(is_taken(apple.clone()));
        let mut with_secret = apple;
        with_secret["client_secret"] = "s".into();
        assert!(!is_taken(with_secret) && !is_taken(json!({"provider": "apple"})));
    }

    #[test]
    fn a_security_key_needs_a_relying_party() {
        let faults =
            |webauthn: Value| broken(&json!({"selfservice": {"methods": {"webauthn": webauthn}}})).len();
        assert_eq!(faults(json!({"enabled": true})), 1);
        assert_eq!(faults(json!({"enabled": false})), 0);
        assert_eq!(faults(json!({"enabled": true, "config": {"rp": {"display_name": "d"}}})), 1);
        assert_eq!(faults(json!({"enabled": true, "config": {"rp": {"id": "i", "display_name": "d"}}})), 0);
    }
}
