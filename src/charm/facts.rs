//! The facts from which Kratos is configured, gathered from what was observed.

use super::observed::{CookieSecret, Observed};
use crate::integrations::database::Answer;
use crate::kratos::facts::Secrets;
use crate::kratos::login_ui::LoginUi;
use crate::kratos::options::Options;
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
    Facts {
        place: observed.place.clone(),
        version: version(observed),
        options,
        dsn,
        secrets: Secrets { cookie: vec![cookie.clone()], ..Secrets::default() },
        login_ui: LoginUi::default(),
        public_url: None,
        hydra_admin_url: None,
        smtp: None,
        otlp: None,
        registration_hooks: vec![],
        login_hooks: vec![],
        related_providers: vec![],
        stored_providers: observed.stored_providers().unwrap_or_default().usable,
        stored_schemas: observed.stored_schemas().unwrap_or_default(),
        verification_template: observed.verification_template.clone(),
        certificates: vec![],
    }
}

/// The workload's version, looked at now or published when it was looked at last.
fn version(observed: &Observed) -> Option<WorkloadVersion> {
    let published = || observed.peers.as_ref()?.workload_version();
    observed.version().cloned().or_else(|| WorkloadVersion::parse(published()?))
}
