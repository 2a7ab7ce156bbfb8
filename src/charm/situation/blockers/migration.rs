//! Program and database that do not fit together: docs/behaviour.md#row-6, #row-7, #row-29 and #row-30.

use crate::charm::observed::{Observed, SchemaKnowledge, Version};
use crate::charm::situation::migrated::{emptied, is_migrated};
use crate::charm::situation::parsed::Parsed;
use crate::charm::situation::verdict::held;
use crate::charm::situation::way_back::way_back;
use crate::charm::texts::{blocked, waiting};
use crate::juju::Status;
use crate::migration::{self, Failure, Schema};

pub fn version(observed: &Observed, _: &Parsed) -> Option<Status> {
    match &observed.container()?.version {
        Version::Unknown(reason) => Some(blocked(format!(
            "Cannot tell the version of Kratos in the container: {reason}; run: juju refresh {} --resource oci-image=IMAGE",
            observed.application()
        ))),
        Version::NotAsked | Version::Known(_) => None,
    }
}

pub fn migration(observed: &Observed, _: &Parsed) -> Option<Status> {
    if is_migrated(observed) {
        return None;
    }
    Some(match &observed.schema {
        SchemaKnowledge::NotAsked => return None,
        SchemaKnowledge::Known(schema) if schema.is_newer() => newer(observed, schema),
        // A newer Kratos migrated the database between our look at it and our own run.
        _ if let Some(Err(failure @ Failure::Newer { .. })) = &observed.migration => {
            blocked(format!("Database migration failed: {failure}; {}", way_back(observed)))
        }
        _ if let Some(Err(failure)) = &observed.migration => {
            blocked(failure.with_command(observed.application()))
        }
        SchemaKnowledge::Unknown(reason) => waiting(format!("Cannot read the database's schema: {reason}")),
        SchemaKnowledge::Known(_) if let Some(text) = emptied(observed) => blocked(text),
        SchemaKnowledge::Known(schema) => pending(observed, schema),
    })
}

/// Nothing is pending, and yet nothing may be started: a backup ages with every write.
pub fn verdict(observed: &Observed, _: &Parsed) -> Option<Status> {
    held(observed).map(|held| blocked(held.text(observed.application())))
}

fn newer(observed: &Observed, schema: &Schema) -> Status {
    let version = observed.version().map(ToString::to_string).unwrap_or_default();
    blocked(format!(
        "The database was migrated by a newer Kratos ({} migrations are unknown to {version}); {}",
        schema.unknown.len(),
        way_back(observed)
    ))
}

fn pending(observed: &Observed, schema: &Schema) -> Status {
    let application = observed.application();
    let count = schema.pending_count().map_or_else(String::new, |count| format!(" ({count} pending)"));
    let command = migration::command(application);
    waiting(if observed.is_leader {
        format!("Waiting for database migration{count}: {command}")
    } else {
        format!("Waiting for leader unit to run the migration{count}: {command}")
    })
}
