//! The client of a connection, whose every question ends within a time of ours.
//!
//! `statement_timeout` is the server's: a node that lost its power, or whose disk hangs, keeps the connection and says
//! nothing. So each question is given a little longer than the server has; then the connection is closed, and it and every
//! later question on it fail as on any connection that was lost.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, SimpleQueryMessage};

/// How much longer than its statement timeout the server may take.
const GRACE: Duration = Duration::from_secs(3);
/// What the server may take where it has no limit of its own.
const UNLIMITED: Duration = Duration::from_secs(30);

/// How long a question may take, and whether one took longer.
pub(super) struct Deadline {
    millis: AtomicU64,
    is_passed: AtomicBool,
}

impl Default for Deadline {
    fn default() -> Self {
        let deadline = Self { millis: AtomicU64::new(0), is_passed: AtomicBool::new(false) };
        deadline.set(UNLIMITED);
        deadline
    }
}

impl Deadline {
    /// Follows the server's `statement_timeout`.
    pub fn set(&self, statement_timeout: Duration) {
        let millis = u64::try_from((statement_timeout + GRACE).as_millis()).unwrap_or(u64::MAX);
        self.millis.store(millis, Ordering::Relaxed);
    }

    /// Follows the `statement_timeout` with which the session began, as far as that is reasonable for a question.
    pub fn set_at_login(&self, statement_timeout: Duration) {
        let has_limit = !statement_timeout.is_zero();
        self.set(if has_limit { statement_timeout.min(UNLIMITED) } else { UNLIMITED });
    }

    /// The time after which the connection was given up, if it was.
    pub fn passed(&self) -> Option<Duration> {
        self.is_passed.load(Ordering::Relaxed).then(|| self.limit())
    }

    fn limit(&self) -> Duration {
        Duration::from_millis(self.millis.load(Ordering::Relaxed))
    }
}

/// The methods of [`Client`] that are used here, each with the deadline of its connection.
pub struct Session<'c> {
    pub(super) client: &'c Client,
    pub(super) driver: &'c JoinHandle<()>,
    pub(super) deadline: &'c Deadline,
}

impl Session<'_> {
    pub async fn query(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        self.bounded(self.client.query(sql, params)).await
    }

    pub async fn query_one(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row, Error> {
        self.bounded(self.client.query_one(sql, params)).await
    }

    pub async fn query_opt(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>, Error> {
        self.bounded(self.client.query_opt(sql, params)).await
    }

    pub async fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64, Error> {
        self.bounded(self.client.execute(sql, params)).await
    }

    pub async fn batch_execute(&self, sql: &str) -> Result<(), Error> {
        self.bounded(self.client.batch_execute(sql)).await
    }

    pub async fn simple_query(&self, sql: &str) -> Result<Vec<SimpleQueryMessage>, Error> {
        self.bounded(self.client.simple_query(sql)).await
    }

    async fn bounded<T>(&self, question: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let mut question = std::pin::pin!(question);
        match timeout(self.deadline.limit(), &mut question).await {
            Ok(answer) => answer,
            Err(_) => {
                self.deadline.is_passed.store(true, Ordering::Relaxed);
                // Without the task that moves the bytes the question fails, as any other from now on.
                self.driver.abort();
                question.await
            }
        }
    }
}
