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
/// How long the server may take for one of our questions.
pub(super) const STATEMENT: Duration = Duration::from_secs(5);
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
}

/// Has the server miss a node that is gone, with all locks that its sessions hold, after a minute. Its own default is more
/// than two hours.
pub(super) fn missed_soon(dsn: Dsn) -> Dsn {
    dsn.with_setting("tcp_keepalives_idle", "30")
        .with_setting("tcp_keepalives_interval", "10")
        .with_setting("tcp_keepalives_count", "3")
        .with_setting("tcp_user_timeout", "60000")
}

/// A connection of ours, which the fence does not hold up. No question of ours may wait behind a lock of the
/// migration: the statement that is to stop it would wait behind the question. The settings are part of the login, so
/// that none stays behind on a session that a proxy shares with others.
pub(super) async fn connect(dsn: &Dsn, name: &str) -> Result<Connection, Failure> {
    let dsn = missed_soon(dsn.clone())
        .with_setting("lock_timeout", "1s")
        .with_setting("statement_timeout", &STATEMENT.as_millis().to_string())
        .with_setting("default_transaction_read_only", "off");
    Ok(Connection::open(&dsn, name, CONNECT).await?)
}
