//! Facts that a person or a test wrote down, in YAML or JSON: what the charm would gather from options, relations, secrets
//! and ConfigMaps.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::kratos::facts::login_ui::LoginUi;
use crate::kratos::facts::options::Options;
use crate::kratos::facts::provider::OidcProvider;
use crate::kratos::facts::public_url::PublicUrl;
use crate::kratos::facts::schema_set::SchemaSet;
use crate::kratos::facts::smtp::Smtp;
use crate::kratos::facts::uri::web_url;
use crate::kratos::facts::web_hook::WebHook;
use crate::kratos::facts::{Facts, Secrets};
use crate::kratos::names::Place;
use crate::kratos::version::WorkloadVersion;
use crate::postgres::Dsn;

/// Stands for the database that nobody named.
const DSN: &str = "postgres://kratos@localhost:5432/kratos";
/// Where the names of all options stand.
const CONFIG: &str = include_str!("../../../config.yaml");

/// [`Facts`], with texts for what is parsed; what is not named is not there.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Input {
    version: Option<String>,
    options: BTreeMap<String, Value>,
    dsn: String,
    secrets: Secrets,
    login_ui: LoginUi,
    public_url: Option<String>,
    hydra_admin_url: Option<String>,
    smtp: Option<Smtp>,
    otlp: Option<String>,
    registration_hooks: Vec<WebHook>,
    login_hooks: Vec<WebHook>,
    related_providers: Vec<OidcProvider>,
    stored_providers: Vec<OidcProvider>,
    stored_schemas: Option<SchemaSet>,
    verification_template: Option<String>,
    certificates: Vec<String>,
}

impl Default for Input {
    fn default() -> Self {
        Self {
            version: None,
            options: BTreeMap::new(),
            dsn: DSN.to_owned(),
            secrets: Secrets::default(),
            login_ui: LoginUi::default(),
            public_url: None,
            hydra_admin_url: None,
            smtp: None,
            otlp: None,
            registration_hooks: vec![],
            login_hooks: vec![],
            related_providers: vec![],
            stored_providers: vec![],
            stored_schemas: None,
            verification_template: None,
            certificates: vec![],
        }
    }
}

/// Reads facts. The error names the key that cannot be used.
pub fn read(text: &str) -> Result<Facts, String> {
    // The YAML parser takes JSON too, but no \ud83d\ude00, as JSON may write what needs more than 16 bits.
    let input: Option<Input> = match serde_json::from_str(text) {
        Ok(input) => input,
        Err(_) => serde_yaml::from_str(text).map_err(|error| error.to_string())?,
    };
    let input = input.unwrap_or_default();
    let config: Value = serde_yaml::from_str(CONFIG).map_err(|error| error.to_string())?;
    if let Some(name) = input.options.keys().find(|name| config["options"].get(name.as_str()).is_none()) {
        return Err(format!("options: there is no option {name:?}"));
    }
    let url = |key: &str, text: Option<String>| match text {
        None => Ok(None),
        Some(text) => match web_url(&text) {
            Some(url) => Ok(Some(url)),
            None => Err(format!("{key}: it is no http(s):// URL")),
        },
    };
    let public_url = match input.public_url {
        None => None,
        Some(text) => Some(PublicUrl::parse(&text).map_err(|error| format!("public_url: {error}"))?),
    };
    let version = match input.version {
        None => None,
        Some(text) => match WorkloadVersion::parse(&text) {
            Some(version) => Some(version),
            None => return Err(format!("version: {text:?} is no version such as v26.2.0")),
        },
    };
    Ok(Facts {
        place: Place::pod(),
        options: Options::parse("kratos", &input.options, version.as_ref())
            .map_err(|invalid| invalid.to_string())?,
        version,
        dsn: Dsn::parse(&input.dsn).map_err(|error| format!("dsn: {error}"))?,
        secrets: input.secrets,
        login_ui: input.login_ui,
        public_url,
        hydra_admin_url: url("hydra_admin_url", input.hydra_admin_url)?,
        smtp: input.smtp,
        otlp: url("otlp", input.otlp)?,
        registration_hooks: input.registration_hooks,
        login_hooks: input.login_hooks,
        related_providers: input.related_providers,
        stored_providers: input.stored_providers,
        stored_schemas: input.stored_schemas,
        verification_template: input.verification_template,
        certificates: input.certificates,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_a_deployment_with_a_database() {
        for text in ["", "{}", "# nothing\n"] {
            let facts = read(text).unwrap();
            assert_eq!(facts.version, None);
            assert_eq!(facts.dsn.to_string(), "postgres://kratos:***@localhost:5432/kratos");
        }
    }

    #[test]
    fn json_may_escape_every_character() {
        let facts = read(r#"{"verification_template": "\ud83d\ude00"}"#).unwrap();
        assert_eq!(facts.verification_template.as_deref(), Some("\u{1f600}"));
    }

    #[test]
    fn what_nobody_knows_is_refused_by_its_name() {
        let cases = [
            ("smtq: 1", "unknown field `smtq`"),
            ("options: {log_levle: info}", "options: there is no option \"log_levle\""),
            ("options: {log_level: loud}", "Invalid option log_level=loud"),
            ("login_ui: {page: x}", "unknown field `page`"),
            (
                "related_providers: [{id: a, provider: google, client_id: c, tenant: t}]",
                "unknown field `tenant`",
            ),
            ("secrets: {cokie: []}", "unknown field `cokie`"),
            ("stored_schemas: {default: a}", "unknown field `default`"),
            ("version: 26", "version"),
            ("version: new", "version: \"new\" is no version such as v26.2.0"),
            ("dsn: mysql://h/d", "dsn: "),
            ("public_url: x", "public_url: \"x\" is no http(s)://HOST[:PORT][/PATH]"),
            ("hydra_admin_url: hydra", "hydra_admin_url: it is no http(s):// URL"),
            ("otlp: 'tempo:4318'", "otlp: it is no http(s):// URL"),
            ("options: [", "options: invalid type: sequence, expected a map"),
        ];
        for (text, expected) in cases {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
