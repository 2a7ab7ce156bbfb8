//! The facts from which Kratos is configured, gathered from what was observed.

use super::inputs::inputs;
use super::observed::{CookieSecret, Observed};
use crate::integrations::database::Answer;
use crate::kratos::facts::Secrets;
use crate::kratos::options::Options;
use crate::kratos::public_url::PublicUrl;
use crate::kratos::{Facts, Secret, WorkloadVersion};
use crate::postgres::Dsn;

/// The facts, as soon as options, database and cookie secret are known.
pub fn known_facts(observed: &Observed) -> Option<Facts> {
    match (observed.options(), observed.answer(), cookie_secret(observed)) {
        (Ok(options), Answer::Ready(dsn), Some(cookie)) => Some(facts(observed, options, dsn, cookie)),
        _ => None,
    }
}

/// The cookie secret that exists or that this dispatch makes.
fn cookie_secret(observed: &Observed) -> Option<&Secret> {
    match &observed.cookie_secret {
        CookieSecret::Ready(secret) => Some(secret),
        CookieSecret::Absent if observed.is_leader => Some(&observed.new_cookie_secret),
        CookieSecret::Absent | CookieSecret::Unreadable(_) => None,
    }
}

/// Gathers them. What a relation does not say, or says wrongly, is not there.
fn facts(observed: &Observed, options: Options, dsn: Dsn, cookie: &Secret) -> Facts {
    let inputs = inputs(observed);
    Facts {
        place: observed.place.clone(),
        version: workload_version(observed),
        options,
        dsn,
        secrets: Secrets { cookie: vec![cookie.clone()], ..Secrets::default() },
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
