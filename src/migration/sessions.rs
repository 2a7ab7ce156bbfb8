//! The names of our own sessions in the database: by these they are found, spared and told from those of others.

/// What the names of side connections begin with, and of the migration process' sessions.
pub const OUR_SESSIONS: [&str; 2] = ["kratos-operator", MIGRATION_PROCESS];
pub(super) const MIGRATION_PROCESS: &str = "kratos-migrate";
/// What the name of a migration session begins with; who started it follows.
pub(super) const PREFIX: &str = "kratos-migrate ";
