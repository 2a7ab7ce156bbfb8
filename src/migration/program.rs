//! The migrations that a Kratos program carries.
//!
//! Given the program, [`ProgramMigrations::ask`] lists them, which takes a process of a third of a second. The answer is
//! handed on to all that comes after, since a program stays what it is; what the database holds of it may change at any
//! moment, and is read anew under the lock.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::failure::Failure;
use super::schema::{Known, Migration, MigrationVersion};
use crate::kratos::WorkloadVersion;
use crate::kratos::program::command::{Kratos, ListedMigration};
use crate::postgres::Dsn;

/// The migrations that a program carries; by default none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramMigrations {
    pub known: Known,
    /// The same with their SQL; empty if the program cannot tell.
    pub listed: Vec<ListedMigration>,
    /// How long the program took to tell; `None`: it was not asked.
    pub took: Option<Duration>,
}

/// Every word of the SQL, in lower case: the tables of Kratos are among them, and a table that is not belongs to another
/// application. Empty if the program does not show its SQL.
pub(super) fn words(listed: &[ListedMigration]) -> Vec<String> {
    if listed.is_empty() {
        return Vec::new();
    }
    let is_separator = |character: char| !(character.is_ascii_alphanumeric() || character == '_');
    let words = listed.iter().flat_map(|listed| listed.content.split(is_separator));
    // The bookkeeping is made by the program itself.
    let words = words.map(str::to_ascii_lowercase).chain(["schema_migration".to_owned()]);
    words.collect::<BTreeSet<_>>().into_iter().collect()
}

impl Default for ProgramMigrations {
    fn default() -> Self {
        Self { known: Known::Listed(Vec::new()), listed: Vec::new(), took: None }
    }
}

impl ProgramMigrations {
    /// Asks the program, or takes what is known of one that cannot be asked.
    pub async fn ask(kratos: &Kratos, version: &WorkloadVersion, dsn: &Dsn) -> Result<Self, Failure> {
        if !version.has_migration_status() {
            let known = Known::without_status(version);
            return Ok(Self { known, listed: Vec::new(), took: None });
        }
        let begun = Instant::now();
        let listed = kratos.migrations(dsn).await?;
        let took = Some(begun.elapsed());
        let mut migrations = Vec::new();
        for migration in &listed {
            let Some(version) = MigrationVersion::parse(&migration.version) else {
                let text = format!("Kratos lists a migration {:?}, which is no number", migration.version);
                return Err(Failure::Program(text));
            };
            migrations.push(Migration { version, name: migration.name.clone() });
        }
        if migrations.is_empty() {
            return Err(Failure::Program("Kratos lists no migrations at all".to_owned()));
        }
        Ok(Self { known: Known::Listed(migrations), listed, took })
    }

    /// What was asked before, or else what the program answers now.
    pub(super) async fn asked_or_ask<'p>(
        asked: Option<&'p Self>,
        kratos: &Kratos,
        version: &WorkloadVersion,
        dsn: &Dsn,
    ) -> Result<Cow<'p, Self>, Failure> {
        match asked {
            Some(program) => Ok(Cow::Borrowed(program)),
            None => Ok(Cow::Owned(Self::ask(kratos, version, dsn).await?)),
        }
    }
}
