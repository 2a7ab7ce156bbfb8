//! The write fence as triggers: each of Kratos' tables refuses what changes it, except to sessions that are spared.
//!
//! Given a [`Connection`], [`raise`] makes a function that refuses, and a trigger on every table that our role owns;
//! [`lift`] first turns the function into one that lets everything pass, which holds for everybody at once, and then
//! removes the triggers. No session is ended, so nobody who reads notices either. What it costs is a lock on each table for a
//! moment: one that writes wait for to make the trigger, and one that reads wait for too to remove it. A lock that is not
//! free soon is given up and asked for again, so that nobody queues behind it for long.
//!
//! The function's comment is the mark of the fence: it is there from before the first trigger until after the last, so
//! after a crash at any point [`state`] tells how far it was. Triggers that are left without effect do no harm.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::mark::Mark;
use super::{FenceState, Phase, now};
use crate::postgres::connect::Connection;
use crate::postgres::error::{Error, Result};

/// The name of the function and of the triggers.
pub(super) const NAME: &str = "kratos_operator_fence";
/// What the mark begins with while the function lets everything pass.
const LIFTING: &str = "no longer ";
/// How long a lock is waited for while others queue behind, and how long they may pass before it is asked for again.
const LOCK: &str = "200ms";
const BETWEEN: Duration = Duration::from_millis(300);
/// How long it is tried to have all triggers made or removed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Raises it in the name of `who`, or takes over what a killed run left. `None`: somebody holds a lock on a table for
/// too long, or our role may not do it; then nothing of it refuses anything.
pub(super) async fn raise(connection: &Connection, who: &str, spared: &[&str]) -> Result<Option<FenceState>> {
    match try_raise(connection, who, spared).await {
        Ok(state) => Ok(Some(state)),
        Err(error @ (Error::Lost { .. } | Error::Unreachable { .. })) => Err(error),
        Err(error) => {
            tracing::warn!("the write fence cannot be made of triggers: {error}");
            lift(connection).await?;
            Ok(None)
        }
    }
}

async fn try_raise(connection: &Connection, who: &str, spared: &[&str]) -> Result<FenceState> {
    let since = match state(connection).await? {
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
    define(connection, &body, &mark.text()).await?;
    let until = Instant::now() + PATIENCE;
    for table in without(connection).await? {
        let trigger = format!(
            "CREATE TRIGGER {NAME} BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table} \
             FOR EACH STATEMENT EXECUTE FUNCTION {NAME}()"
        );
        patiently(connection, &trigger, until).await?;
    }
    if mark.since.is_none() {
        mark.since = Some(now(connection).await?);
        define(connection, &body, &mark.text()).await?;
    }
    Ok(FenceState { phase: Phase::Up, who: Some(mark.who), since: mark.since })
}

/// Lifts it, whatever step it was left in; tells whether it was there. Triggers that cannot be removed now stay, without
/// effect, and are found again by the next call.
pub(super) async fn lift(connection: &Connection) -> Result<bool> {
    let Some(mark) = comment(connection).await? else { return Ok(false) };
    let mark = mark.strip_prefix(LIFTING).unwrap_or(&mark);
    let disarmed = define(connection, "RETURN NULL;", &format!("{LIFTING}{mark}")).await;
    let until = Instant::now() + PATIENCE;
    let removed = async {
        for table in with(connection).await? {
            patiently(connection, &format!("DROP TRIGGER IF EXISTS {NAME} ON {table}"), until).await?;
        }
        execute(connection, &format!("DROP FUNCTION IF EXISTS {NAME}()")).await
    };
    match (removed.await, disarmed) {
        (Ok(()), _) => Ok(true),
        // It is of another role that has left it; what refuses is still there.
        (Err(_), Err(error)) => Err(error),
        (Err(error), Ok(())) => {
            tracing::warn!(
                "the triggers of the write fence refuse nothing any more, and stay for now: {error}"
            );
            Ok(true)
        }
    }
}

/// How far it is; `None`: there is nothing of it.
pub(super) async fn state(connection: &Connection) -> Result<Option<FenceState>> {
    let Some(text) = comment(connection).await? else { return Ok(None) };
    let (is_lifting, mark) = match text.strip_prefix(LIFTING) {
        Some(mark) => (true, mark),
        None => (false, text.as_str()),
    };
    let Some(Mark { who, since, .. }) = Mark::parse(mark) else { return Ok(None) };
    let phase = match since {
        _ if is_lifting => Phase::Lifting,
        Some(_) => Phase::Up,
        None => Phase::Raising,
    };
    Ok(Some(FenceState { phase, who: Some(who), since }))
}

/// The function's comment; `None`: there is no such function in the search path.
async fn comment(connection: &Connection) -> Result<Option<String>> {
    let sql = "SELECT coalesce(obj_description(oid, 'pg_proc'), '') FROM pg_proc
               WHERE proname = $1 AND pronargs = 0 AND pg_function_is_visible(oid)";
    let rows = connection.query(sql, &[&NAME]).await?;
    rows.first().map(|row| connection.get(row, 0)).transpose()
}

/// Makes the function, or changes what it does, together with its comment.
async fn define(connection: &Connection, body: &str, comment: &str) -> Result<()> {
    let row = connection.query_one("SELECT quote_literal($1)", &[&comment]).await?;
    let comment: String = connection.get(&row, 0)?;
    let sql = format!(
        "CREATE OR REPLACE FUNCTION {NAME}() RETURNS trigger LANGUAGE plpgsql AS $fence$BEGIN {body} END$fence$; \
         COMMENT ON FUNCTION {NAME}() IS {comment}"
    );
    execute(connection, &sql).await
}

/// The tables of the search path that our role owns and that have no trigger of ours.
async fn without(connection: &Connection) -> Result<Vec<String>> {
    let sql = "SELECT c.oid::regclass::text FROM pg_class c
        WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND pg_has_role(c.relowner, 'USAGE')
          AND c.relnamespace = ANY (SELECT to_regnamespace(quote_ident(name)) FROM unnest(current_schemas(false)) AS name)
          AND NOT EXISTS (SELECT FROM pg_depend d
                          WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
          AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = $1)
        ORDER BY c.oid";
    names(connection, sql).await
}

/// The tables that have one.
async fn with(connection: &Connection) -> Result<Vec<String>> {
    names(connection, "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = $1 ORDER BY tgrelid")
        .await
}

async fn names(connection: &Connection, sql: &str) -> Result<Vec<String>> {
    connection.query(sql, &[&NAME]).await?.iter().map(|row| connection.get(row, 0)).collect()
}

/// Runs a statement that needs a lock, again and again if it is not free.
async fn patiently(connection: &Connection, sql: &str, until: Instant) -> Result<()> {
    loop {
        match execute(connection, &format!("SET LOCAL lock_timeout = '{LOCK}'; {sql}")).await {
            Err(Error::LockTimeout { .. }) if Instant::now() + BETWEEN < until => sleep(BETWEEN).await,
            result => return result,
        }
    }
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
