//! The truth about a database, seen from a Kratos program: what is applied, pending and unknown, and whether a write
//! fence is up.

use std::time::Duration;

use tokio::time::timeout;

use super::failure::Failure;
use super::holder::name_holder;
use super::job::connect;
use super::leftovers::end_leftovers;
use super::lockers::name_lockers;
use super::program::ProgramMigrations;
use super::schema::{Known, Schema};
use super::sessions::OUR_SESSIONS;
use crate::kratos::WorkloadVersion;
use crate::kratos::program::command::Kratos;
use crate::postgres::{self, AdvisoryLock, Connection, Dsn, LockKey, catalog, fence, holder};

/// How long the server may take to say that it is still there.
const ANSWER: Duration = Duration::from_secs(5);

/// What is found out before anything is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// What the program answered, for whatever is done next.
    pub program: ProgramMigrations,
    pub schema: Schema,
    /// Who raised the fence that is up, if it is one of ours.
    pub fence: Option<String>,
}

/// Tells what is pending in a database for a Kratos program. Changes nothing.
pub async fn survey(kratos: &Kratos, version: &WorkloadVersion, dsn: &Dsn) -> Result<Survey, Failure> {
    let connection = connect(dsn, "kratos-operator").await?;
    let program = ProgramMigrations::ask(kratos, version, dsn).await?;
    let schema = match look(&connection, &program.known).await {
        Ok(schema) => schema,
        // Nothing was to be run here that could be refused.
        Err(failure) => return Err(bare(name_lockers(&connection, failure).await)),
    };
    let fence = fence::state(&connection).await?.and_then(|state| state.who);
    Ok(Survey { program, schema, fence })
}

/// Who raised the fence that is up, if it is one of ours: a question that needs no Kratos program.
pub async fn fence_holder(dsn: &Dsn) -> Result<Option<String>, Failure> {
    let connection = connect(dsn, "kratos-operator look").await?;
    Ok(fence::state(&connection).await?.and_then(|state| state.who))
}

/// A refusal in a mere look, which refuses nothing.
pub(super) fn bare(failure: Failure) -> Failure {
    match failure {
        Failure::Refused(text) => Failure::Program(text),
        failure => failure,
    }
}

/// How an attempt to lift a fence ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FenceLift {
    /// There is no fence of ours.
    NotUp,
    Lifted,
    /// Its run still goes on; who holds the lock.
    Held(String),
}

/// Lifts a fence that a killed run left, and ends what else is left of it, which must not go on without the fence.
pub async fn lift_leftover_fence(dsn: &Dsn, who: &str) -> Result<FenceLift, Failure> {
    let connection = connect(dsn, &format!("kratos-operator {who}")).await?;
    let Some(lock) = AdvisoryLock::try_acquire(&connection, LockKey::MIGRATION).await? else {
        return Ok(FenceLift::Held(name_holder(&connection).await));
    };
    end_leftovers(&connection).await?;
    let is_lifted = fence::lift(&connection, &OUR_SESSIONS).await?;
    lock.release().await?;
    Ok(if is_lifted { FenceLift::Lifted } else { FenceLift::NotUp })
}

/// Lifts the fence of a run whose lock `side` holds, and is its last step; tells whether there was one. An error means
/// that it is still up.
pub(super) async fn lift(side: &Connection, dsn: &Dsn, who: &str) -> Result<bool, Failure> {
    let error = match fence::lift(side, &OUR_SESSIONS).await {
        Ok(is_lifted) => return Ok(is_lifted),
        Err(error) => error,
    };
    // From here on only who takes the lock may lift: the session that holds it may die at any moment, if it is not dead.
    let _ = timeout(ANSWER, side.client().simple_query("SELECT pg_advisory_unlock_all()")).await;
    if lift_leftover_fence(dsn, who).await? == FenceLift::Lifted {
        return Ok(true);
    }
    let name = format!("kratos-operator {who}");
    let fresh = connect(dsn, &name).await?;
    let is_up = fence::state(&fresh).await?.is_some_and(|state| state.is_marked_ours());
    // Another run has taken the lock, and the fence is its own now. A session of ours that the server has not missed yet
    // lifts nothing.
    let holder = holder(&fresh, LockKey::MIGRATION).await?;
    let is_anothers = holder.is_some_and(|holder| !holder.is_named(&name));
    if is_up && !is_anothers { Err(error.into()) } else { Ok(false) }
}

/// What the database holds of the migrations that a program knows.
pub(super) async fn look(connection: &Connection, known: &Known) -> Result<Schema, Failure> {
    let rows = catalog::applied_versions(connection).await?;
    let is_unused = match &rows {
        // Tables without bookkeeping are somebody's.
        None => !catalog::has_tables(connection).await?,
        Some(_) => is_never_served(connection).await?,
    };
    Ok(Schema::compare(&rows.unwrap_or_default(), known, is_unused))
}

/// Kratos writes its one row of `networks` when it serves first; every other row hangs on that.
async fn is_never_served(connection: &Connection) -> Result<bool, postgres::Error> {
    let ask = async {
        let table = connection.client().query_one("SELECT to_regclass('networks') IS NULL", &[]).await?;
        if table.try_get(0)? {
            return Ok(true);
        }
        let row = connection.client().query_one("SELECT NOT EXISTS (SELECT FROM networks)", &[]).await?;
        row.try_get(0)
    };
    ask.await.map_err(|error: tokio_postgres::Error| connection.explain(&error))
}
