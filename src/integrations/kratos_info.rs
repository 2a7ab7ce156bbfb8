//! `kratos-info` (interface kratos_info): where other applications find Kratos, and what it offers.
//!
//! It is true at all times: whatever it follows from, it follows in the same dispatch, and without a public address it says
//! nothing, because login pages could not be reached (docs/behaviour.md#weakness-25, #weakness-26, #weakness-27).

use std::collections::BTreeMap;

use serde_json::Value;

use super::endpoint::Endpoint;
use super::publish::{Features, Keys, Publication, RouteTarget};
use super::related::Related;
use super::relation::Relation;
use crate::kratos::Facts;
use crate::kratos::facts::options::Options;
use crate::kratos::facts::public_url::PublicUrl;
use crate::kratos::names::{ADMIN_PORT, PUBLIC_PORT};
use crate::kratos::render::config::KratosConfig;
use crate::kratos::render::stored::ConfigMapNames;

/// Only we write.
pub const ENDPOINT: Endpoint = Endpoint { answer: Some(answer), ..Endpoint::new("kratos-info") };

/// The flags that consumers know, in the order in which they are named, each with the method that stands behind it.
const METHODS: [(&str, &str); 4] =
    [("password", "password"), ("webauthn", "webauthn"), ("totp", "totp"), ("backup_codes", "lookup_secret")];
/// Logins at identity providers can be added to accounts.
const LINKING: &str = "account_linking";

/// The key that says what the ConfigMap of identity schemas is called.
pub const SCHEMAS_NAME: &str = "schemas_configmap_name";

const KEYS: [&str; 11] = [
    "admin_endpoint",
    "public_endpoint",
    "login_browser_endpoint",
    "sessions_endpoint",
    "providers_configmap_name",
    SCHEMAS_NAME,
    "configmaps_namespace",
    "mfa_enabled",
    "oidc_webauthn_sequencing_enabled",
    "verification_enabled",
    "feature_flags",
];

/// While the options are invalid, what was published stays.
fn answer(publication: &Publication<'_>, _: &Relation) -> Option<Keys> {
    let Related { public_url, internal_url, .. } = publication.related;
    let Some(public_url) = public_url else { return Some(nothing()) };
    let (options, backend) = (publication.options?, publication.backend());
    let at = Whereabouts { public_url, internal_url: internal_url.as_ref(), backend };
    Some(databag(at, options, publication.config_maps, publication.features))
}

/// Where Kratos is.
#[derive(Clone, Copy, Debug)]
pub struct Whereabouts<'a> {
    pub public_url: &'a PublicUrl,
    /// The internal route, which serves both APIs.
    pub internal_url: Option<&'a PublicUrl>,
    /// Found directly while there is no internal route.
    pub backend: RouteTarget<'a>,
}

/// What Kratos offers, by its rendered configuration (docs/behaviour.md#row-85).
pub fn features(facts: &Facts, config: &KratosConfig) -> Features {
    let config = serde_json::to_value(config).unwrap_or_default();
    let is_on = |method: &str| {
        config.pointer(&format!("/selfservice/methods/{method}/enabled")) == Some(&Value::Bool(true))
    };
    let mut flags: Vec<&str> =
        METHODS.into_iter().filter(|(_, method)| is_on(method)).map(|(flag, _)| flag).collect();
    if !facts.related_providers.is_empty() {
        flags.push(LINKING);
    }
    Features(flags)
}

/// What the leader publishes. `None` for ConfigMaps or features: not known in this dispatch, what was said stays.
pub fn databag(
    at: Whereabouts<'_>,
    options: &Options,
    maps: Option<ConfigMapNames<'_>>,
    features: Option<&Features>,
) -> BTreeMap<String, Option<String>> {
    let direct = |port| format!("http://{}:{port}", at.backend.host());
    let (admin, public) = match at.internal_url {
        Some(url) => (url.to_string(), url.to_string()),
        None => (direct(ADMIN_PORT), direct(PUBLIC_PORT)),
    };
    let mut keys = vec![
        ("login_browser_endpoint", Some(format!("{}/self-service/login/browser", at.public_url))),
        ("sessions_endpoint", Some(format!("{public}/sessions/whoami"))),
        ("admin_endpoint", Some(admin)),
        ("public_endpoint", Some(public)),
    ];
    // The readers hand them to Go, which refuses an empty one, so they are there from the beginning.
    for (key, is_on) in [
        ("mfa_enabled", options.enforce_mfa),
        ("oidc_webauthn_sequencing_enabled", options.enable_oidc_webauthn_sequencing),
        ("verification_enabled", options.enable_verification),
    ] {
        keys.push((key, Some(if is_on { "True" } else { "False" }.to_owned())));
    }
    if let Some(maps) = maps {
        keys.push(("providers_configmap_name", Some(maps.providers.to_owned())));
        keys.push((SCHEMAS_NAME, Some(maps.schemas.to_owned())));
        keys.push(("configmaps_namespace", Some(maps.namespace.to_owned())));
    }
    keys.extend(features.map(|features| ("feature_flags", features.text())));
    keys.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// What the leader publishes while there is no public address.
pub fn nothing() -> BTreeMap<String, Option<String>> {
    KEYS.iter().map(|key| ((*key).to_owned(), None)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kratos::facts::options::Options;
    use serde_json::json;

    fn facts(options: &[(&str, bool)]) -> Facts {
        let config = options.iter().map(|(option, value)| ((*option).to_owned(), json!(value))).collect();
        let mut facts = Facts::sample();
        facts.options = Options::parse("kratos", &config, None).unwrap();
        facts.login_ui.login_url = Some("https://ui.example.com/login".to_owned());
        facts.public_url = Some(PublicUrl::parse("https://id.example.com").unwrap());
        facts
    }

    fn rendered_features(facts: &Facts) -> Features {
        features(facts, &KratosConfig::render(facts).0)
    }

    fn flags(facts: &Facts) -> Option<String> {
        rendered_features(facts).text()
    }

    #[test]
    fn weakness_27_flags_follow_the_rendered_configuration() {
        assert_eq!(flags(&facts(&[])).as_deref(), Some("password,totp,backup_codes"));
        assert_eq!(flags(&facts(&[("enforce_mfa", false)])).as_deref(), Some("password"));
        let sequencing = facts(&[("enable_oidc_webauthn_sequencing", true), ("enable_local_idp", false)]);
        assert_eq!(flags(&sequencing).as_deref(), Some("webauthn,backup_codes"));
        let none = facts(&[("enable_local_idp", false), ("enforce_mfa", false)]);
        assert_eq!(flags(&none), None, "the key goes");
    }

    #[test]
    fn every_key_is_said_and_every_key_is_taken_back() {
        let url = PublicUrl::parse("https://id.example.com:8443").unwrap();
        let backend = RouteTarget { model: "idp", application: "kratos" };
        let at = Whereabouts { public_url: &url, internal_url: None, backend };
        let facts = facts(&[]);
        let maps = ConfigMapNames::usual("idp");
        let keys = databag(at, &facts.options, Some(maps), Some(&rendered_features(&facts)));
        let expected = [
            ("admin_endpoint", "http://kratos.idp.svc.cluster.local:4434"),
            ("configmaps_namespace", "idp"),
            ("feature_flags", "password,totp,backup_codes"),
            ("login_browser_endpoint", "https://id.example.com:8443/self-service/login/browser"),
            ("mfa_enabled", "True"),
            ("oidc_webauthn_sequencing_enabled", "False"),
            ("providers_configmap_name", "oidc-providers"),
            ("public_endpoint", "http://kratos.idp.svc.cluster.local:4433"),
            ("schemas_configmap_name", "identity-schemas"),
            ("sessions_endpoint", "http://kratos.idp.svc.cluster.local:4433/sessions/whoami"),
            ("verification_enabled", "False"),
        ];
        let expected: BTreeMap<_, _> =
            expected.map(|(key, value)| (key.to_owned(), Some(value.to_owned()))).into();
        assert_eq!(keys, expected);
        assert!(nothing().keys().eq(keys.keys()) && nothing().values().all(Option::is_none));
        let internal = PublicUrl::parse("http://internal.example.com/idp").unwrap();
        let at = Whereabouts { internal_url: Some(&internal), ..at };
        let keys = databag(at, &facts.options, None, None);
        let values: Vec<_> = keys.values().flatten().map(String::as_str).collect();
        assert_eq!(
            values,
            [
                "http://internal.example.com/idp",
                "https://id.example.com:8443/self-service/login/browser",
                "True",
                "False",
                "http://internal.example.com/idp",
                "http://internal.example.com/idp/sessions/whoami",
                "False",
            ]
        );
    }
}
