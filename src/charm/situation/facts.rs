//! What Kratos is configured with: the facts, gathered, and the configuration that they render to.

use std::collections::BTreeMap;

use super::parsed::Parsed;
use super::secrets::secrets;
use crate::charm::observed::Observed;
use crate::integrations::database::Answer;
use crate::integrations::{Features, kratos_info};
use crate::kratos::Facts;
use crate::kratos::facts::Secrets;
use crate::kratos::facts::options::Options;
use crate::kratos::facts::schema_set::SchemaSet;
use crate::kratos::render::config::KratosConfig;
use crate::kratos::render::courier::is_courier_needed;
use crate::kratos::render::left_out::notes;
use crate::kratos::render::notes::Note;
use crate::kratos::render::rendered;
use crate::kratos::render::stored::{self, Providers};
use crate::postgres::Dsn;

/// What others stored in ConfigMaps for Kratos, or what is wrong with it.
#[derive(Debug)]
pub struct StoredData {
    pub schemas: Result<Option<SchemaSet>, String>,
    pub providers: Result<Providers, String>,
}

/// The facts, and what they render to. No `Debug`: the configuration holds secrets.
pub struct KratosSettings {
    pub facts: Facts,
    /// The text of kratos.yaml without its revision and without schemas that are kept.
    pub config: String,
    /// The URLs of the identity schemas in it, by their ids.
    pub schemas: BTreeMap<String, String>,
    /// The id of the schema that new identities get.
    pub default_schema: Option<String>,
    pub features: Features,
    /// What was left out of the configuration and of the environment.
    pub notes: Vec<Note>,
}

impl StoredData {
    /// Reads what the ConfigMaps hold; nothing where they were not asked for.
    pub fn read(observed: &Observed, parsed: &Parsed) -> Self {
        let Some(maps) = observed.config_maps() else {
            return Self { schemas: Ok(None), providers: Ok(Providers::default()) };
        };
        Self {
            schemas: stored::schemas(&maps.schemas.data, parsed.version.as_ref()),
            providers: stored::providers(&maps.providers.data),
        }
    }
}

impl KratosSettings {
    /// The settings, as soon as options, database and secrets are known.
    pub fn new(observed: &Observed, parsed: &Parsed, stored: &StoredData) -> Option<Self> {
        let facts = match (&parsed.options, &parsed.database, secrets(observed)) {
            (Ok(options), Answer::Ready(dsn), Some(secrets)) => {
                facts(observed, parsed, stored, options, dsn, secrets)
            }
            _ => return None,
        };
        let (config, left_out) = KratosConfig::render(&facts);
        let text = config.to_yaml();
        Some(Self {
            schemas: rendered::schemas(text.as_bytes()),
            default_schema: rendered::default_schema(text.as_bytes()),
            features: kratos_info::features(&facts, &config),
            notes: notes(&facts, left_out),
            config: text,
            facts,
        })
    }
}

/// Gathers them. What a relation does not hold, or holds in a form that cannot be used, is left out.
fn facts(
    observed: &Observed,
    parsed: &Parsed,
    stored: &StoredData,
    options: &Options,
    dsn: &Dsn,
    secrets: Secrets,
) -> Facts {
    let related = &parsed.related;
    Facts {
        place: observed.place.clone(),
        version: parsed.version.clone(),
        options: options.clone(),
        dsn: dsn.clone(),
        secrets,
        login_ui: related.login_ui.clone(),
        public_url: related.public_url.clone(),
        hydra_admin_url: related.hydra_admin_url.clone(),
        smtp: related.smtp.clone(),
        otlp: related.otlp.clone(),
        registration_hooks: related.registration_hooks.clone(),
        login_hooks: related.login_hooks.clone(),
        related_providers: related.providers.iter().map(|(_, provider)| provider.clone()).collect(),
        stored_providers: stored.providers.as_ref().map(|found| found.usable.clone()).unwrap_or_default(),
        stored_schemas: stored.schemas.clone().unwrap_or_default(),
        verification_template: observed.verification_template.clone(),
        certificates: related.certificates.iter().cloned().collect(),
    }
}

/// Whether mails are sent from this unit: the leader sends them, as soon as there is a server. Until then they stay in the
/// database, where a courier would give each up after a few attempts.
pub fn is_courier_wanted(observed: &Observed, parsed: &Parsed) -> bool {
    let is_configured =
        parsed.options.is_ok() && matches!(parsed.database, Answer::Ready(_)) && secrets(observed).is_some();
    observed.is_leader && is_configured && is_courier_needed(parsed.related.smtp.as_ref())
}
