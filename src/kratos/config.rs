//! kratos.yaml: a typed model of the part of Kratos' configuration that the charm sets.
//!
//! Given the facts, [`KratosConfig::new`] builds the first, small form: the bundled identity
//! schemas and the password method. It is built from types, never from text, so that no value can change its shape.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;

use super::facts::Facts;
use super::place::{ADMIN_PORT, PUBLIC_PORT};

/// The path of the file in the workload.
pub const PATH: &str = "/etc/config/kratos/kratos.yaml";

/// The schema that identities get unless told otherwise.
pub const DEFAULT_SCHEMA: &str = "social_user_v0";

/// Stored identities refer to these ids: they stay valid for ever.
const BUNDLED_SCHEMAS: [(&str, &str); 2] = [
    ("admin_v0", include_str!("identity_schemas/admin_v0.json")),
    (DEFAULT_SCHEMA, include_str!("identity_schemas/social_user_v0.json")),
];

/// Where a browser goes while no login user interface is integrated (behaviour row 55).
const PLACEHOLDER_RETURN_URL: &str = "http://example-default-return-url.com";

/// The whole file, in Kratos' own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KratosConfig {
    identity: Identity,
    selfservice: Selfservice,
    serve: Serve,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Identity {
    default_schema_id: String,
    schemas: Vec<Schema>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Schema {
    id: String,
    url: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Selfservice {
    default_browser_return_url: String,
    methods: Methods,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Methods {
    password: Password,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Password {
    enabled: bool,
    config: PasswordConfig,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct PasswordConfig {
    /// Would send a hash of each password to a host outside (behaviour row 71).
    haveibeenpwned_enabled: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Serve {
    admin: Listener,
    public: Listener,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Listener {
    host: String,
    port: u16,
}

impl KratosConfig {
    /// The configuration that follows from the facts.
    pub fn new(facts: &Facts) -> Self {
        let listener = |port| Listener { host: facts.place.listen_address().to_owned(), port };
        let schemas = BUNDLED_SCHEMAS.iter().map(|(id, text)| Schema {
            id: (*id).to_owned(),
            url: format!("base64://{}", BASE64_STANDARD.encode(text)),
        });
        Self {
            identity: Identity { default_schema_id: DEFAULT_SCHEMA.to_owned(), schemas: schemas.collect() },
            selfservice: Selfservice {
                default_browser_return_url: PLACEHOLDER_RETURN_URL.to_owned(),
                methods: Methods {
                    password: Password {
                        enabled: true,
                        config: PasswordConfig { haveibeenpwned_enabled: false },
                    },
                },
            },
            serve: Serve { admin: listener(ADMIN_PORT), public: listener(PUBLIC_PORT) },
        }
    }

    /// The text of the file.
    pub fn to_yaml(&self) -> String {
        serde_yaml::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_schemas_keep_their_ids_and_traits() {
        for (id, text) in BUNDLED_SCHEMAS {
            let schema: serde_json::Value = serde_json::from_str(text).unwrap();
            let traits = &schema["properties"]["traits"]["properties"];
            let kratos = &traits["email"]["ory.sh/kratos"];
            assert_eq!(kratos["credentials"]["password"]["identifier"], true, "{id}");
            assert_eq!(kratos["recovery"]["via"], "email", "{id}");
            assert_eq!(traits["username"].is_object(), id == "admin_v0");
        }
    }

    #[test]
    fn what_is_written_parses_back_to_the_same_values() {
        let config = KratosConfig::new(&Facts::sample());
        let back: serde_json::Value = serde_yaml::from_str(&config.to_yaml()).unwrap();
        assert_eq!(back, serde_json::to_value(&config).unwrap());
        assert_eq!(back["serve"]["admin"]["port"], 4434);
        assert_eq!(back["identity"]["default_schema_id"], "social_user_v0");
    }
}
