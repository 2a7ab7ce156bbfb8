//! Doing what a diagnosis says, once, and looking again.

use super::diagnose::{Diagnosis, diagnose};
use crate::kratos::program::command::ListedMigration;
use crate::postgres::{self, Connection, LockKey, fence, holder};

/// Nobody books or un-books meanwhile, whoever it may be; and nobody is waited for long.
const BEGIN: &str = "BEGIN READ WRITE; SET LOCAL lock_timeout = '5s'; \
                     LOCK TABLE schema_migration IN SHARE ROW EXCLUSIVE MODE";

/// Why nothing was repaired. Nothing was changed, unless the connection was lost at the very end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RepairError {
    #[error(transparent)]
    Database(#[from] postgres::Error),
    #[error("a repair needs the migration lock, which this session does not hold")]
    NotLocked,
    #[error("a repair needs the fence, which is not up: an old server could write again at once")]
    NotFenced,
    #[error("{0}")]
    Refused(Diagnosis),
    #[error("the database changed since it was looked at; now: {0}")]
    Changed(Diagnosis),
}

impl RepairError {
    /// A stable label.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Database(error) => error.kind(),
            Self::NotLocked => "not-locked",
            Self::NotFenced => "not-fenced",
            Self::Refused(_) => "refused",
            Self::Changed(_) => "changed",
        }
    }
}

/// A repair that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// The SQL that was run.
    pub sql: String,
    /// What is found now; the same wedge can be there once more, for another migration.
    pub now: Diagnosis,
}

/// Makes the repair of `diagnosis`, which must be what is found now. `connection` holds the migration lock and can
/// write under the fence, which is up.
///
/// The rows are named by version and changed in one transaction that also checks them. Kratos' own `down --steps 2`
/// would do the same for wedge A, but it counts from the newest row that the program happens to know: with an older
/// program, or one row more than was looked at, it reverts something else.
pub async fn apply(
    connection: &Connection,
    listed: &[ListedMigration],
    diagnosis: &Diagnosis,
) -> Result<Repaired, RepairError> {
    let Some(sql) = diagnosis.sql() else { return Err(RepairError::Refused(diagnosis.clone())) };
    if !is_locked_by(connection).await? {
        return Err(RepairError::NotLocked);
    }
    let is_up = |fence: fence::FenceState| fence.is_marked_ours() && fence.phase == fence::Phase::Up;
    if !fence::state(connection).await?.is_some_and(is_up) {
        return Err(RepairError::NotFenced);
    }
    let found = diagnose(connection, listed).await?;
    if found != *diagnosis {
        return Err(RepairError::Changed(found));
    }
    let client = connection.client();
    let changed = match client.batch_execute(BEGIN).await {
        Ok(()) => change(connection, diagnosis, &sql).await,
        Err(error) => Err(connection.explain(&error)),
    };
    let end = if matches!(changed, Ok(true)) { "COMMIT" } else { "ROLLBACK" };
    client.batch_execute(end).await.map_err(|error| connection.explain(&error))?;
    let is_done = changed?;
    let now = diagnose(connection, listed).await?;
    if is_done { Ok(Repaired { sql, now }) } else { Err(RepairError::Changed(now)) }
}

/// Runs the statement; tells whether it changed exactly the rows that it names, and for wedge A whether these were
/// the newest.
async fn change(connection: &Connection, diagnosis: &Diagnosis, sql: &str) -> Result<bool, postgres::Error> {
    let explain = |error| connection.explain(&error);
    let rows = connection.client().execute(sql, &[]).await.map_err(explain)?;
    let (expected, newest) = match diagnosis {
        Diagnosis::WedgeA { backfills, .. } => (backfills.len() as u64, backfills.first()),
        _ => (1, None),
    };
    let question = "SELECT EXISTS (SELECT FROM schema_migration WHERE version > $1)";
    let row = connection.client().query_one(question, &[&newest]).await.map_err(explain)?;
    let has_newer: bool = row.try_get(0).map_err(explain)?;
    Ok(rows == expected && !has_newer)
}

async fn is_locked_by(connection: &Connection) -> Result<bool, postgres::Error> {
    let Some(holder) = holder(connection, LockKey::MIGRATION).await? else { return Ok(false) };
    let row = connection.client().query_one("SELECT pg_backend_pid()", &[]).await;
    let pid: i32 = row.and_then(|row| row.try_get(0)).map_err(|error| connection.explain(&error))?;
    Ok(holder.pid == pid)
}
