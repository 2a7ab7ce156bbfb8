//! One run's task: what to migrate, for whom, within which time; and the connections that it opens.

use std::future::pending;
use std::time::Duration;

use tokio::sync::watch;

use super::failure::Failure;
use super::sessions::PREFIX;
use super::timeout::Timeout;
use crate::kratos::WorkloadVersion;
use crate::postgres::{Connection, Dsn};

/// Kratos itself would try an unreachable database or a wrong password for 5 minutes: ours is tried first. An action does
/// so twice, once to see how the database stands, and is to be refused within 10 s.
pub(super) const CONNECT: Duration = Duration::from_secs(4);
/// The first server that can watch a client's connection while a statement runs.
const FIRST_WITH_CLIENT_CHECK: i32 = 140_000;
/// The first server that can bound a whole transaction.
const FIRST_WITH_TRANSACTION_TIMEOUT: i32 = 170_000;

/// What to migrate, for whom, and how long.
#[derive(Clone, Debug)]
pub struct Job {
    pub version: WorkloadVersion,
    pub dsn: Dsn,
    pub timeout: Timeout,
    /// The unit, and the task if an action asked for it: the name under which the sessions are known.
    pub who: String,
    /// Go on although the plan takes longer than the timeout.
    pub force: bool,
    /// Turns true when somebody asks to stop; the run then ends as at its timeout.
    pub cancel: Option<watch::Receiver<bool>>,
}

impl Job {
    /// The name of the side connection, which holds the lock.
    pub(super) fn holder_name(&self) -> String {
        format!("kratos-operator {}", self.who)
    }

    /// The name of Kratos' own sessions.
    pub(super) fn process_name(&self) -> String {
        format!("{PREFIX}{}", self.who)
    }

    /// Whether somebody asked to stop.
    pub(super) fn is_canceled(&self) -> bool {
        self.cancel.as_ref().is_some_and(|cancel| *cancel.borrow())
    }

    /// Waits until somebody asks to stop.
    pub(super) async fn canceled(&self) {
        let Some(mut cancel) = self.cancel.clone() else { return pending().await };
        if cancel.wait_for(|asked| *asked).await.is_err() {
            // Nobody is left who could ask.
            pending::<()>().await;
        }
    }

    /// The DSN of the process: sessions that can be found, that the fence does not hold up, and that end by
    /// themselves soon after the process. With `lock_timeout` no statement waits longer than that for a lock. Limits that
    /// somebody set for the role are meant for requests, not for a migration, which has its own timeout.
    pub(super) fn process_dsn(&self, server_version: i32, lock_timeout: Option<Duration>) -> Dsn {
        let mut dsn = self
            .dsn
            .clone()
            .with_param("application_name", &self.process_name())
            .with_param("default_transaction_read_only", "off")
            .with_param("statement_timeout", "0")
            .with_param("lock_timeout", &lock_timeout.unwrap_or_default().as_millis().to_string());
        if server_version >= FIRST_WITH_CLIENT_CHECK {
            dsn = dsn.with_param("client_connection_check_interval", "500");
        }
        if server_version >= FIRST_WITH_TRANSACTION_TIMEOUT {
            dsn = dsn.with_param("transaction_timeout", "0");
        }
        dsn
    }
}

/// A connection of ours, which the fence does not hold up. No question of ours may wait behind a lock of the
/// migration: the statement that is to stop it would wait behind the question. The settings are part of the login, so
/// that none stays behind on a session that a proxy shares with others.
pub(super) async fn connect(dsn: &Dsn, name: &str) -> Result<Connection, Failure> {
    let dsn = dsn
        .clone()
        .with_param("lock_timeout", "1s")
        .with_param("statement_timeout", "5s")
        .with_param("default_transaction_read_only", "off");
    Ok(Connection::open(&dsn, name, CONNECT).await?)
}
