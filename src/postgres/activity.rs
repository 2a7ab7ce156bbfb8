//! The sessions of one application in this database: watching them, seeing what blocks them, and ending them.
//!
//! Given a [`Connection`] and the `application_name` that a migration's DSN carries, it finds the backends by that
//! name. A killed client's backend works on and may commit what nobody will book; so a migration is stopped here, on
//! the server, before its process is. All functions leave out the asking session itself.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_postgres::Row;

use super::connect::Connection;
use super::error::Result;

/// How often [`wait_gone`] looks.
const POLL: Duration = Duration::from_millis(50);

/// `pg_stat_activity` as the role that logged in may see it, which may also end what it sees. A login hook or a setting
/// may have changed the current role to one that is told next to nothing of our own sessions, and may not end them. The
/// change back lasts as long as the statement, and the sessions are read after it because their number depends on it.
pub(super) const SESSIONS: &str = "(
    SELECT s.*, d.datname, r.rolname AS usename
    FROM (SELECT set_config('role', 'none', true) AS role) login
    CROSS JOIN LATERAL pg_stat_get_activity(CASE WHEN login.role IS NULL THEN 0 END) s
    LEFT JOIN pg_database d ON d.oid = s.datid LEFT JOIN pg_roles r ON r.oid = s.usesysid)";

/// The rows of [`SESSIONS`] that belong to an application; the server cuts names at 63 bytes.
const OURS: &str =
    "datname = current_database() AND application_name = left($1, 63) AND pid <> pg_backend_pid()";

/// A session of the application.
#[derive(Clone, Debug, PartialEq)]
pub struct Backend {
    pub pid: i32,
    /// `active`, `idle`, `idle in transaction`, …; `None` if our role may not see it.
    pub state: Option<String>,
    /// How long ago its current (or last) statement began.
    pub query_seconds: Option<f64>,
    /// What it waits for, as `type/event`, e.g. `Lock/relation`.
    pub wait_event: Option<String>,
    /// The sessions that it waits for.
    pub blocked_by: Vec<i32>,
}

/// A session that makes one of the application's wait. Its SQL is left out: it may hold personal data.
#[derive(Clone, Debug, PartialEq)]
pub struct Blocker {
    pub pid: i32,
    pub application_name: String,
    pub user: Option<String>,
    pub client_addr: Option<String>,
    pub state: Option<String>,
    /// How long its transaction has been open.
    pub transaction_seconds: Option<f64>,
    /// The sessions of the application that wait for it.
    pub blocks: Vec<i32>,
}

/// The sessions of `application_name`, by pid.
pub async fn backends(connection: &Connection, application_name: &str) -> Result<Vec<Backend>> {
    let sql = format!(
        "SELECT pid, state, extract(epoch FROM clock_timestamp() - query_start)::float8,
                wait_event_type || '/' || wait_event, ARRAY(SELECT DISTINCT unnest(pg_blocking_pids(pid)) ORDER BY 1)
         FROM {SESSIONS} a WHERE {OURS} ORDER BY pid"
    );
    let read = |row: &Row| {
        Ok(Backend {
            pid: connection.get(row, 0)?,
            state: connection.get(row, 1)?,
            query_seconds: connection.get(row, 2)?,
            wait_event: connection.get(row, 3)?,
            blocked_by: connection.get(row, 4)?,
        })
    };
    connection.query(&sql, &[&application_name]).await?.iter().map(read).collect()
}

/// The sessions that sessions of `application_name` wait for directly, those of the application itself included.
pub async fn blockers(connection: &Connection, application_name: &str) -> Result<Vec<Blocker>> {
    let sql = format!(
        "WITH waits AS (SELECT DISTINCT pid AS blocked, unnest(pg_blocking_pids(pid)) AS blocker
                        FROM {SESSIONS} a WHERE {OURS})
         SELECT a.pid, coalesce(a.application_name, ''), a.usename::text, host(a.client_addr), a.state,
                extract(epoch FROM clock_timestamp() - a.xact_start)::float8, array_agg(w.blocked ORDER BY w.blocked)
         FROM waits w JOIN {SESSIONS} a ON a.pid = w.blocker
         GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1"
    );
    let read = |row: &Row| {
        Ok(Blocker {
            pid: connection.get(row, 0)?,
            application_name: connection.get(row, 1)?,
            user: connection.get(row, 2)?,
            client_addr: connection.get(row, 3)?,
            state: connection.get(row, 4)?,
            transaction_seconds: connection.get(row, 5)?,
            blocks: connection.get(row, 6)?,
        })
    };
    connection.query(&sql, &[&application_name]).await?.iter().map(read).collect()
}

/// What [`cancel_unless_booking`] did, by pid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cancellation {
    pub canceled: Vec<i32>,
    /// Sessions that were writing the row of a migration that is done: left alone, they need no longer than that.
    pub spared: Vec<i32>,
}

/// Cancels the current statement of the sessions of `application_name`, except a session that books a migration or
/// has nothing to cancel.
///
/// A migration outside a transaction is committed before it is booked: canceling in between leaves it done and not
/// booked, for ever. The server reads what a session does and signals it in one pass, so that less time lies
/// between the two than a client needs to send its next statement; a signal that comes between two statements has
/// no effect. What remains is that a session which is about to end its statement gets the signal some microseconds
/// late: so look for an unbooked migration once the process has ended.
pub async fn cancel_unless_booking(connection: &Connection, application_name: &str) -> Result<Cancellation> {
    let sql = format!(
        r"SELECT pid, booking FROM (
            SELECT pid, booking, NOT booking AND pg_cancel_backend(pid) AS canceled FROM (
                SELECT pid, query ~* '^\s*(insert\s+into|delete\s+from)\s+\S*schema_migration\M' AS booking
                FROM {SESSIONS} a WHERE {OURS} AND state IN ('active', 'fastpath function call')) looked
            ) signalled
        WHERE booking OR canceled ORDER BY pid"
    );
    let mut done = Cancellation::default();
    for row in connection.query(&sql, &[&application_name]).await? {
        let list = if connection.get(&row, 1)? { &mut done.spared } else { &mut done.canceled };
        list.push(connection.get(&row, 0)?);
    }
    Ok(done)
}

/// Ends every session of `application_name`. Returns their pids; [`wait_gone`] tells when they are gone.
pub async fn terminate(connection: &Connection, application_name: &str) -> Result<Vec<i32>> {
    // A session that ended in between answers false, with a warning; it is none of those that were signalled.
    let sql = format!(
        "SELECT pid FROM (SELECT pid, pg_terminate_backend(pid) AS sent FROM {SESSIONS} a WHERE {OURS}) s WHERE sent"
    );
    connection.query(&sql, &[&application_name]).await?.iter().map(|row| connection.get(row, 0)).collect()
}

/// Waits until no session of `application_name` is left, at most until `deadline`. Returns those that are.
pub async fn wait_gone(
    connection: &Connection,
    application_name: &str,
    deadline: Instant,
) -> Result<Vec<Backend>> {
    loop {
        let left = backends(connection, application_name).await?;
        let now = Instant::now();
        if left.is_empty() || now >= deadline {
            return Ok(left);
        }
        sleep_until(deadline.min(now + POLL)).await;
    }
}
