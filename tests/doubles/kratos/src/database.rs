//! Connections to the database: opened as patiently as Kratos does, errors worded as it words them.

use super::dsn::{Dsn, Wanted};
use super::log::Logger;
use serde_json::json;
use std::error::Error as _;
use std::io::ErrorKind;
use std::time::{Duration, Instant};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

/// How long a start waits for the database, in seconds; [`PATIENCE_VARIABLE`] shortens it.
const PATIENCE: u64 = 300;

/// The environment variable that shortens the five minutes of waiting (whole seconds).
pub const PATIENCE_VARIABLE: &str = "KRATOS_DOUBLE_PATIENCE";

/// Opens one connection, to the first endpoint that will do; each may take five seconds.
pub async fn connect(dsn: &Dsn) -> Result<Client, String> {
    let mut refusals = Vec::new();
    for (host, port) in &dsn.endpoints {
        match endpoint(dsn, host, port).await {
            Ok(client) => return Ok(client),
            Err(why) => refusals.push(format!("{host}:{port} ({host}): {why}")),
        }
    }
    let who = dsn.who();
    match refusals.as_slice() {
        [refusal] => Err(format!("failed to connect to `{who}`: {refusal}")),
        several => Err(format!("failed to connect to `{who}`:\n\t{}", several.join("\n\t"))),
    }
}

async fn endpoint(dsn: &Dsn, host: &str, port: &str) -> Result<Client, String> {
    let config = dsn.config(host, port);
    let opening = config.connect(dsn.tls.clone());
    let client = match tokio::time::timeout(Duration::from_secs(5), opening).await {
        Ok(Ok((client, connection))) => {
            tokio::spawn(connection);
            client
        }
        Ok(Err(error)) => return Err(refusal(dsn, &format!("{host}:{port}"), &error)),
        Err(_) => return Err(format!("dial error: dial tcp {host}:{port}: i/o timeout")),
    };
    let question = match dsn.wanted {
        Wanted::Any => return Ok(client),
        Wanted::Primary => "SELECT pg_is_in_recovery()",
        Wanted::ReadWrite => "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'",
    };
    match client.query_one(question, &[]).await {
        Ok(row) if row.get::<_, bool>(0) => Err("ValidateConnect failed: server is in standby mode".into()),
        Ok(_) => Ok(client),
        Err(error) => Err(format!("ValidateConnect failed: {}", sql_error(&error))),
    }
}

/// Opens a connection, trying again with a growing pause for five minutes; each failure is a warning.
pub async fn connect_patiently(dsn: &Dsn, log: &Logger) -> Result<Client, String> {
    patiently(log, "Unable to ping database, retrying.", async || {
        connect(dsn).await.map_err(|message| (json!({ "message": message }), message))
    })
    .await
}

/// Tries `attempt` until it succeeds or five minutes are over; a failure gives the warning's field and the last word.
pub async fn patiently<T>(
    log: &Logger,
    warning: &str,
    mut attempt: impl AsyncFnMut() -> Result<T, (serde_json::Value, String)>,
) -> Result<T, String> {
    let seconds =
        std::env::var(PATIENCE_VARIABLE).ok().and_then(|value| value.parse().ok()).unwrap_or(PATIENCE);
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut pause = Duration::from_millis(500);
    loop {
        match attempt().await {
            Ok(value) => return Ok(value),
            Err((field, message)) => {
                log.warning(warning, field);
                if Instant::now() + pause > end {
                    return Err(message);
                }
            }
        }
        tokio::time::sleep(pause).await;
        pause = pause.mul_f64(1.5).min(Duration::from_secs(60));
    }
}

/// Why one endpoint cannot be used.
fn refusal(dsn: &Dsn, place: &str, error: &tokio_postgres::Error) -> String {
    if let Some(db) = error.as_db_error() {
        let step = match *db.code() {
            SqlState::INVALID_PASSWORD => "failed SASL auth",
            _ => "server error",
        };
        return format!("{step}: {}", sql_error(error));
    }
    let io = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    match io.map(std::io::Error::kind) {
        Some(ErrorKind::ConnectionRefused) => {
            format!("dial error: dial tcp {place}: connect: connection refused")
        }
        Some(ErrorKind::TimedOut) => format!("dial error: dial tcp {place}: i/o timeout"),
        Some(ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
            "failed to receive message: unexpected EOF".into()
        }
        _ if dsn.demands_tls() => format!("tls error: {}", chain(error)),
        Some(_) => format!("dial error: dial tcp {place}: {}", chain(error)),
        None => chain(error),
    }
}

/// An error of the server as `ERROR: text (SQLSTATE code)`; any other with its causes.
pub fn sql_error(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => format!("{}: {} (SQLSTATE {})", db.severity(), db.message(), db.code().code()),
        None => chain(error),
    }
}

fn chain(error: &tokio_postgres::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
