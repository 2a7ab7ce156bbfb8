//! `selfservice.methods.oidc.config.providers`: the external providers, of relations first and then of the ConfigMap
//! (behaviour rows 75 and 76).

use std::collections::BTreeSet;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use serde_json::Value;

use super::notes::{Note, shown};
use crate::kratos::facts::Facts;
use crate::kratos::provider::OidcProvider;
use crate::kratos::reference::{is_document, is_web_url};
use crate::kratos::secret::{Secret, expose};
use crate::kratos::version::WorkloadVersion;

/// What the claims of most providers become: an address counts only if the provider says that it is verified.
const DEFAULT_MAPPER: &str = include_str!("../claim_mappers/default.jsonnet");
/// Microsoft never says so.
const MICROSOFT_MAPPER: &str = include_str!("../claim_mappers/microsoft.jsonnet");

/// The kinds that Kratos knows, and the first release to know each.
const KINDS: &[(&str, &[&str])] = &[
    (
        "v1.3.1",
        &[
            "github",
            "github-app",
            "gitlab",
            "generic",
            "google",
            "microsoft",
            "discord",
            "salesforce",
            "slack",
            "facebook",
            "auth0",
            "vk",
            "yandex",
            "apple",
            "spotify",
            "netid",
            "dingtalk",
            "patreon",
            "linkedin",
            "linkedin_v2",
            "lark",
            "x",
        ],
    ),
    ("v25.4.0", &["line", "amazon"]),
    ("v26.2.0", &["uaepass"]),
];

/// A provider in Kratos' words, in its order. `Debug` shows no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Provider {
    id: String,
    provider: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    client_id: String,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "expose_some")]
    client_secret: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_url: Option<String>,
    mapper_url: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scope: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    microsoft_tenant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    apple_team_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    apple_private_key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "expose_some")]
    apple_private_key: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requested_claims: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    additional_id_token_audiences: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claims_source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pkce: Option<String>,
}

fn expose_some<S: serde::Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    match secret {
        Some(secret) => expose(secret, serializer),
        None => serializer.serialize_none(),
    }
}

/// The providers that can be rendered. A part of one that Kratos would refuse is left out where it means nothing for the
/// kind; where it means something, the whole provider is: it would let in the wrong people or nobody.
pub(super) fn providers(facts: &Facts, notes: &mut Vec<Note>) -> Vec<Provider> {
    let related = facts.related_providers.iter().map(|provider| (provider, true));
    let stored = facts.stored_providers.iter().map(|provider| (provider, false));
    let mut ids = BTreeSet::new();
    let mut rendered = Vec::new();
    for (provider, is_related) in related.chain(stored) {
        let mut note = |text: String| {
            notes.push(match is_related {
                true => Note::of_endpoint("kratos-external-idp", text),
                false => Note::of_config_map("oidc-providers", text),
            });
        };
        let name = shown(&provider.id);
        if let Some(fault) = fault(provider, facts.version.as_ref()) {
            note(format!("The OIDC provider {name} is not used: {fault}"));
        } else if !ids.insert(&provider.id) {
            note(format!("The OIDC provider {name} is not used: another one has the same id"));
        } else {
            if let Some(parts) = meaningless(provider) {
                note(format!(
                    "Of the OIDC provider {name}, {parts} is not used: it is for another kind of provider"
                ));
            }
            rendered.push(Provider::new(provider));
        }
    }
    rendered
}

impl Provider {
    fn new(provider: &OidcProvider) -> Self {
        let is_kind = |kind: &str| provider.provider == kind;
        let of_apple = |text: &Option<String>| given(text).filter(|_| is_kind("apple"));
        Self {
            id: provider.id.clone(),
            provider: provider.provider.clone(),
            label: given(&provider.label),
            client_id: provider.client_id.clone(),
            client_secret: given_secret(&provider.client_secret).filter(|_| !is_kind("apple")),
            issuer_url: given(&provider.issuer_url),
            auth_url: given(&provider.auth_url),
            token_url: given(&provider.token_url),
            mapper_url: given(&provider.mapper_url).unwrap_or_else(|| bundled_mapper(&provider.provider)),
            scope: texts(&provider.scope),
            microsoft_tenant: given(&provider.microsoft_tenant).filter(|_| is_kind("microsoft")),
            subject_source: given(&provider.subject_source),
            apple_team_id: of_apple(&provider.apple_team_id),
            apple_private_key_id: of_apple(&provider.apple_private_key_id),
            apple_private_key: given_secret(&provider.apple_private_key).filter(|_| is_kind("apple")),
            requested_claims: provider.requested_claims.clone().filter(|claims| !claims.is_null()),
            organization_id: given(&provider.organization_id),
            additional_id_token_audiences: texts(&provider.additional_id_token_audiences),
            claims_source: given(&provider.claims_source),
            pkce: given(&provider.pkce),
        }
    }
}

/// What is not empty: the admin user interface writes unused texts as empty ones.
fn given(text: &Option<String>) -> Option<String> {
    text.clone().filter(|text| !text.is_empty())
}

fn given_secret(secret: &Option<Secret>) -> Option<Secret> {
    secret.clone().filter(|secret| !secret.0.is_empty())
}

fn texts(list: &[String]) -> Vec<String> {
    list.iter().filter(|text| !text.is_empty()).cloned().collect()
}

fn bundled_mapper(kind: &str) -> String {
    let mapper = if kind == "microsoft" { MICROSOFT_MAPPER } else { DEFAULT_MAPPER };
    format!("base64://{}", BASE64_STANDARD.encode(mapper))
}

/// What keeps a provider from being rendered, if anything does.
fn fault(provider: &OidcProvider, version: Option<&WorkloadVersion>) -> Option<String> {
    let kind = provider.provider.as_str();
    let is_given = |text: &Option<String>| given(text).is_some();
    let is_url = |url: &Option<String>| given(url).is_none_or(|url| is_web_url(&url));
    let is_one_of =
        |text: &Option<String>, words: &[&str]| given(text).is_none_or(|text| words.contains(&text.as_str()));
    let is_secret = given_secret(&provider.client_secret).is_some();
    let is_apple = is_given(&provider.apple_team_id)
        && is_given(&provider.apple_private_key_id)
        && given_secret(&provider.apple_private_key).is_some();
    let text = match kind {
        _ if provider.id.is_empty() => "it has no id",
        _ if !is_known(kind, version) => {
            return Some(format!("this Kratos does not know the kind {}", shown(kind)));
        }
        _ if provider.client_id.is_empty() => "it has no client_id",
        "microsoft" if !is_given(&provider.microsoft_tenant) => "it has no microsoft_tenant",
        "apple" if !is_apple => "it lacks apple_team_id, apple_private_key_id or apple_private_key",
        _ if kind != "apple" && !is_secret => "it has no client_secret",
        _ if !is_url(&provider.issuer_url) => "its issuer_url is no http(s):// URL",
        _ if !is_url(&provider.auth_url) => "its auth_url is no http(s):// URL",
        _ if !is_url(&provider.token_url) => "its token_url is no http(s):// URL",
        _ if !given(&provider.mapper_url).is_none_or(|url| is_document(&url)) => {
            "its mapper_url is no base64://, http(s):// or file:// URL of a Jsonnet document"
        }
        _ if !is_one_of(&provider.subject_source, subject_sources(version)) => {
            "this Kratos does not know its subject_source"
        }
        _ if !is_one_of(&provider.claims_source, &["id_token", "userinfo"]) => {
            "its claims_source is neither id_token nor userinfo"
        }
        _ if !is_one_of(&provider.pkce, &["auto", "never", "force"]) => {
            "its pkce is none of auto, never, force"
        }
        _ if !provider.requested_claims.as_ref().is_none_or(are_claims) => {
            "its requested_claims are no claims request (OpenID Connect Core, section 5.5)"
        }
        _ => return None,
    };
    Some(text.to_owned())
}

/// The parts that only another kind has, if any are given.
fn meaningless(provider: &OidcProvider) -> Option<String> {
    let is_apple = provider.provider == "apple";
    let parts = [
        ("client_secret", is_apple && given_secret(&provider.client_secret).is_some()),
        ("microsoft_tenant", provider.provider != "microsoft" && given(&provider.microsoft_tenant).is_some()),
        ("apple_team_id", !is_apple && given(&provider.apple_team_id).is_some()),
        ("apple_private_key_id", !is_apple && given(&provider.apple_private_key_id).is_some()),
        ("apple_private_key", !is_apple && given_secret(&provider.apple_private_key).is_some()),
    ];
    let given: Vec<&str> =
        parts.into_iter().filter(|(_, is_given)| *is_given).map(|(name, _)| name).collect();
    (!given.is_empty()).then(|| given.join(", "))
}

/// A version that is not known is taken for the oldest.
fn knows(version: Option<&WorkloadVersion>, since: &str) -> bool {
    let oldest = KINDS.first().is_some_and(|(oldest, _)| *oldest == since);
    oldest
        || version.is_some_and(|version| WorkloadVersion::parse(since).is_some_and(|since| *version >= since))
}

fn is_known(kind: &str, version: Option<&WorkloadVersion>) -> bool {
    KINDS.iter().any(|(since, kinds)| kinds.contains(&kind) && knows(version, since))
}

fn subject_sources(version: Option<&WorkloadVersion>) -> &'static [&'static str] {
    if knows(version, "v25.4.0") { &["userinfo", "me", "oid"] } else { &["userinfo", "me"] }
}

fn are_claims(claims: &Value) -> bool {
    let is_member = |(name, member): (&String, &Value)| match name.as_str() {
        "essential" => member.is_boolean(),
        "value" => true,
        "values" => member.is_array(),
        _ => false,
    };
    // Longer than any claim's name, and shorter than YAML allows a key to be.
    let is_name = |name: &String| name.len() <= 256;
    let is_claim =
        |claim: &Value| claim.is_null() || claim.as_object().is_some_and(|claim| claim.iter().all(is_member));
    let is_request = |(name, request): (&String, &Value)| match name.as_str() {
        "userinfo" | "id_token" => request
            .as_object()
            .is_some_and(|request| request.iter().all(|(name, claim)| is_name(name) && is_claim(claim))),
        _ => is_name(name),
    };
    claims.is_null() || claims.as_object().is_some_and(|claims| claims.iter().all(is_request))
}
