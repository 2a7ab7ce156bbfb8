//! A web hook that Kratos calls before or after a flow.

use serde::Deserialize;

use super::secret::Secret;

/// One web hook of the registration or the login flow.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebHook {
    pub url: String,
    /// A `base64://` URL of a Jsonnet body.
    pub body: String,
    pub method: String,
    pub when: When,
    /// Kratos' names of the methods after which it is called; empty: after every active one.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Lower comes first, over all hooks of the flow (docs/behaviour.md#row-66).
    #[serde(default)]
    pub weight: i64,
    #[serde(default)]
    pub response_ignore: bool,
    #[serde(default)]
    pub response_parse: bool,
    #[serde(default)]
    pub auth: Option<ApiKey>,
}

/// On which side of the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    Before,
    After,
}

/// The `api_key` authentication of a web hook, the only kind that the relation can express.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// Name of the header or cookie.
    pub name: String,
    pub value: Secret,
    #[serde(rename = "in")]
    pub place: KeyPlace,
}

/// Where the key is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyPlace {
    Header,
    Cookie,
}
