//! What a migration will do, known before it begins: which tables it locks, for how long at most, and with which timeout
//! to start it.
//!
//! Given a Kratos program and its database, [`plan`] lists the pending migrations with the tables they touch. The lock
//! modes are measured on a scratch database of the same server (see `replay`); where that is not possible they are told
//! from the SQL (see `classify`), and the plan says so. Production is only read: its catalog, and some pages of tables
//! that nobody has counted.

mod alter;
mod build;
mod classify;
mod cursor;
mod lock;
mod model;
mod render;
mod replay;
mod shadow;
mod work;

use std::collections::BTreeSet;
use std::iter::repeat;
use std::time::Duration;

pub use lock::LockMode;
pub use model::{Method, MigrationPlan, Mode, Obstacle, Step, Touched};
pub use work::Work;

use super::failure::Failure;
use super::job::CONNECT;
use super::lockers::name_lockers;
use super::program::ProgramMigrations;
use super::repair::diagnose;
use super::schema::{Known, MigrationVersion, Schema};
use crate::kratos::WorkloadVersion;
use crate::kratos::program::command::{Kratos, ListedMigration};
use crate::postgres::{Connection, Dsn, Error, catalog, tables};
use build::{Listed, Pace};
use replay::{Subject, replay};

/// Sizes are asked under a weak lock, and a migration that runs just now could hold us up. A fence makes the role
/// read-only in its database; a scratch database is no write to that.
const SETTINGS: [(&str, &str); 2] = [("lock_timeout", "3s"), ("default_transaction_read_only", "off")];

/// Nulls are searched in whole tables.
const SEARCH: Duration = Duration::from_secs(10);
/// Makes the plan. Nothing is changed but for a scratch database, which is gone again when this returns.
///
/// Fails as a run would that cannot begin: unreachable database, no answer of the program, a database that was migrated
/// by a newer Kratos; and with a program so old that what is pending cannot be told (before v25, but for v1.3.1).
///
/// `asked` is the earlier listing of the program, if there is one.
pub async fn plan(
    kratos: &Kratos,
    version: &WorkloadVersion,
    dsn: &Dsn,
    asked: Option<&ProgramMigrations>,
) -> Result<MigrationPlan, Failure> {
    make(kratos, version, dsn, asked, true).await
}

/// The same for a run, whose preflight looks for obstacles itself.
pub(super) async fn plan_of_run(
    kratos: &Kratos,
    version: &WorkloadVersion,
    dsn: &Dsn,
    program: &ProgramMigrations,
) -> Result<MigrationPlan, Failure> {
    make(kratos, version, dsn, Some(program), false).await
}

async fn make(
    kratos: &Kratos,
    version: &WorkloadVersion,
    dsn: &Dsn,
    asked: Option<&ProgramMigrations>,
    with_obstacle: bool,
) -> Result<MigrationPlan, Failure> {
    let with_settings =
        SETTINGS.into_iter().fold(dsn.clone(), |dsn, (key, value)| dsn.with_setting(key, value));
    let connection = Connection::open(&with_settings, "kratos-operator plan", CONNECT).await?;
    let made = make_on(&connection, kratos, version, dsn, asked, with_obstacle).await;
    let made = match made {
        Err(failure) => Err(name_lockers(&connection, failure).await),
        made => made,
    };
    connection.close().await;
    made
}

async fn make_on(
    connection: &Connection,
    kratos: &Kratos,
    version: &WorkloadVersion,
    dsn: &Dsn,
    asked: Option<&ProgramMigrations>,
    with_obstacle: bool,
) -> Result<MigrationPlan, Failure> {
    let program = ProgramMigrations::asked_or_ask(asked, kratos, version, dsn).await?;
    let listed = listed(&program, version)?;
    let rows = catalog::applied_versions(connection).await?.unwrap_or_default();
    let schema = Schema::compare(&rows, &program.known, false);
    if schema.is_newer() {
        return Err(Failure::Newer { unknown: schema.unknown.len(), version: version.to_string() });
    }
    let pending: BTreeSet<MigrationVersion> =
        schema.pending.into_iter().flatten().map(|migration| migration.version).collect();
    let tables = tables::tables(connection).await?;
    let keys = tables::foreign_keys(connection).await?;
    let (replayed, method) = if !version.has_migration_status() {
        (None, Method::Classified { why: format!("Kratos {version} does not show its migrations") })
    } else if pending.is_empty() {
        (None, Method::Measured)
    } else {
        let known: Vec<_> = listed.iter().map(|listed| listed.migration.version.clone()).collect();
        let subject = Subject { kratos, version, dsn, known: &known, pending: &pending };
        match replay(&subject, connection).await {
            Ok(replay) => (Some(replay), Method::Measured),
            Err(why) => (None, Method::Classified { why }),
        }
    };
    let obstacle = match with_obstacle && !pending.is_empty() {
        true => obstacle(connection, &program.listed).await?,
        false => None,
    };
    let pace = Pace::new(replayed.as_ref(), program.took, pending.len());
    let pending: Vec<_> =
        listed.into_iter().filter(|listed| pending.contains(&listed.migration.version)).collect();
    let plan = build::plan(version, method, &pending, replayed.as_ref(), &tables, &keys, pace);
    Ok(MigrationPlan { obstacle, ..plan })
}

/// What every run would fail at. A program that does not show its SQL gives nothing to tell that from, and a table that is
/// too big to be searched in time is left to the preflight, which says so.
async fn obstacle(connection: &Connection, listed: &[ListedMigration]) -> Result<Option<Obstacle>, Failure> {
    if listed.is_empty() {
        return Ok(None);
    }
    connection.limit_statements(SEARCH).await?;
    match diagnose(connection, listed).await {
        Ok(diagnosis) => Ok(Obstacle::from_diagnosis(&diagnosis)),
        Err(Error::Canceled { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The migrations that the program knows, with their SQL if it tells.
fn listed(program: &ProgramMigrations, version: &WorkloadVersion) -> Result<Vec<Listed>, Failure> {
    let Known::Listed(migrations) = &program.known else {
        return Err(Failure::Program(format!(
            "Kratos {version} cannot tell which of its migrations are pending, so there is no plan"
        )));
    };
    let contents = program.listed.iter().map(|listed| Some(listed.content.clone()));
    let listed = migrations.iter().cloned().zip(contents.chain(repeat(None)));
    Ok(listed.map(|(migration, content)| Listed { migration, content }).collect())
}
