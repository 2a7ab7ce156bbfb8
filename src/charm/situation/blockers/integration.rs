//! What this unit is not connected to yet.

use crate::charm::observed::{Observed, Workload};
use crate::charm::situation::parsed::Parsed;
use crate::charm::texts::{blocked, waiting};
use crate::integrations::database::Answer;
use crate::juju::Status;

/// Pebble in the workload container (docs/behaviour.md#row-1).
pub fn container(observed: &Observed, _: &Parsed) -> Option<Status> {
    match &observed.workload {
        Workload::Unreachable => Some(waiting("Container is not connected yet")),
        Workload::Unusable(reason) => Some(blocked(format!(
            "Cannot use the container's Pebble: {reason}; see: juju debug-log --include {}",
            observed.context.unit
        ))),
        Workload::Reachable(_) => None,
    }
}

/// The peer relation (docs/behaviour.md#row-2).
pub fn peers(observed: &Observed, _: &Parsed) -> Option<Status> {
    observed.peers.is_none().then(|| waiting("Missing integration kratos-peers"))
}

/// The database relation (docs/behaviour.md#row-3).
pub fn database(observed: &Observed, _: &Parsed) -> Option<Status> {
    let application = observed.application();
    let command = format!("juju integrate {application}:pg-database postgresql-k8s:database");
    observed.databases.is_empty().then(|| blocked(format!("Missing integration pg-database: {command}")))
}

/// The answer of the database's provider (docs/behaviour.md#row-4).
pub fn answer(observed: &Observed, parsed: &Parsed) -> Option<Status> {
    observed.database()?;
    match &parsed.database {
        Answer::Ready(_) => None,
        Answer::Absent => Some(waiting("Waiting for database creation")),
        Answer::Invalid(reason) => Some(waiting(format!("Waiting for database creation: {reason}"))),
    }
}
