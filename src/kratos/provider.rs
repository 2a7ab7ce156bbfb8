//! An external OIDC provider, in the words of Kratos' `selfservice.methods.oidc.config.providers`.

use serde::Deserialize;
use serde_json::Value;

use super::secret::Secret;

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
    /// A `base64://` or other URL of a Jsonnet claims mapper; `None`: the bundled one for `provider` (behaviour row 76).
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
