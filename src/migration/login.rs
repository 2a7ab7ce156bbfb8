//! Whether the settings of the migration process reach the server.
//!
//! The process gives its settings at the login, in the start-up parameter `options`. A proxy between it and the server may
//! refuse that parameter, which Kratos would try again until the timeout, or leave it out without a word. So the same
//! login is made once before: where the settings do not hold, the process goes without them, unless one is needed.

use std::collections::BTreeMap;
use std::time::Duration;

use super::failure::Failure;
use super::job::{CONNECT, Job, missed_soon};
use crate::postgres::{Connection, Dsn};

/// The first server that can watch a client's connection while a statement runs.
const FIRST_WITH_CLIENT_CHECK: i32 = 140_000;
/// The first server that can bound a whole transaction.
const FIRST_WITH_TRANSACTION_TIMEOUT: i32 = 170_000;

/// How the process logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Login {
    WithSettings,
    /// Behind a proxy that leaves them out.
    Bare,
}

impl Login {
    /// Tries the login of the process on the server of `side`.
    pub async fn find(job: &Job, side: &Connection) -> Result<Self, Failure> {
        let dsn = Self::WithSettings.process_dsn(job, side.server_version_num(), None);
        let probe = Connection::open(&dsn, "kratos-operator login", CONNECT).await?;
        let missing = probe.missing_settings().await?;
        let stored = if missing.is_empty() { BTreeMap::new() } else { stored(&probe).await? };
        probe.close().await;
        let role = job.dsn.username();
        match stored.iter().next() {
            _ if missing.is_empty() => Ok(Self::WithSettings),
            None => Ok(Self::Bare),
            Some((name, value)) => Err(Failure::Refused(format!(
                "a proxy at {} leaves out the start-up parameter options, so {name} = {value} of the server holds for the \
                 migration; remedy: ALTER ROLE {role} RESET {name}, or give the migration the address of the database itself, \
                 past the proxy",
                side.host()
            ))),
        }
    }

    /// The DSN of the process: sessions that can be found, that the fence does not hold up, and that end by
    /// themselves soon after the process. With `lock_timeout` no statement waits longer than that for a lock. Limits that
    /// somebody set for the role are meant for requests, not for a migration, which has its own timeout.
    pub fn process_dsn(self, job: &Job, server_version: i32, lock_timeout: Option<Duration>) -> Dsn {
        let bare = job.dsn.clone().with_param("application_name", &job.process_name());
        match self {
            Self::WithSettings => settled(bare, server_version, lock_timeout),
            Self::Bare => bare,
        }
    }
}

/// The settings of the process.
fn settled(dsn: Dsn, server_version: i32, lock_timeout: Option<Duration>) -> Dsn {
    let mut dsn = dsn
        .with_setting("default_transaction_read_only", "off")
        .with_setting("statement_timeout", "0")
        .with_setting("lock_timeout", &lock_timeout.unwrap_or_default().as_millis().to_string());
    if server_version >= FIRST_WITH_CLIENT_CHECK {
        dsn = dsn.with_setting("client_connection_check_interval", "500");
    }
    if server_version >= FIRST_WITH_TRANSACTION_TIMEOUT {
        dsn = dsn.with_setting("transaction_timeout", "0");
    }
    missed_soon(dsn)
}

/// The limits that the server puts on every session of the role and that no migration can live with, by name.
async fn stored(connection: &Connection) -> Result<BTreeMap<String, String>, Failure> {
    let sql = "SELECT name, current_setting(name) FROM pg_settings
               WHERE name IN ('statement_timeout', 'transaction_timeout') AND setting <> '0'
                  OR name = 'default_transaction_read_only' AND setting = 'on'";
    let explain = |error| connection.explain(&error);
    let rows = connection.client().query(sql, &[]).await.map_err(explain)?;
    let pair = |row: &tokio_postgres::Row| Ok((row.try_get(0)?, row.try_get(1)?));
    Ok(rows.iter().map(pair).collect::<Result<_, _>>().map_err(explain)?)
}
