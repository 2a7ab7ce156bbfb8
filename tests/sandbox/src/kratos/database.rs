//! Connections to the database: opened as patiently as Kratos does, errors worded as it words them.

use super::dsn::Dsn;
use super::log::Logger;
use serde_json::json;
use std::error::Error as _;
use std::io::ErrorKind;
use std::time::{Duration, Instant};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

/// How long a start waits for the database, in seconds; [`PATIENCE_VARIABLE`] shortens it.
const PATIENCE: u64 = 300;

/// The environment variable that shortens the five minutes of waiting (whole seconds).
pub const PATIENCE_VARIABLE: &str = "KRATOS_DOUBLE_PATIENCE";

/// Opens one connection within five seconds.
pub async fn connect(dsn: &Dsn) -> Result<Client, String> {
    let opening = dsn.config.connect(NoTls);
    match tokio::time::timeout(Duration::from_secs(5), opening).await {
        Ok(Ok((client, connection))) => {
            tokio::spawn(connection);
            Ok(client)
        }
        Ok(Err(error)) => Err(refusal(dsn, &error)),
        Err(_) => Err(failed(dsn, &format!("dial error: dial tcp {}: i/o timeout", dsn.place()))),
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

fn failed(dsn: &Dsn, why: &str) -> String {
    format!("failed to connect to `{}`: {} ({}): {why}", dsn.who(), dsn.place(), dsn.host())
}

fn refusal(dsn: &Dsn, error: &tokio_postgres::Error) -> String {
    if let Some(db) = error.as_db_error() {
        let step = match *db.code() {
            SqlState::INVALID_PASSWORD => "failed SASL auth",
            _ => "server error",
        };
        return failed(dsn, &format!("{step}: {}", sql_error(error)));
    }
    let io = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    let why = match io.map(std::io::Error::kind) {
        Some(ErrorKind::ConnectionRefused) => {
            format!("dial error: dial tcp {}: connect: connection refused", dsn.place())
        }
        Some(ErrorKind::TimedOut) => format!("dial error: dial tcp {}: i/o timeout", dsn.place()),
        Some(ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
            "failed to receive message: unexpected EOF".into()
        }
        _ if dsn.demands_tls => "tls error: server refused TLS connection".into(),
        Some(_) => format!("dial error: dial tcp {}: {}", dsn.place(), chain(error)),
        None => chain(error),
    };
    failed(dsn, &why)
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
