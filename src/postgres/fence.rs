//! The write fence: while a migration runs, no other session of our role writes in this database.
//!
//! Given a [`Connection`], [`raise`] puts it up and [`lift`] takes it down. An old Kratos goes on answering reads meanwhile,
//! and its writes fail cleanly instead of leaving rows that the migration can never get past. An ordinary role may do
//! all of this. There are two ways, because a session keeps the defaults that it began with:
//!
//! - [`triggers`] refuse what others write, whatever their role: no session is ended, and a reader does not notice.
//! - Where triggers cannot be had, read-only transactions are made the default of the login role in this database. Sessions
//!   that began before are ended, and those that began under it are when it is lifted. Other roles are not held back.
//!
//! A session of ours that must write has one of the spared names, and opens with the parameter
//! `default_transaction_read_only=off`.
//!
//! The read-only default is told from one that an administrator made by a mark beside it: the role's default
//! `application_name` in this database. Only a superuser may store a setting with a name of our own, and that one
//! is free text, read by nobody for anything else, and shows in `pg_stat_activity` which sessions are fenced, by
//! whom and since when. What an administrator had set there is kept in the mark and put back.
//!
//! Each step is one transaction or can be done again: `raise` marks, ends sessions, and dates the mark; `lift`
//! opens, ends sessions, and removes the mark. After a crash at any point [`state`] tells which step it was, and
//! `lift` or `raise` go on from there.

mod mark;
mod phase;
mod triggers;

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_postgres::Row;

pub use phase::{FenceState, Phase};

use mark::{Mark, now};

use super::activity::SESSIONS;
use super::connect::Connection;
use super::error::Result;
use super::transactions::TABLES;

/// How long a session must have been idle to end unnoticed, in seconds: the pool of Kratos (`database/sql` on pgx) checks a
/// connection that was handed out more than a second ago before it hands it out again.
const UNNOTICED: f64 = 1.05;
/// How long sessions are waited for that are not idle for so long.
const PATIENCE: Duration = Duration::from_secs(4);
/// How long ending sessions may take after that, and how often it is looked at.
const ENDING: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);
/// A session that began to log in before the setting was there shows a moment later.
const QUIET_LOOKS: u32 = 2;

/// From when on a transaction counts as long, in seconds.
pub const LONG: f64 = 30.0;
/// Those of [`SESSIONS`] that belong to our role and not to us; `$1` are the spared names.
const OTHERS: &str = "datname = current_database() AND usename = session_user AND pid <> pg_backend_pid()
    AND backend_type = 'client backend'
    AND NOT EXISTS (SELECT FROM unnest($1::text[]) AS spared WHERE starts_with(application_name, spared))";

/// Why the fence could not be raised.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FenceError {
    #[error(transparent)]
    Database(#[from] super::error::Error),
    #[error(
        "an administrator made the role {role} read-only in the database {database}: \
         ALTER ROLE {role} IN DATABASE {database} RESET default_transaction_read_only"
    )]
    Foreign { role: String, database: String },
}

impl FenceError {
    /// A stable label.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Database(error) => error.kind(),
            Self::Foreign { .. } => "read-only-by-administrator",
        }
    }
}

/// A session that may write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer {
    pub pid: i32,
    pub application_name: String,
    pub user: String,
    /// It logged in as our role: the fence covers it.
    pub own_role: bool,
    pub superuser: bool,
    /// When it began, RFC 3339 in UTC; `None` if our role may not see it.
    pub since: Option<String>,
}

/// What is stored for our role in this database.
struct RoleSettings {
    read_only: bool,
    mark: Option<Mark>,
    application_name: Option<String>,
}

/// Raises the fence in the name of `who` (unit and task), or takes over one that a killed run left.
///
/// `tables` are those of Kratos, by name; none: not known, so all that our role owns. Sessions whose `application_name` begins
/// with one of `spared` stay: they are ours. Does the same again without
/// harm. A read-only default that an administrator made is refused. Whether a writer is left is told by [`writers`].
pub async fn raise(
    connection: &Connection,
    who: &str,
    spared: &[&str],
    tables: &[String],
) -> std::result::Result<FenceState, FenceError> {
    let stored = stored(connection).await?;
    if stored.read_only && stored.mark.is_none() {
        let row =
            connection.query_one("SELECT quote_ident(session_user), quote_ident(current_database())", &[]);
        let row = row.await?;
        return Err(FenceError::Foreign {
            role: connection.get(&row, 0)?,
            database: connection.get(&row, 1)?,
        });
    }
    if stored.mark.is_none()
        && let Some(state) = triggers::raise(connection, who, spared, tables).await?
    {
        end_long_transactions(connection, spared).await?;
        return Ok(state);
    }
    let (since, was) = match stored.mark {
        // All that began after the older fence are fenced: nobody needs to be ended twice.
        Some(mark) if stored.read_only => (mark.since, mark.was),
        Some(mark) => (None, mark.was),
        None => (None, stored.application_name),
    };
    let mut mark = Mark::new(who, since, was);
    set(connection, true, &mark).await?;
    let before = match &mark.since {
        Some(since) => since.clone(),
        None => now(connection).await?,
    };
    end_sessions(connection, &before, spared).await?;
    if mark.since.is_none() {
        mark.since = Some(before);
        set(connection, true, &mark).await?;
    }
    Ok(FenceState { phase: Phase::Up, who: Some(mark.who), since: mark.since })
}

/// Lifts our fence, whatever step it was left in. Sessions that began under a read-only default end, so that their
/// programs open new ones that can write. Tells whether there was one; a setting without our mark is left alone.
pub async fn lift(connection: &Connection, spared: &[&str]) -> Result<bool> {
    let of_triggers = triggers::lift(connection).await;
    let stored = stored(connection).await?;
    let Some(mark) = stored.mark else { return of_triggers };
    set(connection, false, &mark).await?;
    let before = now(connection).await?;
    end_sessions(connection, &before, spared).await?;
    store(connection, false, mark.was.as_deref()).await?;
    of_triggers.map(|_| true)
}

/// Our fence, or a read-only default of our role in this database that an administrator made; `None`: there is
/// neither. Works from a fenced session too.
pub async fn state(connection: &Connection) -> Result<Option<FenceState>> {
    let stored = stored(connection).await?;
    let of_triggers = triggers::state(connection).await?;
    Ok(match (stored.read_only, stored.mark) {
        (true, Some(Mark { who, since, .. })) => {
            let phase = if since.is_some() { Phase::Up } else { Phase::Raising };
            Some(FenceState { phase, who: Some(who), since })
        }
        (false, Some(Mark { who, since, .. })) => {
            Some(FenceState { phase: Phase::Lifting, who: Some(who), since })
        }
        (false, None) if of_triggers.is_some() => of_triggers,
        (true, None) => Some(FenceState { phase: Phase::Up, who: None, since: None }),
        (false, None) => None,
    })
}

/// The sessions in this database that may write: neither read-only by default, nor spared, nor of a role that has
/// no right to change one of `tables`, be it by a role that it may become (by name; none: any table of the search path). Those of our own role come first.
pub async fn writers(connection: &Connection, tables: &[String], spared: &[&str]) -> Result<Vec<Writer>> {
    let stored = stored(connection).await?;
    let since = stored.mark.filter(|_| stored.read_only).and_then(|mark| mark.since);
    let refusing = triggers::function(connection).await?.filter(triggers::Function::is_armed);
    let refusing = refusing.map(|function| function.oid);
    // Of other roles' sessions an ordinary role sees the name, but not the type: background workers have no user.
    let sql = format!(
        r#"WITH {TABLES}
        SELECT a.pid, coalesce(a.application_name, ''), r.rolname::text, r.rolname = session_user, r.rolsuper,
               to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
        FROM {SESSIONS} a JOIN pg_roles r ON r.oid = a.usesysid
        WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
          AND coalesce(a.backend_type, 'client backend') = 'client backend'
          AND NOT EXISTS (SELECT FROM unnest($2::text[]) AS spared WHERE starts_with(a.application_name, spared))
          AND NOT (r.rolname = session_user AND a.backend_start > $3::text::timestamptz IS TRUE)
          AND (r.rolname = session_user OR NOT EXISTS (
                SELECT FROM pg_db_role_setting s, unnest(s.setconfig) AS item
                WHERE s.setrole = r.oid
                  AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
                  AND starts_with(item, 'default_transaction_read_only=') AND split_part(item, '=', 2)::bool))
          AND EXISTS (
                SELECT FROM tables WHERE EXISTS (
                        SELECT FROM pg_roles m WHERE pg_has_role(r.oid, m.oid, 'MEMBER')
                          AND has_table_privilege(m.oid, tables.oid, 'INSERT, UPDATE, DELETE'))
                  AND NOT EXISTS (SELECT FROM pg_trigger t
                                  WHERE t.tgrelid = tables.oid AND t.tgfoid = $4 AND t.tgenabled IN ('O', 'A'))
                  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                                    AND d.objid = tables.oid AND d.deptype = 'e'))
        ORDER BY 4 DESC, 1"#
    );
    let read = |row: &Row| {
        Ok(Writer {
            pid: connection.get(row, 0)?,
            application_name: connection.get(row, 1)?,
            user: connection.get(row, 2)?,
            own_role: connection.get(row, 3)?,
            superuser: connection.get(row, 4)?,
            since: connection.get(row, 5)?,
        })
    };
    connection.query(&sql, &[&tables, &spared, &since, &refusing]).await?.iter().map(read).collect()
}

/// Whether the fence, if it is up, is the read-only default of the role.
pub async fn is_read_only_default(connection: &Connection) -> Result<bool> {
    Ok(stored(connection).await?.read_only)
}

async fn stored(connection: &Connection) -> Result<RoleSettings> {
    let sql = "SELECT split_part(item, '=', 1), substr(item, strpos(item, '=') + 1)
        FROM pg_db_role_setting s, unnest(s.setconfig) AS item
        WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND s.setrole = (SELECT oid FROM pg_roles WHERE rolname = session_user)";
    let mut stored = RoleSettings { read_only: false, mark: None, application_name: None };
    for row in connection.query(sql, &[]).await? {
        let value: String = connection.get(&row, 1)?;
        match connection.get(&row, 0)? {
            "default_transaction_read_only" => {
                let row = connection.query_one("SELECT $1::text::bool", &[&value]).await?;
                stored.read_only = connection.get(&row, 0)?;
            }
            "application_name" => {
                stored.mark = Mark::parse(&value);
                stored.application_name = Some(value);
            }
            _ => {}
        }
    }
    Ok(stored)
}

async fn set(connection: &Connection, read_only: bool, mark: &Mark) -> Result<()> {
    store(connection, read_only, Some(&mark.text())).await
}

/// Stores both settings at once; `None` removes the name.
async fn store(connection: &Connection, read_only: bool, application_name: Option<&str>) -> Result<()> {
    // A login hook may have changed the current role; settings hang on the one that logged in.
    let sql = "SELECT format('ALTER ROLE SESSION_USER IN DATABASE %I ', current_database()),
                      CASE WHEN $1::text IS NULL THEN 'RESET application_name'
                           ELSE format('SET application_name = %L', $1::text) END";
    let row = connection.query_one(sql, &[&application_name]).await?;
    let (alter, name): (String, String) = (connection.get(&row, 0)?, connection.get(&row, 1)?);
    let fence = match read_only {
        true => "SET default_transaction_read_only = on",
        false => "RESET default_transaction_read_only",
    };
    // READ WRITE: the session itself may be fenced.
    let sql = format!("BEGIN READ WRITE; SET LOCAL ROLE NONE; {alter}{fence}; {alter}{name}; COMMIT");
    let done = connection.client().batch_execute(&sql).await;
    if let Err(error) = done {
        // Nothing of it was stored; only the session has to leave the failed transaction.
        let _ = connection.client().batch_execute("ROLLBACK").await;
        return Err(connection.explain(&error));
    }
    Ok(())
}

/// Ends the sessions of our role whose transaction is open for long: a migration would have to wait for what it has locked.
async fn end_long_transactions(connection: &Connection, spared: &[&str]) -> Result<()> {
    let sql = format!(
        "SELECT pg_terminate_backend(pid) FROM {SESSIONS} a
         WHERE {OTHERS} AND clock_timestamp() - xact_start > $2::float8 * interval '1 s'"
    );
    let begun = Instant::now();
    while !connection.query(&sql, &[&spared, &LONG]).await?.is_empty() && begun.elapsed() < ENDING {
        sleep(POLL).await;
    }
    Ok(())
}

/// Ends the sessions of our role that began before a time, and waits until they are gone, for some seconds at most.
///
/// Nobody else can make a session read-only, and the program at its other end notices the end of one only when it uses
/// it: a pool of Kratos looks before it hands out a connection that was not handed out for a second, and takes another
/// one then. So a session ends once it has been idle for that long, which costs nobody anything; only one that is used
/// all the time is ended in use, after [`PATIENCE`], and costs the one request that meets it.
async fn end_sessions(connection: &Connection, before: &str, spared: &[&str]) -> Result<()> {
    let sql = format!(
        "SELECT CASE WHEN $3 OR state = 'idle' AND clock_timestamp() - state_change > $4::float8 * interval '1 s'
                           THEN pg_terminate_backend(pid) END
        FROM {SESSIONS} a WHERE {OTHERS} AND backend_start <= $2::text::timestamptz"
    );
    let begun = Instant::now();
    let mut quiet = 0;
    loop {
        let is_impatient = begun.elapsed() >= PATIENCE;
        let left = connection.query(&sql, &[&spared, &before, &is_impatient, &UNNOTICED]).await?;
        quiet = if left.is_empty() { quiet + 1 } else { 0 };
        if quiet >= QUIET_LOOKS || begun.elapsed() >= PATIENCE + ENDING {
            return Ok(());
        }
        sleep(POLL).await;
    }
}
