//! An external OIDC provider, in the words of Kratos' `selfservice.methods.oidc.config.providers`.

use serde::Deserialize;
use serde_json::Value;

use super::secret::Secret;
use super::uri::{is_document, web_url};
use crate::kratos::version::WorkloadVersion;

/// One provider. What is `None` or empty is not rendered.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcProvider {
    /// Stable: it is part of the redirect URI that the provider knows.
    pub id: String,
    /// Kratos' name of the kind, such as `google` or `generic`.
    pub provider: String,
    pub client_id: String,
    #[serde(default)]
    pub client_secret: Option<Secret>,
    #[serde(default)]
    pub label: Option<String>,
    #[serde(default)]
    pub issuer_url: Option<String>,
    #[serde(default)]
    pub auth_url: Option<String>,
    #[serde(default)]
    pub token_url: Option<String>,
    /// A `base64://` or other URL of a Jsonnet claims mapper; `None`: the bundled one for `provider`
    /// (docs/behaviour.md#row-76).
    #[serde(default)]
    pub mapper_url: Option<String>,
    #[serde(default)]
    pub scope: Vec<String>,
    #[serde(default)]
    pub microsoft_tenant: Option<String>,
    #[serde(default)]
    pub subject_source: Option<String>,
    #[serde(default)]
    pub apple_team_id: Option<String>,
    #[serde(default)]
    pub apple_private_key_id: Option<String>,
    #[serde(default)]
    pub apple_private_key: Option<Secret>,
    #[serde(default)]
    pub requested_claims: Option<Value>,
    #[serde(default)]
    pub organization_id: Option<String>,
    #[serde(default)]
    pub additional_id_token_audiences: Vec<String>,
    #[serde(default)]
    pub claims_source: Option<String>,
    #[serde(default)]
    pub pkce: Option<String>,
}

/// A kind of provider, and the first release of Kratos that knows it (its configuration schema).
const KINDS: [(&str, &str); 26] = [
    ("amazon", "v25.4.0"),
    ("apple", "v1.3.1"),
    ("auth0", "v1.3.1"),
    ("dingtalk", "v1.3.1"),
    ("discord", "v1.3.1"),
    ("facebook", "v1.3.1"),
    ("generic", "v1.3.1"),
    ("github", "v1.3.1"),
    ("github-app", "v1.3.1"),
    ("gitlab", "v1.3.1"),
    ("google", "v1.3.1"),
    ("lark", "v1.3.1"),
    ("line", "v25.4.0"),
    ("linkedin", "v1.3.1"),
    ("linkedin_v2", "v1.3.1"),
    ("microsoft", "v1.3.1"),
    ("netid", "v1.3.1"),
    ("patreon", "v1.3.1"),
    ("salesforce", "v1.3.1"),
    ("slack", "v1.3.1"),
    ("spotify", "v1.3.1"),
    ("uaepass", "v26.2.0"),
    ("vk", "v1.3.1"),
    ("x", "v1.3.1"),
    ("yandex", "v1.3.1"),
    ("fedcm-test", "v25.4.0"),
];

/// Kinds that others spell in their own way.
const SPELLINGS: [(&str, &str); 3] =
    [("yander", "yandex"), ("githubapp", "github-app"), ("github_app", "github-app")];

/// A kind as Kratos spells it.
pub fn spelled(kind: &str) -> &str {
    SPELLINGS.iter().find(|(other, _)| *other == kind).map_or(kind, |(_, own)| own)
}

impl OidcProvider {
    /// Why Kratos of that version would refuse a configuration with this provider, by the rules of its configuration
    /// schema; an unknown version is taken for the newest. The reason quotes no value.
    pub fn check(&self, version: Option<&WorkloadVersion>) -> Result<(), String> {
        let known = KINDS.iter().find(|(kind, _)| *kind == self.provider);
        let Some((kind, first)) = known else {
            return Err("Kratos knows no such kind of provider".to_owned());
        };
        let first = WorkloadVersion::parse(first);
        if version.is_some() && version < first.as_ref() {
            return Err(format!("this Kratos does not know the kind {kind}"));
        }
        if self.id.is_empty() || matches!(self.id.as_str(), "." | "..") || self.id.contains('/') {
            return Err("its id cannot stand in a URL".to_owned());
        }
        let uris =
            [("issuer_url", &self.issuer_url), ("auth_url", &self.auth_url), ("token_url", &self.token_url)];
        for (key, uri) in uris {
            if uri.as_deref().is_some_and(|uri| web_url(uri).is_none()) {
                return Err(format!("{key} is no URL"));
            }
        }
        if self.mapper_url.as_deref().is_some_and(|url| !is_document(url)) {
            return Err("mapper_url is no URL of a Jsonnet document".to_owned());
        }
        let is_old = version.is_some() && version < WorkloadVersion::parse("v25.4.0").as_ref();
        if is_old && self.subject_source.as_deref() == Some("oid") {
            return Err("this Kratos does not know the subject_source oid".to_owned());
        }
        let words = [
            ("subject_source", &self.subject_source, ["userinfo", "me", "oid"].as_slice()),
            ("claims_source", &self.claims_source, &["id_token", "userinfo"]),
            ("pkce", &self.pkce, &["auto", "never", "force"]),
        ];
        for (key, word, known) in words {
            if word.as_deref().is_some_and(|word| !known.contains(&word)) {
                return Err(format!("{key} is none of {}", known.join(", ")));
            }
        }
        if self.requested_claims.as_ref().is_some_and(|claims| !are_claims(claims)) {
            return Err("requested_claims are no OpenID Connect claims".to_owned());
        }
        self.check_credentials()
    }

    fn check_credentials(&self) -> Result<(), String> {
        let is_filled = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        let is_given = |secret: &Option<Secret>| secret.as_ref().is_some_and(|secret| !secret.0.is_empty());
        let mut needed = vec![("client_id", !self.client_id.is_empty())];
        let mut forbidden = Vec::new();
        let apple = [
            ("apple_team_id", is_filled(&self.apple_team_id)),
            ("apple_private_key_id", is_filled(&self.apple_private_key_id)),
            ("apple_private_key", is_given(&self.apple_private_key)),
        ];
        let client_secret = ("client_secret", is_given(&self.client_secret));
        let tenant = ("microsoft_tenant", is_filled(&self.microsoft_tenant));
        if self.provider == "apple" {
            needed.extend(apple);
            forbidden.push(client_secret);
        } else {
            needed.push(client_secret);
            forbidden.extend(apple);
        }
        if self.provider == "microsoft" {
            needed.push(tenant);
        } else {
            forbidden.push(tenant);
        }
        if matches!(self.provider.as_str(), "generic" | "auth0") {
            needed.push(("issuer_url", is_filled(&self.issuer_url)));
        }
        if let Some((key, _)) = needed.into_iter().find(|(_, is_there)| !is_there) {
            return Err(format!("{key} is missing"));
        }
        match forbidden.into_iter().find(|(_, is_there)| *is_there) {
            Some((key, _)) => Err(format!("{key} does not belong to the kind {}", self.provider)),
            None => Ok(()),
        }
    }
}

/// OpenID Connect Core 5.5: by place and name, null or what is asked of the claim.
fn are_claims(claims: &Value) -> bool {
    let is_asked = |(key, value): (&String, &Value)| match key.as_str() {
        "essential" => value.is_boolean(),
        "value" => true,
        "values" => value.is_array(),
        _ => false,
    };
    let is_claim =
        |claim: &Value| claim.is_null() || claim.as_object().is_some_and(|asked| asked.iter().all(is_asked));
    // Longer than any claim's name, and shorter than YAML allows a key to be.
    let is_name = |name: &String| name.len() <= 256;
    let is_names = |names: &Value| {
        names
            .as_object()
            .is_some_and(|names| names.iter().all(|(name, claim)| is_name(name) && is_claim(claim)))
    };
    let is_place = |(place, names): (&String, &Value)| match place.as_str() {
        "userinfo" | "id_token" => is_names(names),
        _ => is_name(place),
    };
    claims.as_object().is_some_and(|claims| claims.iter().all(is_place))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(kind: &str) -> OidcProvider {
        let value = serde_json::json!({"id": "p", "provider": kind, "client_id": "c", "client_secret": "s"});
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_kind_is_refused_only_by_a_kratos_that_does_not_know_it() {
        let check = |kind: &str, version: Option<&str>| {
            let version = version.map(|version| WorkloadVersion::parse(version).unwrap());
            provider(kind).check(version.as_ref()).is_ok()
        };
        for (kind, _) in KINDS {
            let has_more = ["apple", "auth0", "generic", "microsoft"].contains(&kind);
            assert_eq!(check(kind, None), !has_more, "{kind}");
        }
        assert!(!check("twitch", None) && !check("Google", None) && !check("", None));
        assert!(check("amazon", Some("v25.4.0")) && !check("amazon", Some("v1.3.1")));
        assert!(check("uaepass", Some("v27.1.0")) && !check("uaepass", Some("v25.4.0")));
    }

    #[test]
    fn each_kind_has_its_credentials() {
        let text = |text: &str| Some(text.to_owned());
        let reason = |provider: &OidcProvider| provider.check(None).unwrap_err();
        let mut google = OidcProvider { microsoft_tenant: text("t"), ..provider("google") };
        assert_eq!(reason(&google), "microsoft_tenant does not belong to the kind google");
        (google.microsoft_tenant, google.apple_team_id) = (None, text("t"));
        assert_eq!(reason(&google), "apple_team_id does not belong to the kind google");
        (google.apple_team_id, google.client_secret) = (None, None);
        assert_eq!(reason(&google), "client_secret is missing");
        assert_eq!(reason(&provider("microsoft")), "microsoft_tenant is missing");
        assert_eq!(reason(&provider("generic")), "issuer_url is missing");
        let mut apple = OidcProvider {
            apple_team_id: text("t"),
            apple_private_key_id: text("k"),
            apple_private_key: Some(Secret("-----BEGIN".to_owned())),
            ..provider("apple")
        };
        assert_eq!(reason(&apple), "client_secret does not belong to the kind apple");
        apple.client_secret = None;
        assert_eq!(apple.check(None), Ok(()));
    }

    #[test]
    fn texts_that_kratos_refuses_are_found() {
        let reason = |change: fn(&mut OidcProvider)| {
            let mut provider = provider("google");
            change(&mut provider);
            provider.check(None).unwrap_err()
        };
        assert_eq!(
            reason(|p| p.mapper_url = Some("function() {}".to_owned())),
            "mapper_url is no URL of a Jsonnet document"
        );
        assert_eq!(reason(|p| p.pkce = Some("yes".to_owned())), "pkce is none of auto, never, force");
        let claims = |claims| {
            let provider = OidcProvider { requested_claims: Some(claims), ..provider("google") };
            provider.check(None).is_ok()
        };
        assert!(claims(
            serde_json::json!({"id_token": {"a": null, "b": {"essential": true, "values": [1]}}})
        ));
        for wrong in [r#"{"userinfo": {"a": true}}"#, r#"{"id_token": {"a": {"b": 1}}}"#, "[]", "null"] {
            assert!(!claims(serde_json::from_str(wrong).unwrap()), "{wrong}");
        }
        assert_eq!(reason(|p| p.id = "a/b".to_owned()), "its id cannot stand in a URL");
    }
}
