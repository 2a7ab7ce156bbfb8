//! The facts from which Kratos is configured, gathered from what was observed.

use super::inputs::inputs;
use super::observed::Observed;
use super::secrets::secrets;
use crate::integrations::database::Answer;
use crate::kratos::facts::Secrets;
use crate::kratos::facts::options::Options;
use crate::kratos::facts::public_url::PublicUrl;
use crate::kratos::{Facts, WorkloadVersion};
use crate::postgres::Dsn;

/// The facts, as soon as options, database and secrets are known.
pub fn known_facts(observed: &Observed) -> Option<Facts> {
    match (observed.options(), observed.answer(), secrets(observed)) {
        (Ok(options), Answer::Ready(dsn), Some(secrets)) => Some(facts(observed, options, dsn, secrets)),
        _ => None,
    }
}

/// Gathers them. What a relation does not say, or says wrongly, is not there.
fn facts(observed: &Observed, options: Options, dsn: Dsn, secrets: Secrets) -> Facts {
    let inputs = inputs(observed);
    Facts {
        place: observed.place.clone(),
        version: workload_version(observed),
        options,
        dsn,
        secrets,
        login_ui: inputs.login_ui,
        public_url: inputs.public_url,
        hydra_admin_url: inputs.hydra_admin_url,
        smtp: inputs.smtp,
        otlp: inputs.otlp,
        registration_hooks: inputs.registration_hooks,
        login_hooks: inputs.login_hooks,
        related_providers: inputs.providers.into_iter().map(|(_, provider)| provider).collect(),
        stored_providers: observed.stored_providers().unwrap_or_default().usable,
        stored_schemas: observed.stored_schemas().unwrap_or_default(),
        verification_template: observed.verification_template.clone(),
        certificates: inputs.certificates.into_iter().collect(),
    }
}

/// The workload's version, looked at now or published when it was looked at last.
pub fn workload_version(observed: &Observed) -> Option<WorkloadVersion> {
    let published = || observed.peers.as_ref()?.workload_version();
    observed.version().cloned().or_else(|| WorkloadVersion::parse(published()?))
}

/// Where the public route makes Kratos reachable.
pub fn public_url(observed: &Observed) -> Option<PublicUrl> {
    inputs(observed).public_url
}
