//! The write fence as triggers: each of Kratos' tables refuses what changes it, except to sessions that are spared.
//!
//! Given a [`Connection`], [`raise`] makes a function that refuses, and a trigger on every table of Kratos that our role owns;
//! [`lift`] first turns the function into one that lets everything pass, which holds for everybody at once, and then
//! removes the triggers. No session is ended, so nobody who reads notices either. What it costs is a lock on each table for a
//! moment: one that writes wait for to make the trigger, and one that reads wait for too to remove it. A lock that is not
//! free soon is given up and asked for again, so that nobody queues behind it for long.
//!
//! The function's comment is the mark of the fence: it is there from before the first trigger until after the last, so
//! after a crash at any point [`state`] tells how far it was. Triggers that are left without effect do no harm, count for
//! nothing, and go with the next fence. A function of that name that somebody else made counts only if it refuses something
//! on our tables.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_postgres::Row;

use super::mark::{Mark, now};
use super::phase::{FenceState, Phase};
use crate::postgres::connect::Connection;
use crate::postgres::error::{Error, Result};

/// The name of the function and of the triggers.
const NAME: &str = "kratos_operator_fence";
/// What the mark begins with while the function lets everything pass.
const LIFTING: &str = "no longer ";
/// How long a lock is waited for while others queue behind, and how long they may pass before it is asked for again.
const LOCK: &str = "200ms";
const BETWEEN: Duration = Duration::from_millis(300);
/// The same where a vacuum of the server's own holds it: that one gives way to who has waited for `deadlock_timeout` (1 s).
const BEHIND_VACUUM: &str = "1200ms";
/// How long it is tried to have the trigger of one table made or removed.
const PATIENCE: Duration = Duration::from_secs(5);

/// The function behind the triggers.
pub(super) struct Function {
    pub oid: u32,
    /// Qualified and quoted.
    name: String,
    comment: String,
    /// Whether any trigger calls it.
    is_called: bool,
}

impl Function {
    /// Whether something is refused.
    pub fn is_armed(&self) -> bool {
        self.is_called && !self.comment.starts_with(LIFTING)
    }
}

/// Raises it in the name of `who`, or takes over what a killed run left. `None`: somebody holds a lock on a table for
/// too long, or our role may not do it; then nothing of it refuses anything.
pub(super) async fn raise(
    connection: &Connection,
    who: &str,
    spared: &[&str],
    tables: &[String],
) -> Result<Option<FenceState>> {
    match try_raise(connection, who, spared, tables).await {
        Ok(state) => Ok(Some(state)),
        Err(error @ (Error::Lost { .. } | Error::Unreachable { .. })) => Err(error),
        Err(error) => {
            tracing::warn!("the write fence cannot be made of triggers: {error}");
            lift(connection).await?;
            Ok(None)
        }
    }
}

async fn try_raise(
    connection: &Connection,
    who: &str,
    spared: &[&str],
    tables: &[String],
) -> Result<FenceState> {
    let found = function(connection).await?;
    let since = match found.as_ref().and_then(fence_state) {
        // It refuses already, whoever raised it.
        Some(FenceState { phase: Phase::Up, since, .. }) => since,
        _ => None,
    };
    let mut mark = Mark::new(who, since, None);
    let spares = "SELECT string_agg(
            format('pg_catalog.starts_with(pg_catalog.current_setting(''application_name''), %L)', name), ' OR ')
        FROM unnest($1::text[]) AS name";
    let row = connection.query_one(spares, &[&spared]).await?;
    let spares = connection.get::<Option<String>>(&row, 0)?.unwrap_or_else(|| "false".to_owned());
    let body = format!(
        "IF NOT ({spares}) THEN RAISE EXCEPTION USING ERRCODE = 'read_only_sql_transaction', \
         MESSAGE = pg_catalog.format('cannot execute %s in a read-only transaction', TG_OP), \
         HINT = 'a migration of Kratos is going on'; END IF; RETURN NULL;"
    );
    define(connection, found.as_ref().map_or(NAME, |function| &function.name), &body, &mark.text()).await?;
    let absent = || Error::Other { sqlstate: None, message: format!("{NAME} is not in the search path") };
    let Function { oid, name, .. } = function(connection).await?.ok_or_else(absent)?;
    for table in tables_without(connection, oid, tables).await? {
        // Always: a subscription to another database writes as a replica, for which ordinary triggers do not fire.
        let trigger = format!(
            "CREATE TRIGGER {NAME} BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table} \
             FOR EACH STATEMENT EXECUTE FUNCTION {name}(); ALTER TABLE {table} ENABLE ALWAYS TRIGGER {NAME}"
        );
        // Counted for each table: how many there are says nothing about how long one is used.
        patiently(connection, &table, &trigger, Instant::now() + PATIENCE).await?;
    }
    if mark.since.is_none() {
        mark.since = Some(now(connection).await?);
        define(connection, &name, &body, &mark.text()).await?;
    }
    Ok(FenceState { phase: Phase::Up, who: Some(mark.who), since: mark.since })
}

/// Lifts it, whatever step it was left in; tells whether it refused anything. Triggers that cannot be removed now stay
/// without effect.
pub(super) async fn lift(connection: &Connection) -> Result<bool> {
    let Some(function) = function(connection).await? else { return Ok(false) };
    let mark = function.comment.strip_prefix(LIFTING).unwrap_or(&function.comment);
    // It may be another role's, who left it: then its triggers on our tables go all the same.
    let disarmed = define(connection, &function.name, "RETURN NULL;", &format!("{LIFTING}{mark}")).await;
    let mut left = None;
    for table in tables_with(connection, function.oid).await? {
        let drop = format!("DROP TRIGGER IF EXISTS {NAME} ON {table}");
        left = left.or(patiently(connection, &table, &drop, Instant::now() + PATIENCE).await.err());
    }
    match (left, disarmed) {
        (Some(error), Err(_)) => return Err(error),
        (Some(error), Ok(())) => {
            tracing::warn!(
                "the triggers of the write fence refuse nothing any more, and stay for now: {error}"
            );
        }
        (None, _) => {
            if let Err(error) =
                execute(connection, &format!("DROP FUNCTION IF EXISTS {}()", function.name)).await
            {
                tracing::warn!(
                    "the function of the write fence is called by no table of ours, and stays: {error}"
                );
            }
        }
    }
    Ok(function.is_armed())
}

/// How far it is; `None`: nothing is refused.
pub(super) async fn state(connection: &Connection) -> Result<Option<FenceState>> {
    Ok(function(connection).await?.as_ref().and_then(fence_state))
}

fn fence_state(function: &Function) -> Option<FenceState> {
    if !function.is_armed() {
        return None;
    }
    Some(match Mark::parse(&function.comment) {
        Some(Mark { who, since: Some(since), .. }) => {
            FenceState { phase: Phase::Up, who: Some(who), since: Some(since) }
        }
        Some(Mark { who, .. }) => FenceState { phase: Phase::Raising, who: Some(who), since: None },
        // A copy that was restored without comments.
        None => FenceState { phase: Phase::Raising, who: Some("unknown".to_owned()), since: None },
    })
}

/// The function in the search path that is ours, or that triggers of ours call.
pub(super) async fn function(connection: &Connection) -> Result<Option<Function>> {
    let sql = "SELECT p.oid, quote_ident(n.nspname) || '.' || quote_ident(p.proname),
            coalesce(obj_description(p.oid, 'pg_proc'), ''), called.of_ours
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace,
            LATERAL (SELECT EXISTS (SELECT FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                                    WHERE t.tgfoid = p.oid AND pg_has_role(c.relowner, 'USAGE')) AS of_ours) AS called
        WHERE p.proname = $1 AND p.pronargs = 0 AND n.nspname = ANY (current_schemas(false))
          AND (pg_has_role(p.proowner, 'USAGE') OR called.of_ours)
        ORDER BY called.of_ours DESC, array_position(current_schemas(false), n.nspname) LIMIT 1";
    let read = |row: &Row| {
        Ok(Function {
            oid: connection.get(row, 0)?,
            name: connection.get(row, 1)?,
            comment: connection.get(row, 2)?,
            is_called: connection.get(row, 3)?,
        })
    };
    connection.query(sql, &[&NAME]).await?.first().map(read).transpose()
}

/// Makes the function, or changes what it does, together with its comment.
async fn define(connection: &Connection, name: &str, body: &str, comment: &str) -> Result<()> {
    let row = connection.query_one("SELECT quote_literal($1)", &[&comment]).await?;
    let comment: String = connection.get(&row, 0)?;
    let sql = format!(
        "CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $fence$BEGIN {body} END$fence$; \
         COMMENT ON FUNCTION {name}() IS {comment}"
    );
    execute(connection, &sql).await
}

/// Those of `tables` (by name; none: all) in the search path that our role owns and that have no trigger which calls the
/// function.
async fn tables_without(connection: &Connection, function: u32, tables: &[String]) -> Result<Vec<String>> {
    let sql = "SELECT c.oid::regclass::text FROM pg_class c
        WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND pg_has_role(c.relowner, 'USAGE')
          AND c.relnamespace = ANY (SELECT to_regnamespace(quote_ident(name)) FROM unnest(current_schemas(false)) AS name)
          AND NOT EXISTS (SELECT FROM pg_depend d
                          WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
          AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgfoid = $1)
          AND (cardinality($2::text[]) = 0 OR c.relname = ANY ($2))
        ORDER BY c.oid";
    names(connection, sql, &[&function, &tables]).await
}

/// Those of our role that have one.
async fn tables_with(connection: &Connection, function: u32) -> Result<Vec<String>> {
    let sql = "SELECT c.oid::regclass::text FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
               WHERE t.tgfoid = $1 AND pg_has_role(c.relowner, 'USAGE') ORDER BY c.oid";
    names(connection, sql, &[&function]).await
}

async fn names(
    connection: &Connection,
    sql: &str,
    params: &[&(dyn tokio_postgres::types::ToSql + Sync)],
) -> Result<Vec<String>> {
    connection.query(sql, params).await?.iter().map(|row| connection.get(row, 0)).collect()
}

/// Runs a statement that needs a lock on a table, again and again if it is not free.
async fn patiently(connection: &Connection, table: &str, sql: &str, until: Instant) -> Result<()> {
    let mut lock = LOCK;
    loop {
        match execute(connection, &format!("SET LOCAL lock_timeout = '{lock}'; {sql}")).await {
            Err(Error::LockTimeout { .. }) if Instant::now() + BETWEEN < until => {
                lock = if is_vacuumed(connection, table).await? { BEHIND_VACUUM } else { LOCK };
                sleep(BETWEEN).await;
            }
            result => return result,
        }
    }
}

/// Whether the server itself vacuums the table or counts its rows. Its workers are nobody's sessions.
async fn is_vacuumed(connection: &Connection, table: &str) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
               WHERE l.relation = to_regclass($1) AND l.granted AND a.usesysid IS NULL
                 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))";
    let row = connection.query_one(sql, &[&table]).await?;
    connection.get(&row, 0)
}

/// Runs statements in one transaction, which may write although the session may be fenced.
async fn execute(connection: &Connection, sql: &str) -> Result<()> {
    let done = connection.client().batch_execute(&format!("BEGIN READ WRITE; {sql}; COMMIT")).await;
    if let Err(error) = done {
        // Nothing of it was done; only the session has to leave the failed transaction.
        let _ = connection.client().batch_execute("ROLLBACK").await;
        return Err(connection.explain(&error));
    }
    Ok(())
}
