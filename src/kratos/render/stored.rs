//! What an administration interface stores in ConfigMaps for Kratos: identity schemas and OIDC providers.
//!
//! Given a ConfigMap's data, [`schemas`] and [`providers`] read it. A document that cannot be read as a whole is an
//! error; one provider that cannot be used is left out and told. Reasons name keys and never values, which may be secret.
//! Formats: docs/behaviour.md#configmaps, which source counts: docs/behaviour.md#row-52 and #row-75.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::kratos::facts::provider::{OidcProvider, spelled};
use crate::kratos::facts::schema_set::SchemaSet;
use crate::kratos::facts::secret::Secret;
use crate::kratos::schema::rules::{fault_of_id, fault_of_schema};
use crate::kratos::version::WorkloadVersion;

/// The key that names the default among the schemas.
const DEFAULT_SCHEMA: &str = "default.schema";
/// The key that holds all providers.
const PROVIDERS: &str = "idps.json";

/// What the ConfigMaps of one application are called, and where they are.
#[derive(Clone, Copy, Debug)]
pub struct ConfigMapNames<'a> {
    pub schemas: &'a str,
    pub providers: &'a str,
    pub namespace: &'a str,
}

impl<'a> ConfigMapNames<'a> {
    /// Those of the first Kratos of a model (docs/behaviour.md#configmaps).
    pub const fn usual(namespace: &'a str) -> Self {
        Self { schemas: "identity-schemas", providers: "oidc-providers", namespace }
    }

    /// The command that leads to one of them.
    pub fn edit(&self, name: &str) -> String {
        format!("kubectl --namespace {} edit configmap {name}", self.namespace)
    }
}

/// The providers of a ConfigMap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Providers {
    pub usable: Vec<OidcProvider>,
    /// Why others are left out, each with its name.
    pub refused: Vec<String>,
}

/// The schemas, for a Kratos of this version (`None`: the newest known). `None`: nobody stored any.
pub fn schemas(
    data: &BTreeMap<String, String>,
    version: Option<&WorkloadVersion>,
) -> Result<Option<SchemaSet>, String> {
    if data.is_empty() {
        return Ok(None);
    }
    let default_id = data.get(DEFAULT_SCHEMA).map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
    let default_id = default_id.ok_or_else(|| format!("it has no key {DEFAULT_SCHEMA}"))?;
    let mut schemas = BTreeMap::new();
    for (id, text) in data.iter().filter(|(id, _)| *id != DEFAULT_SCHEMA) {
        let schema: Value =
            serde_json::from_str(text).map_err(|_| format!("{} is no JSON object", shown(id)))?;
        if let Some(fault) = fault_of_id(id).or_else(|| fault_of_schema(&schema, version)) {
            return Err(format!("{}: {fault}", shown(id)));
        }
        schemas.insert(id.clone(), schema);
    }
    if !schemas.contains_key(&default_id) {
        return Err(format!("{DEFAULT_SCHEMA} names {}, which it does not hold", shown(&default_id)));
    }
    Ok(Some(SchemaSet { default_id, schemas }))
}

/// The providers; none if nobody stored any.
pub fn providers(data: &BTreeMap<String, String>) -> Result<Providers, String> {
    let Some(text) = data.get(PROVIDERS).filter(|text| !text.trim().is_empty()) else {
        return Ok(Providers::default());
    };
    let list = match serde_json::from_str(text) {
        Ok(Value::Array(list)) => list,
        Ok(Value::Null) => Vec::new(),
        _ => return Err(format!("{PROVIDERS} is no JSON list")),
    };
    let mut found = Providers::default();
    for (index, entry) in list.iter().enumerate() {
        match provider(entry) {
            Ok(provider) if found.usable.iter().any(|other| other.id == provider.id) => {
                found.refused.push(format!("provider {}: its id is taken", shown(&provider.id)));
            }
            Ok(provider) => found.usable.push(provider),
            Err(reason) => found.refused.push(format!("provider {}: {reason}", name(entry, index))),
        }
    }
    Ok(found)
}

/// The id of an entry, or its place.
fn name(entry: &Value, index: usize) -> String {
    match entry.get("id").and_then(Value::as_str) {
        Some(id) if !id.is_empty() => shown(id),
        _ => format!("number {}", index + 1),
    }
}

fn shown(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_debug).collect()
}

/// One provider. What is empty counts as not there: the interface writes every key.
fn provider(entry: &Value) -> Result<OidcProvider, String> {
    let Value::Object(entry) = entry else { return Err("it is no JSON object".to_owned()) };
    let text = |key: &str| match entry.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(format!("{key} is no text")),
    };
    let required = |key: &str| text(key)?.ok_or_else(|| format!("it has no {key}"));
    let list = |key: &str| match entry.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(words)) => Ok(words.split_whitespace().map(str::to_owned).collect()),
        Some(Value::Array(items)) => {
            let item = |item: &Value| item.as_str().map(str::to_owned);
            items.iter().map(item).collect::<Option<_>>().ok_or_else(|| format!("{key} is no list of texts"))
        }
        Some(_) => Err(format!("{key} is no list of texts")),
    };
    let claims = |value: &Value| match value {
        Value::Null => Ok(None),
        Value::String(text) if text.trim().is_empty() => Ok(None),
        Value::Object(_) => Ok(Some(value.clone())),
        _ => Err("requested_claims is no JSON object".to_owned()),
    };
    Ok(OidcProvider {
        id: required("id")?,
        provider: spelled(&required("provider")?).to_owned(),
        client_id: required("client_id")?,
        client_secret: text("client_secret")?.map(Secret),
        label: text("label")?,
        issuer_url: text("issuer_url")?,
        auth_url: text("auth_url")?,
        token_url: text("token_url")?,
        mapper_url: text("mapper_url")?,
        scope: list("scope")?,
        microsoft_tenant: text("microsoft_tenant")?,
        subject_source: text("subject_source")?,
        apple_team_id: text("apple_team_id")?,
        apple_private_key_id: text("apple_private_key_id")?,
        apple_private_key: text("apple_private_key")?.map(Secret),
        requested_claims: entry.get("requested_claims").map_or(Ok(None), claims)?,
        organization_id: text("organization_id")?,
        additional_id_token_audiences: list("additional_id_token_audiences")?,
        claims_source: text("claims_source")?,
        pkce: text("pkce")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn data(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn read(list: &Value) -> Providers {
        providers(&data(&[(PROVIDERS, &list.to_string())])).unwrap()
    }

    /// What the admin UI writes for a provider of which only the first keys were filled in.
    fn written(id: &str) -> Value {
        json!({
            "id": id, "provider": "google", "label": "Yes", "client_id": "123", "client_secret": "sesame",
            "issuer_url": "", "auth_url": "", "token_url": "", "microsoft_tenant": "", "subject_source": "",
            "apple_team_id": "", "apple_private_key_id": "", "apple_private_key": "",
            "scope": ["email", "profile"], "mapper_url": "", "requested_claims": null, "added_later": {"x": 1},
        })
    }

    #[test]
    fn weakness_1_a_provider_of_the_admin_ui_is_read() {
        let found = read(&json!([written("google_1")]));
        let provider = &found.usable[0];
        assert_eq!((provider.id.as_str(), provider.label.as_deref()), ("google_1", Some("Yes")));
        assert_eq!(provider.client_secret, Some(Secret("sesame".to_owned())));
        assert_eq!(provider.scope, ["email", "profile"]);
        let empty = [&provider.issuer_url, &provider.auth_url, &provider.token_url, &provider.mapper_url];
        assert!(empty.into_iter().all(Option::is_none) && provider.apple_private_key.is_none());
        assert!(provider.requested_claims.is_none() && found.refused.is_empty());
    }

    #[test]
    fn weakness_2_schemas_of_the_admin_ui_are_read() {
        let person = json!({"properties": {"traits": {"properties": {"email": {"type": "string"}}}}});
        let stored = data(&[("default.schema", "person\n"), ("person", &person.to_string())]);
        let set = schemas(&stored, None).unwrap().unwrap();
        assert_eq!((set.default_id.as_str(), &set.schemas["person"]), ("person", &person));
        assert_eq!(schemas(&data(&[]), None), Ok(None));
        for (pairs, reason) in [
            (vec![("person", "{}")], "it has no key default.schema"),
            (vec![("default.schema", ""), ("person", "{}")], "it has no key default.schema"),
            (
                vec![("default.schema", "x"), ("person", &person.to_string())],
                "default.schema names x, which it does not hold",
            ),
            (vec![("default.schema", "person"), ("person", "[]")], "person: the schema is no JSON object"),
            (
                vec![("default.schema", "person"), ("person", "{}")],
                "person: the schema has no properties.traits.properties",
            ),
            (vec![("default.schema", "person"), ("person", "{")], "person is no JSON object"),
        ] {
            assert_eq!(schemas(&data(&pairs), None), Err(reason.to_owned()));
        }
    }

    #[test]
    fn weakness_3_data_without_providers_is_none() {
        for pairs in [
            vec![],
            vec![("other", "x")],
            vec![(PROVIDERS, " ")],
            vec![(PROVIDERS, "null")],
            vec![(PROVIDERS, "[]")],
        ] {
            assert_eq!(providers(&data(&pairs)), Ok(Providers::default()));
        }
        for text in ["{", "{}", "3", "\"sesame\""] {
            assert_eq!(providers(&data(&[(PROVIDERS, text)])), Err("idps.json is no JSON list".to_owned()));
        }
    }

    #[test]
    fn one_bad_provider_does_not_cost_the_others() {
        let found = read(&json!([
            written("a"), {"id": "b"}, 7, {"provider": "x"}, written("a"),
            {"id": "c", "provider": "github", "client_id": {"sesame": 1}},
            {"id": "d", "provider": "github", "client_id": 5, "scope": ["x", 1]},
            {"id": "e", "provider": "github", "client_id": 5, "scope": "x y", "requested_claims": {"id_token": {}}},
        ]));
        let ids: Vec<_> = found.usable.iter().map(|provider| provider.id.as_str()).collect();
        assert_eq!(ids, ["a", "e"]);
        assert_eq!(
            found.refused,
            [
                "provider b: it has no provider",
                "provider number 3: it is no JSON object",
                "provider number 4: it has no id",
                "provider a: its id is taken",
                "provider c: client_id is no text",
                "provider d: scope is no list of texts",
            ]
        );
        let last = &found.usable[1];
        assert_eq!((last.client_id.as_str(), last.scope.len()), ("5", 2));
        assert!(last.requested_claims.is_some());
        assert!(!format!("{found:?}").contains("sesame"));
    }

    proptest! {
        #[test]
        fn any_data_is_read_or_refused(stored in proptest::collection::btree_map(".{0,12}", ".{0,40}", 0..4), text in ".{0,60}") {
            let _ = (schemas(&stored, None), providers(&stored));
            let _ = providers(&data(&[(PROVIDERS, &text)]));
        }
    }
}
