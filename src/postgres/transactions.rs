//! Transactions that stand in the way of a migration: open for long, or prepared and left.
//!
//! Given a [`Connection`] and the tables that will be altered, it reads `pg_stat_activity`, `pg_prepared_xacts` and
//! `pg_locks`, and changes nothing. Locks are visible to everybody; how long a foreign session's transaction is
//! open is not.

use tokio_postgres::Row;

use super::connect::Connection;
use super::error::Result;

/// A session with an open transaction. Its SQL is left out: it may hold personal data.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenTransaction {
    pub pid: i32,
    pub application_name: String,
    pub user: String,
    /// It logged in as our role.
    pub own_role: bool,
    /// When the transaction began, RFC 3339 in UTC; `None` if our role may not see it.
    pub since: Option<String>,
    pub seconds: Option<f64>,
    /// Which of the tables it has locked.
    pub tables: Vec<String>,
}

/// A transaction that was prepared for a two-phase commit and is neither committed nor rolled back. It survives even
/// a restart of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedTransaction {
    /// Its name, quoted for a statement: `ROLLBACK PREPARED <quoted>`.
    pub quoted: String,
    pub owner: String,
    /// RFC 3339 in UTC.
    pub since: String,
    /// Which of the tables it has locked.
    pub tables: Vec<String>,
}

/// The tables as a common table expression: those named, or all of the search path if none is.
pub(super) const TABLES: &str = "tables AS (
    SELECT c.oid, c.relname::text AS name FROM pg_class c
    WHERE c.relkind IN ('r', 'p') AND (
        c.oid = ANY (SELECT to_regclass(quote_ident(name)) FROM unnest($1::text[]) AS name)
        OR cardinality($1::text[]) = 0 AND c.relnamespace = ANY (
            SELECT to_regnamespace(quote_ident(name)) FROM unnest(current_schemas(false)) AS name)))";

/// The sessions of this database whose transaction is open for `at_least` seconds or for a time that is hidden from
/// us while it has locked one of `tables` (by name; none: any table of the search path). Sessions whose name begins
/// with one of `spared` are left out. Those that have locked one come first, then the oldest.
pub async fn open(
    connection: &Connection,
    tables: &[String],
    at_least: f64,
    spared: &[&str],
) -> Result<Vec<OpenTransaction>> {
    sessions(connection, tables, at_least, spared, None).await
}

/// The sessions of this database that keep everybody else off a table of the search path, readers too, with these tables:
/// they hold it alone, or wait for that, and whoever comes later waits behind them.
pub async fn exclusive(connection: &Connection) -> Result<Vec<OpenTransaction>> {
    let mut found = sessions(connection, &[], 0.0, &[], Some("AccessExclusiveLock")).await?;
    found.retain(|session| !session.tables.is_empty());
    Ok(found)
}

/// `mode`: only locks of this mode count, and those that are waited for too.
async fn sessions(
    connection: &Connection,
    tables: &[String],
    at_least: f64,
    spared: &[&str],
    mode: Option<&str>,
) -> Result<Vec<OpenTransaction>> {
    let sql = format!(
        r#"WITH {TABLES}, sessions AS (
            SELECT a.pid, coalesce(a.application_name, '') AS application_name, a.usename::text AS usename,
                   a.usename = session_user AS own_role,
                   to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS since,
                   extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS seconds,
                   ARRAY(SELECT DISTINCT t.name FROM pg_locks l JOIN tables t ON t.oid = l.relation
                         WHERE l.pid = a.pid AND (l.granted AND $4::text IS NULL OR l.mode = $4)
                           AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                         ORDER BY 1) AS locked
            FROM pg_stat_activity a
            WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.usename IS NOT NULL
              AND NOT EXISTS (SELECT FROM unnest($3::text[]) AS spared WHERE starts_with(a.application_name, spared)))
        SELECT * FROM sessions WHERE seconds >= $2 OR since IS NULL AND locked <> '{{}}'
        ORDER BY locked = '{{}}', seconds DESC NULLS LAST, pid"#
    );
    let read = |row: &Row| {
        Ok(OpenTransaction {
            pid: connection.get(row, 0)?,
            application_name: connection.get(row, 1)?,
            user: connection.get(row, 2)?,
            own_role: connection.get(row, 3)?,
            since: connection.get(row, 4)?,
            seconds: connection.get(row, 5)?,
            tables: connection.get(row, 6)?,
        })
    };
    connection.query(&sql, &[&tables, &at_least, &spared, &mode]).await?.iter().map(read).collect()
}

/// The prepared transactions of this database, those that have locked one of `tables` first.
pub async fn prepared(connection: &Connection, tables: &[String]) -> Result<Vec<PreparedTransaction>> {
    // A prepared transaction has no session; its locks belong to whoever holds the one on its own number.
    let sql = format!(
        r#"WITH {TABLES}, transactions AS (
            SELECT quote_literal(p.gid) AS gid, p.owner::text AS owner,
                   to_char(p.prepared AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS since,
                   ARRAY(SELECT DISTINCT t.name
                         FROM pg_locks own JOIN pg_locks l USING (virtualtransaction) JOIN tables t ON t.oid = l.relation
                         WHERE own.transactionid = p.transaction AND own.pid IS NULL AND l.pid IS NULL
                         ORDER BY 1) AS locked
            FROM pg_prepared_xacts p WHERE p.database = current_database())
        SELECT * FROM transactions ORDER BY locked = '{{}}', since, gid"#
    );
    let read = |row: &Row| {
        Ok(PreparedTransaction {
            quoted: connection.get(row, 0)?,
            owner: connection.get(row, 1)?,
            since: connection.get(row, 2)?,
            tables: connection.get(row, 3)?,
        })
    };
    connection.query(&sql, &[&tables]).await?.iter().map(read).collect()
}
