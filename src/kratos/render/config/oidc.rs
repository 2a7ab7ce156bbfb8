//! `selfservice.methods.oidc.config.providers`: the external providers, of relations first and then of the ConfigMap
//! (docs/behaviour.md#row-75 and #row-76).

use std::collections::BTreeSet;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use serde_json::Value;

use crate::kratos::facts::Facts;
use crate::kratos::facts::provider::OidcProvider;
use crate::kratos::facts::secret::{Secret, expose};
use crate::kratos::render::notes::{Note, Source, shown};
use crate::kratos::version::WorkloadVersion;

/// What the claims of most providers become: an address counts only if the provider says that it is verified.
const DEFAULT_MAPPER: &str = include_str!("../claim_mappers/default.jsonnet");
/// Microsoft never says so.
const MICROSOFT_MAPPER: &str = include_str!("../claim_mappers/microsoft.jsonnet");

/// What a Kratos of unknown version is taken for.
const OLDEST: &str = "v1.3.1";

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

/// The providers that can be rendered. One that Kratos would refuse is left out wholly: without a part of it, it would let
/// in other people than it was meant to.
pub(super) fn providers(facts: &Facts, notes: &mut Vec<Note>) -> Vec<Provider> {
    let version = facts.version.clone().or_else(|| WorkloadVersion::parse(OLDEST));
    let related = facts.related_providers.iter().map(|provider| (provider, true));
    let stored = facts.stored_providers.iter().map(|provider| (provider, false));
    let mut ids = BTreeSet::new();
    let mut rendered = Vec::new();
    for (provider, is_related) in related.chain(stored) {
        let given = given(provider);
        let fault = given.check(version.as_ref()).err();
        let is_double = || (!ids.insert(&provider.id)).then(|| "another one has the same id".to_owned());
        match fault.or_else(is_double) {
            None => rendered.push(Provider::new(given)),
            Some(fault) => {
                let text = format!("The OIDC provider {} is not used: {fault}", shown(&provider.id));
                notes.push(match is_related {
                    true => Note::from_endpoint("kratos-external-idp", text),
                    false => Note { text, source: Source::Providers },
                });
            }
        }
    }
    rendered
}

/// What is not empty: the admin user interface writes unused texts as empty ones.
fn given(provider: &OidcProvider) -> OidcProvider {
    let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let secret = |secret: &Option<Secret>| secret.clone().filter(|secret| !secret.0.is_empty());
    let texts = |list: &[String]| list.iter().filter(|text| !text.is_empty()).cloned().collect();
    OidcProvider {
        id: provider.id.clone(),
        provider: provider.provider.clone(),
        client_id: provider.client_id.clone(),
        client_secret: secret(&provider.client_secret),
        label: text(&provider.label),
        issuer_url: text(&provider.issuer_url),
        auth_url: text(&provider.auth_url),
        token_url: text(&provider.token_url),
        mapper_url: text(&provider.mapper_url),
        scope: texts(&provider.scope),
        microsoft_tenant: text(&provider.microsoft_tenant),
        subject_source: text(&provider.subject_source),
        apple_team_id: text(&provider.apple_team_id),
        apple_private_key_id: text(&provider.apple_private_key_id),
        apple_private_key: secret(&provider.apple_private_key),
        requested_claims: provider.requested_claims.clone().filter(|claims| !claims.is_null()),
        organization_id: text(&provider.organization_id),
        additional_id_token_audiences: texts(&provider.additional_id_token_audiences),
        claims_source: text(&provider.claims_source),
        pkce: text(&provider.pkce),
    }
}

impl Provider {
    fn new(provider: OidcProvider) -> Self {
        Self {
            mapper_url: provider.mapper_url.unwrap_or_else(|| bundled_mapper(&provider.provider)),
            id: provider.id,
            provider: provider.provider,
            label: provider.label,
            client_id: provider.client_id,
            client_secret: provider.client_secret,
            issuer_url: provider.issuer_url,
            auth_url: provider.auth_url,
            token_url: provider.token_url,
            scope: provider.scope,
            microsoft_tenant: provider.microsoft_tenant,
            subject_source: provider.subject_source,
            apple_team_id: provider.apple_team_id,
            apple_private_key_id: provider.apple_private_key_id,
            apple_private_key: provider.apple_private_key,
            requested_claims: provider.requested_claims,
            organization_id: provider.organization_id,
            additional_id_token_audiences: provider.additional_id_token_audiences,
            claims_source: provider.claims_source,
            pkce: provider.pkce,
        }
    }
}

fn bundled_mapper(kind: &str) -> String {
    let mapper = if kind == "microsoft" { MICROSOFT_MAPPER } else { DEFAULT_MAPPER };
    format!("base64://{}", BASE64_STANDARD.encode(mapper))
}
