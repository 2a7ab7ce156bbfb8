//! What stands in the way of a running service: the charm's product rules, each with the text of its status.
//!
//! The order is that of the behaviour rows; the status of the highest class wins, the first inside a class.
//! Each text that a person must act on ends with the command to run.

use super::cluster;
use super::facts::known_facts;
use super::observed::{Observed, SchemaKnowledge, Version, Workload};
use super::secrets::Stored;
use crate::integrations::database::Answer;
use crate::juju::{CharmUrl, Status, StatusKind};
use crate::kratos::WorkloadVersion;
use crate::kratos::facts::options::Options;
use crate::migration::{self, Failure, Schema};

/// Everything that keeps the charm from (re)starting the services, in the order of the behaviour rows.
pub fn obstacles(observed: &Observed) -> Vec<Status> {
    [
        cluster::trust(observed),
        container(observed),
        peers(observed),
        database(observed),
        answer(observed),
        secrets(observed),
        options(observed),
        webauthn(observed),
        version(observed),
        migration(observed),
        cluster::unread(observed),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The worst of several statuses, the first of equals.
pub fn worst(statuses: Vec<Status>) -> Option<Status> {
    statuses.into_iter().reduce(|worst, next| if rank(next.kind) > rank(worst.kind) { next } else { worst })
}

fn rank(kind: StatusKind) -> u8 {
    match kind {
        StatusKind::Error => 5,
        StatusKind::Blocked => 4,
        StatusKind::Maintenance => 3,
        StatusKind::Waiting => 2,
        _ => 1,
    }
}

fn waiting(message: impl Into<String>) -> Option<Status> {
    Some(Status::new(StatusKind::Waiting, message))
}

fn blocked(message: impl Into<String>) -> Option<Status> {
    Some(Status::new(StatusKind::Blocked, message))
}

/// Row 1.
fn container(observed: &Observed) -> Option<Status> {
    match &observed.workload {
        Workload::Unreachable => waiting("Container is not connected yet"),
        Workload::Unusable(reason) => blocked(format!(
            "Cannot use the container's Pebble: {reason}; see: juju debug-log --include {}",
            observed.context.unit
        )),
        Workload::Reachable(_) => None,
    }
}

/// Row 2.
fn peers(observed: &Observed) -> Option<Status> {
    if observed.peers.is_some() { None } else { waiting("Missing integration kratos-peers") }
}

/// Row 3.
fn database(observed: &Observed) -> Option<Status> {
    if !observed.databases.is_empty() {
        return None;
    }
    let application = observed.application();
    blocked(format!(
        "Missing integration pg-database: juju integrate {application}:pg-database postgresql-k8s:database"
    ))
}

/// Row 4.
fn answer(observed: &Observed) -> Option<Status> {
    observed.database()?;
    match observed.answer() {
        Answer::Ready(_) => None,
        Answer::Absent => waiting("Waiting for database creation"),
        Answer::Invalid(reason) => waiting(format!("Waiting for database creation: {reason}")),
    }
}

/// Row 5.
fn secrets(observed: &Observed) -> Option<Status> {
    match (&observed.cookie_secret, &observed.kratos_secrets) {
        (Stored::Unreadable(reason), _) | (_, Stored::Unreadable(reason)) => {
            waiting(format!("Waiting for secret creation: {reason}"))
        }
        (Stored::Absent, _) if !observed.is_leader => waiting("Waiting for secret creation"),
        _ => None,
    }
}

fn options(observed: &Observed) -> Option<Status> {
    observed.options().err().and_then(|invalid| blocked(invalid.to_string()))
}

/// Row 10, and its twin: a security key is bound to a host name, so there has to be one.
fn webauthn(observed: &Observed) -> Option<Status> {
    let options = observed.options().ok().filter(Options::is_webauthn_wanted)?;
    let application = observed.application();
    if options.enable_passwordless_login_method && options.enable_oidc_webauthn_sequencing {
        return blocked(format!(
            "OIDC-WebAuthn sequencing mode requires `enable_passwordless_login_method=False`. Please change the config. \
             Run: juju config {application} enable_passwordless_login_method=false"
        ));
    }
    let is_public = known_facts(observed)?.public_url.is_some();
    let option = match options.enable_passwordless_login_method {
        true => "enable_passwordless_login_method",
        false => "enable_oidc_webauthn_sequencing",
    };
    let text = format!(
        "Invalid option {option}=true: a security key is bound to a public host name, and there is none; run: \
         juju integrate {application}:public-route traefik-k8s:traefik-route, or: juju config {application} {option}=false"
    );
    if is_public { None } else { blocked(text) }
}

fn version(observed: &Observed) -> Option<Status> {
    match &observed.container()?.version {
        Version::Unknown(reason) => blocked(format!(
            "Cannot tell the version of Kratos in the container: {reason}; run: juju refresh {} --resource oci-image=IMAGE",
            observed.application()
        )),
        Version::NotAsked | Version::Known(_) => None,
    }
}

/// Rows 6, 7, 29 and 30.
fn migration(observed: &Observed) -> Option<Status> {
    if observed.is_migrated() {
        return None;
    }
    match &observed.schema {
        SchemaKnowledge::NotAsked => None,
        SchemaKnowledge::Known(schema) if schema.is_newer() => newer(observed, schema),
        // It was another one's while this one wanted to migrate it.
        _ if let Some(Err(failure @ Failure::Newer { .. })) = &observed.migration => {
            blocked(format!("Database migration failed: {failure}; {}", way_back(observed)))
        }
        _ if let Some(Err(failure)) = &observed.migration => {
            blocked(failure.with_command(observed.application()))
        }
        SchemaKnowledge::Unknown(reason) => waiting(format!("Cannot read the database's schema: {reason}")),
        SchemaKnowledge::Known(schema) => pending(observed, schema),
    }
}

fn newer(observed: &Observed, schema: &Schema) -> Option<Status> {
    let version = observed.version().map(ToString::to_string).unwrap_or_default();
    blocked(format!(
        "The database was migrated by a newer Kratos ({} migrations are unknown to {version}); {}",
        schema.unknown.len(),
        way_back(observed)
    ))
}

/// What to do about a database that is too new. Which Kratos migrated it, and with which charm it came, is known if it
/// was one of this application; otherwise the numbers of its migrations tell when they were written.
pub fn way_back(observed: &Observed) -> String {
    let to = match (newer_version(observed), newer_charm(observed)) {
        (Some(version), Some(charm)) if Some(&charm) == observed.charm.as_ref() => {
            format!("an image with Kratos {version} or newer")
        }
        (Some(version), Some(charm)) => format!("{}, with Kratos {version}", charm.describe()),
        (Some(version), None) => format!("a charm with Kratos {version} or newer"),
        (None, _) => match unknown_since(observed) {
            Some(day) => format!("the newer charm, with a Kratos from after {day}"),
            None => "the newer charm".to_owned(),
        },
    };
    format!("go back to {to}: {}", way_back_command(observed))
}

/// The command that does it.
pub fn way_back_command(observed: &Observed) -> String {
    let application = observed.application();
    match newer_charm(observed) {
        // Only the image was changed.
        Some(charm) if Some(&charm) == observed.charm.as_ref() => {
            format!("juju refresh {application} --resource oci-image=IMAGE")
        }
        Some(charm) => charm.refresh(application),
        None => format!("juju refresh {application}"),
    }
}

/// The Kratos of this application that migrated the database, if it is newer than this one.
fn newer_version(observed: &Observed) -> Option<WorkloadVersion> {
    let recorded = WorkloadVersion::parse(&observed.recorded_version()?)?;
    (Some(&recorded) > observed.version()).then_some(recorded)
}

/// The charm that it came with, by the record of its last run.
fn newer_charm(observed: &Observed) -> Option<CharmUrl> {
    let version = newer_version(observed)?.to_string();
    let runs = observed.peers.as_ref()?.runs();
    runs.iter().rev().find(|run| run.to == version)?.charm.as_ref()?.parse().ok()
}

/// The day of the newest migration that this Kratos does not know, such as `2026-01-14`.
fn unknown_since(observed: &Observed) -> Option<String> {
    let SchemaKnowledge::Known(schema) = &observed.schema else { return None };
    let newest = schema.unknown.iter().max()?;
    Some(format!("{}-{}-{}", newest.get(..4)?, newest.get(4..6)?, newest.get(6..8)?))
}

fn pending(observed: &Observed, schema: &Schema) -> Option<Status> {
    let application = observed.application();
    let count = schema.pending_count().map_or_else(String::new, |count| format!(" ({count} pending)"));
    let command = migration::command(application);
    waiting(if observed.is_leader {
        format!("Waiting for database migration{count}: {command}")
    } else {
        format!("Waiting for leader unit to run the migration{count}: {command}")
    })
}
