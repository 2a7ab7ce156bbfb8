//! Whether the database's schema is that of the program.

use crate::charm::observed::{Observed, SchemaKnowledge};

/// Whether nothing is pending: by the schema or, for a program that cannot list its migrations, by its success in this
/// dispatch or an earlier one.
pub fn is_migrated(observed: &Observed) -> bool {
    let SchemaKnowledge::Known(schema) = &observed.schema else { return false };
    let is_trusted = || {
        matches!(observed.migration, Some(Ok(_)))
            || observed
                .version()
                .is_some_and(|version| observed.recorded_version() == Some(version.to_string()))
    };
    schema.is_current() || (schema.pending.is_none() && !schema.is_newer() && is_trusted())
}
