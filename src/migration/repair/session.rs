//! A diagnosis and a repair from their connection to its end, for the action and the command line.
//!
//! Given a Kratos program and its database, [`diagnose_now`] looks and changes nothing. [`repair_now`] takes the
//! migration lock, ends what an earlier run left, raises the fence, repairs, looks again, and lifts the fence
//! whatever happened. `asked` is the earlier listing of the program, if there is one.

use std::borrow::Cow;
use std::time::Duration;

use super::apply::{RepairError, Repaired, apply};
use super::diagnose::{Diagnosis, diagnose};
use crate::kratos::WorkloadVersion;
use crate::kratos::program::command::Kratos;
use crate::migration::failure::Failure;
use crate::migration::holder::name_holder;
use crate::migration::job::connect;
use crate::migration::leftovers::end_leftovers;
use crate::migration::lockers::name_lockers;
use crate::migration::preflight::refuse_pooler;
use crate::migration::program::{ProgramMigrations, words};
use crate::migration::sessions::OUR_SESSIONS;
use crate::migration::survey::{bare, lift, look};
use crate::postgres::{self, AdvisoryLock, Connection, Dsn, LockKey, catalog, fence, holder};

/// Nulls are searched in whole tables, which takes longer than the questions of a run.
const SEARCH: Duration = Duration::from_secs(60);

/// Tells what is wrong with a database, and what the program lists, for whatever is done next. Changes nothing. Fails if the program does not show its migrations (before
/// v25) and on a database that was migrated by a newer Kratos.
pub async fn diagnose_now<'p>(
    kratos: &Kratos,
    version: &WorkloadVersion,
    dsn: &Dsn,
    asked: Option<&'p ProgramMigrations>,
) -> Result<(Diagnosis, Cow<'p, ProgramMigrations>), Failure> {
    let (connection, program) = open(kratos, version, dsn, asked, "kratos-operator repair").await?;
    let diagnosis = diagnose(&connection, &program.listed).await?;
    connection.close().await;
    Ok((diagnosis, program))
}

/// A write fence of ours that is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundFence {
    /// Who raised it.
    pub who: String,
    /// Who holds the migration lock: a run that still goes on behind it; `None`: it was left.
    pub holder: Option<String>,
}

impl std::fmt::Display for FoundFence {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.holder {
            None => write!(formatter, "a write fence is up, left by {}", self.who),
            Some(holder) => write!(formatter, "a write fence is up, and its run goes on: {holder}"),
        }
    }
}

/// The write fence that is up, if it is one of ours.
pub async fn find_fence(dsn: &Dsn) -> Result<Option<FoundFence>, Failure> {
    let connection = connect(dsn, "kratos-operator repair").await?;
    let fence = fence::state(&connection).await?.filter(fence::FenceState::is_marked_ours);
    let is_held = holder(&connection, LockKey::MIGRATION).await?.is_some();
    let holder = if is_held { Some(name_holder(&connection).await) } else { None };
    connection.close().await;
    Ok(fence.and_then(|fence| fence.who).map(|who| FoundFence { who, holder }))
}

/// Repairs what is found now, as `who` (unit and task), under the migration lock and the fence. A database in which
/// no repair is known, or nothing to repair, is refused; nothing was changed then.
pub async fn repair_now(
    kratos: &Kratos,
    version: &WorkloadVersion,
    dsn: &Dsn,
    asked: Option<&ProgramMigrations>,
    who: &str,
) -> Result<Repaired, Failure> {
    let name = format!("kratos-operator {who}");
    let (side, program) = open(kratos, version, dsn, asked, &name).await?;
    if !catalog::is_writable_primary(&side).await? {
        return Err(postgres::Error::ReadOnly { host: side.host().to_owned() }.into());
    }
    refuse_pooler(&side, dsn).await?;
    let Some(lock) = AdvisoryLock::try_acquire(&side, LockKey::MIGRATION).await? else {
        return Err(Failure::Locked { holder: name_holder(&side).await });
    };
    let repaired = repair_locked(&side, &program, who).await;
    // Nothing was raised where nothing was found; a fence that an earlier run left goes too.
    let repaired = match (repaired, lift(&side, dsn, who).await) {
        (repaired, Ok(_)) => repaired,
        (Ok(_), Err(failure)) => {
            Err(Failure::Fence(format!("it was repaired, but the write fence is still up: {failure}")))
        }
        (Err(failure), Err(error)) => {
            tracing::error!("the write fence is still up: {error}");
            Err(failure)
        }
    };
    // The lock ends with its session in any case.
    if let Err(error) = lock.release().await {
        tracing::warn!("{error}");
    }
    side.close().await;
    repaired
}

async fn repair_locked(
    side: &Connection,
    program: &ProgramMigrations,
    who: &str,
) -> Result<Repaired, Failure> {
    end_leftovers(side).await?;
    let diagnosis = diagnose(side, &program.listed).await?;
    if diagnosis.sql().is_none() {
        return Err(Failure::Refused(diagnosis.to_string()));
    }
    fence::raise(side, who, &OUR_SESSIONS, &words(&program.listed))
        .await
        .map_err(|error| Failure::Fence(error.to_string()))?;
    apply(side, &program.listed, &diagnosis).await.map_err(|error| match error {
        RepairError::Database(error) => Failure::Database(error),
        RepairError::NotFenced => Failure::Fence(error.to_string()),
        RepairError::NotLocked | RepairError::Refused(_) | RepairError::Changed(_) => {
            Failure::Refused(error.to_string())
        }
    })
}

async fn open<'p>(
    kratos: &Kratos,
    version: &WorkloadVersion,
    dsn: &Dsn,
    asked: Option<&'p ProgramMigrations>,
    name: &str,
) -> Result<(Connection, Cow<'p, ProgramMigrations>), Failure> {
    if !version.has_migration_status() {
        let text = format!("Kratos {version} does not show its migrations, so nothing can be told of them");
        return Err(Failure::Program(text));
    }
    // An unreachable database is told in seconds by us, and in minutes by Kratos.
    let connection = connect(dsn, name).await?;
    connection.limit_statements(SEARCH).await?;
    let program = ProgramMigrations::asked_or_ask(asked, kratos, version, dsn).await?;
    let schema = match look(&connection, &program.known).await {
        Ok(schema) => schema,
        Err(failure) => return Err(bare(name_lockers(&connection, failure).await)),
    };
    if schema.is_newer() {
        return Err(Failure::Newer { unknown: schema.unknown.len(), version: version.to_string() });
    }
    Ok((connection, program))
}
