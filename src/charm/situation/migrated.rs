//! Whether the database's schema is that of the program, and whether a database that had one has lost it.

use crate::charm::observed::{Observed, SchemaKnowledge};
use crate::migration;

/// Whether nothing is pending: by the schema or, for a program that cannot list its migrations, by its success in this
/// dispatch or an earlier one.
pub fn is_migrated(observed: &Observed) -> bool {
    let SchemaKnowledge::Known(schema) = &observed.schema else { return false };
    let is_trusted = || {
        matches!(observed.migration, Some(Ok(_)))
            || observed
                .version()
                .is_some_and(|version| observed.recorded_version() == Some(version.to_string()))
                && !schema.is_empty()
    };
    schema.is_current() || (schema.pending.is_none() && !schema.is_newer() && is_trusted())
}

/// What happened to a database that the record calls migrated and that is empty now, with the ways on: a schema was dropped,
/// or a volume came back without its data. `None`: it is not such a one.
pub fn emptied(observed: &Observed) -> Option<String> {
    let SchemaKnowledge::Known(schema) = &observed.schema else { return None };
    let version = observed.recorded_version().filter(|_| schema.is_empty())?;
    let runs = observed.peers.as_ref().map(|peers| peers.runs()).unwrap_or_default();
    let last = runs.iter().rev().find(|run| run.to == version);
    let when = last.and_then(|run| run.begun.as_ref()).map_or_else(String::new, |at| format!(" on {at}"));
    let who = last.map_or_else(String::new, |run| format!(" by {}", run.who));
    Some(format!(
        "The database was migrated to {version}{when}{who}, and is empty now: restore its backup, or begin anew \
         without what was in it: {} accept-empty=true",
        migration::command(observed.application())
    ))
}
