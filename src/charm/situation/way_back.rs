//! What to do about a database that a newer Kratos has migrated.

use crate::charm::observed::{Observed, SchemaKnowledge};
use crate::juju::CharmUrl;
use crate::kratos::WorkloadVersion;

/// The advice, with its command. Which Kratos migrated the database, and with which charm it came, is recorded if it was one
/// of this application; otherwise the numbers of its migrations tell when they were written.
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

/// The command alone.
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
