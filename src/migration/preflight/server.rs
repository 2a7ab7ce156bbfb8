//! Whether it is the right server, reached in a way that a migration can use.

use std::collections::BTreeSet;
use std::time::Duration;

use super::report::Finding;
use crate::postgres::{Connection, Dsn, Error, Result, fence};

pub(super) const PAST_PROXY: &str = "give the migration the address of the database itself, past the proxy";
/// The name of the sessions that ask the questions.
const NAME: &str = "kratos-operator preflight";
/// Kratos itself would try an unreachable database for 5 minutes.
const CONNECT: Duration = Duration::from_secs(5);
/// How often two connections take turns to see whether they are mixed up.
const TURNS: usize = 3;

/// The connection that asks.
pub(super) async fn open(dsn: &Dsn) -> Result<Connection> {
    Connection::open(dsn, NAME, CONNECT).await
}

/// Whether the server takes writes, apart from our own fence. `plain` has no override.
pub(super) async fn writable(connection: &Connection, plain: &Connection) -> Vec<Finding> {
    Finding::answered(read_only(connection, plain).await.map(|found| found.into_iter().collect()))
}

async fn read_only(connection: &Connection, plain: &Connection) -> Result<Option<Finding>> {
    let host = connection.host();
    let ask = "SELECT pg_is_in_recovery()::text, current_setting('transaction_read_only'),
                      (SELECT source FROM pg_settings WHERE name = 'default_transaction_read_only'),
                      quote_ident(session_user), quote_ident(current_database())";
    let [standby, read_only, source, role, database] = texts(plain, ask).await?;
    if standby == "true" {
        let text = format!("{host} is a standby");
        return Ok(Some(Finding::refusal(text, "connect to the primary, or wait until one is elected")));
    }
    let [_, overridden, _, _, _] = texts(connection, ask).await?;
    let is_ours = fence::state(plain).await?.is_some_and(|fence| fence.is_marked_ours());
    if is_ours && overridden == "off" || read_only == "off" {
        return Ok(None);
    }
    let remedy = match source.as_str() {
        "database user" => {
            format!("ALTER ROLE {role} IN DATABASE {database} RESET default_transaction_read_only")
        }
        "user" => format!("ALTER ROLE {role} RESET default_transaction_read_only"),
        "database" => format!("ALTER DATABASE {database} RESET default_transaction_read_only"),
        "client" => "take default_transaction_read_only out of the DSN".to_owned(),
        _ => {
            "ALTER SYSTEM RESET default_transaction_read_only, or the server's configuration file".to_owned()
        }
    };
    Ok(Some(Finding::refusal(format!("transactions of {role} are read-only at {host}"), remedy)))
}

/// Whether each connection has a session of its own: behind a proxy that pools transactions, the lock, the fence's
/// override and the cancellation would reach somebody else's.
pub(super) async fn pooler(connection: &Connection, plain: &Connection) -> Vec<Finding> {
    match is_pooled(connection, plain).await {
        Ok(false) => Vec::new(),
        Ok(true) => vec![Finding::refusal(
            format!(
                "a proxy at {} shares sessions between connections (transaction pooling)",
                connection.host()
            ),
            PAST_PROXY,
        )],
        Err(error) => vec![Finding::unanswered(&error)],
    }
}

/// Refuses a proxy before anything is taken or set on its sessions: a lock would stay on one that is given to somebody else.
pub(in crate::migration) async fn refuse_pooler(side: &Connection, dsn: &Dsn) -> Result<()> {
    let second = open(dsn).await?;
    let is_pooled = is_pooled(side, &second).await?;
    second.close().await;
    match is_pooled {
        true => {
            Err(Error::Pooler { host: side.host().to_owned(), message: "transaction pooling".to_owned() })
        }
        false => Ok(()),
    }
}

/// Whether one of the two connections is ever given another session. They take turns in holding a transaction open,
/// so that a proxy has every reason to swap them, whichever session it gives out first.
///
/// Only the simple protocol is used, which such proxies pass on unchanged.
async fn is_pooled(connection: &Connection, plain: &Connection) -> Result<bool> {
    let (mut first, mut second) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..TURNS {
        turn((connection, &mut first), (plain, &mut second)).await?;
        turn((plain, &mut second), (connection, &mut first)).await?;
    }
    Ok(first.len() != 1 || second.len() != 1 || first == second)
}

type Sessions<'s> = (&'s Connection, &'s mut BTreeSet<Option<String>>);

async fn turn((holder, held): Sessions<'_>, (other, seen): Sessions<'_>) -> Result<()> {
    held.insert(simple(holder, "BEGIN; SELECT pg_backend_pid()").await?);
    let other = simple(other, "SELECT pg_backend_pid()").await;
    simple(holder, "ROLLBACK").await?;
    seen.insert(other?);
    Ok(())
}

async fn simple(connection: &Connection, sql: &str) -> Result<Option<String>> {
    use tokio_postgres::SimpleQueryMessage::Row;

    let messages = connection.client().simple_query(sql).await.map_err(|error| connection.explain(&error))?;
    let value = |message: &_| match message {
        Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    };
    Ok(messages.iter().find_map(value))
}

async fn texts<const N: usize>(connection: &Connection, sql: &str) -> Result<[String; N]> {
    let explain = |error| connection.explain(&error);
    let row = connection.client().query_one(sql, &[]).await.map_err(explain)?;
    let mut texts = [const { String::new() }; N];
    for (column, text) in texts.iter_mut().enumerate() {
        *text = row.try_get(column).map_err(explain)?;
    }
    Ok(texts)
}
