//! One provider as an integrator writes it, in the words of either generation of the interface.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};
use sha1::{Digest, Sha1};

use crate::kratos::Secret;
use crate::kratos::facts::provider::{OidcProvider, spelled};

/// The kinds for which the interface's own default scope was made; the others get Kratos' default.
const DEFAULT_SCOPE: &str = "profile email address phone";
const WITH_DEFAULT_SCOPE: [&str; 14] = [
    "apple",
    "auth0",
    "dingtalk",
    "discord",
    "facebook",
    "generic",
    "gitlab",
    "google",
    "microsoft",
    "netid",
    "slack",
    "spotify",
    "vk",
    "yandex",
];

/// Reads an item. What belongs to another kind of provider is left out, as integrators send it along.
pub fn provider(item: Value) -> Result<OidcProvider, String> {
    let Value::Object(item) = item else { return Err("it is no JSON object".to_owned()) };
    let item = Item(item);
    if item.text(&["secret_backend"])?.is_some_and(|backend| backend != "relation") {
        return Err("its secret is not in the relation: secret_backend has to be relation".to_owned());
    }
    let given = item.text(&["provider"])?.ok_or("provider is missing")?;
    let kind = spelled(&given);
    let client_id = item.text(&["client_id"])?.ok_or("client_id is missing")?;
    let issuer_url = item.text(&["issuer_url"])?;
    let tenant = item.text(&["microsoft_tenant", "microsoft_tenant_id", "tenant_id"])?;
    let id = match item.text(&["id", "provider_id"])? {
        Some(id) => id,
        None => default_id(&given, &client_id, issuer_url.as_deref(), tenant.as_deref()),
    };
    let is_apple = kind == "apple";
    let of_apple = |keys: &[&str]| if is_apple { item.text(keys) } else { Ok(None) };
    Ok(OidcProvider {
        label: Some(item.text(&["label"])?.unwrap_or_else(|| kind.to_owned())),
        client_secret: if is_apple { None } else { item.text(&["client_secret"])?.map(Secret) },
        auth_url: item.text(&["auth_url"])?,
        token_url: item.text(&["token_url"])?,
        mapper_url: mapper_url(&item)?,
        scope: scope(&item, kind)?,
        microsoft_tenant: tenant.filter(|_| kind == "microsoft"),
        subject_source: item.text(&["subject_source"])?,
        apple_team_id: of_apple(&["apple_team_id", "team_id"])?,
        apple_private_key_id: of_apple(&["apple_private_key_id", "private_key_id"])?,
        apple_private_key: of_apple(&["apple_private_key", "private_key"])?.map(Secret),
        requested_claims: item.0.get("requested_claims").filter(|claims| !claims.is_null()).cloned(),
        organization_id: item.text(&["organization_id"])?,
        additional_id_token_audiences: item.list("additional_id_token_audiences")?.unwrap_or_default(),
        claims_source: item.text(&["claims_source"])?,
        pkce: item.text(&["pkce"])?,
        id,
        provider: kind.to_owned(),
        client_id,
        issuer_url,
    })
}

struct Item(Map<String, Value>);

impl Item {
    /// The first of several names of a field that has a value; a blank one is none.
    fn text(&self, keys: &[&str]) -> Result<Option<String>, String> {
        for key in keys {
            match self.0.get(*key) {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) if text.trim().is_empty() => {}
                Some(Value::String(text)) => return Ok(Some(text.clone())),
                Some(_) => return Err(format!("{key} is no text")),
            }
        }
        Ok(None)
    }

    /// A list of texts, or one text with spaces between.
    fn list(&self, key: &str) -> Result<Option<Vec<String>>, String> {
        let refused = || format!("{key} is neither a text nor a list of texts");
        let texts: Vec<String> = match self.0.get(key) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => text.split_whitespace().map(str::to_owned).collect(),
            Some(Value::Array(items)) => {
                let text = |item: &Value| item.as_str().map(str::to_owned).ok_or_else(refused);
                items.iter().map(text).collect::<Result<_, _>>()?
            }
            Some(_) => return Err(refused()),
        };
        Ok(Some(texts).filter(|texts| !texts.is_empty()))
    }
}

/// The id that both generations of the interface give a provider that has none, so that redirect URIs survive a
/// change from one to the other.
fn default_id(given: &str, client_id: &str, issuer_url: Option<&str>, tenant: Option<&str>) -> String {
    let base = match given {
        "generic" | "auth0" => format!("{client_id}_{}", issuer_url.unwrap_or_default()),
        "microsoft" => format!("{client_id}_{}", tenant.unwrap_or_default()),
        _ => client_id.to_owned(),
    };
    let digest: String = Sha1::digest(base).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{given}_{digest}")
}

/// A mapper's URL, or its Jsonnet text as one.
fn mapper_url(item: &Item) -> Result<Option<String>, String> {
    if let Some(url) = item.text(&["mapper_url"])? {
        return Ok(Some(url));
    }
    let url = |mapper: String| match mapper.trim() {
        url if url.starts_with("base64://") => url.to_owned(),
        _ => format!("base64://{}", BASE64_STANDARD.encode(mapper)),
    };
    Ok(item.text(&["jsonnet_mapper"])?.map(url))
}

fn scope(item: &Item, kind: &str) -> Result<Vec<String>, String> {
    let default = match kind {
        "github" => "user:email",
        _ if WITH_DEFAULT_SCOPE.contains(&kind) => DEFAULT_SCOPE,
        _ => "",
    };
    let given = item.list("scope")?;
    Ok(given.unwrap_or_else(|| default.split_whitespace().map(str::to_owned).collect()))
}
