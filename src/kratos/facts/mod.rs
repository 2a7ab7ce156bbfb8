//! `Facts`: everything from which Kratos' configuration, environment and files follow, as plain data.
//!
//! The charm gathers them from options, relations, secrets and ConfigMaps; a person or a test may write them down.

pub mod login_ui;
pub mod options;
pub mod otlp;
pub mod provider;
pub mod public_url;
pub mod schema_set;
pub mod secret;
pub mod smtp;
pub mod uri;
pub mod web_hook;

use reqwest::Url;
use serde::Deserialize;

use self::login_ui::LoginUi;
use self::options::Options;
use self::provider::OidcProvider;
use self::public_url::PublicUrl;
use self::schema_set::SchemaSet;
use self::secret::Secret;
use self::smtp::Smtp;
use self::web_hook::WebHook;
use crate::kratos::names::Place;
use crate::kratos::version::WorkloadVersion;
use crate::postgres::Dsn;

/// What is known when Kratos is configured.
#[derive(Clone, Debug)]
pub struct Facts {
    pub place: Place,
    /// The program for which is rendered: keys that only a newer one knows are left out. `None`: unknown, as the oldest.
    pub version: Option<WorkloadVersion>,
    pub options: Options,
    pub dsn: Dsn,
    pub secrets: Secrets,
    pub login_ui: LoginUi,
    /// Where the public route makes Kratos reachable.
    pub public_url: Option<PublicUrl>,
    /// Hydra's admin API (docs/behaviour.md#row-40).
    pub hydra_admin_url: Option<Url>,
    pub smtp: Option<Smtp>,
    /// The OTLP over HTTP endpoint to which traces go (docs/behaviour.md#row-42).
    pub otlp: Option<Url>,
    /// Over all relations of the endpoint, in no particular order.
    pub registration_hooks: Vec<WebHook>,
    pub login_hooks: Vec<WebHook>,
    /// From relations, in the order of their numbers.
    pub related_providers: Vec<OidcProvider>,
    /// From the ConfigMap `oidc-providers`.
    pub stored_providers: Vec<OidcProvider>,
    /// From the ConfigMap `identity-schemas`.
    pub stored_schemas: Option<SchemaSet>,
    /// The body of verification mails, a Go template, from the resource `verification-email-template`
    /// (docs/behaviour.md#row-45).
    pub verification_template: Option<String>,
    /// PEM texts of additional certificate authorities, each once, in order.
    pub certificates: Vec<String>,
}

/// The keys with which Kratos signs and encrypts, the first in use, the others for reading what they signed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Secrets {
    pub cookie: Vec<Secret>,
    /// Empty: a deployment of before, which never had any.
    pub default: Vec<Secret>,
    /// 32 characters each; empty: a deployment of before, which never had any.
    pub cipher: Vec<Secret>,
}

#[cfg(test)]
impl Facts {
    /// A deployment with a database and nothing else.
    pub fn sample() -> Self {
        Self {
            place: Place::pod(),
            version: WorkloadVersion::parse("v26.2.0"),
            options: Options::parse("kratos", &std::collections::BTreeMap::new(), None).unwrap(),
            dsn: Dsn::parse("postgres://u:sesame@db:5432/idp").unwrap(),
            secrets: Secrets { cookie: vec![Secret("0123456789abcdef".to_owned())], ..Secrets::default() },
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
