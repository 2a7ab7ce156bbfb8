//! What a run ended with: a report, or a failure with the command that goes on from there.

use std::time::Duration;

use super::schema::Schema;
use super::timeout::Timeout;
use crate::kratos::command;
use crate::postgres;

/// How a run ended.
pub type Outcome = Result<Report, Failure>;

/// A run after which nothing is pending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How many migrations this run applied.
    pub applied: usize,
    pub elapsed: Duration,
    /// The schema as it is now.
    pub schema: Schema,
}

/// How far a run came that did not reach its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// Applied by this run.
    pub applied: usize,
    /// Still to do; `None`: the program cannot tell.
    pub pending: Option<usize>,
}

/// Why a run did not reach its end. The texts hold no secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    Database(#[from] postgres::Error),
    #[error("{0}")]
    Program(String),
    #[error(
        "the database was migrated by a newer Kratos: {unknown} of its migrations are unknown to {version}"
    )]
    Newer { unknown: usize, version: String },
    #[error("another migration holds the lock: {holder}")]
    Locked { holder: String },
    #[error("stopped at the timeout of {timeout} s: {}", progress(.reached))]
    Stopped { timeout: Timeout, reached: Reached },
    #[error("{reason}; {}", progress(.reached))]
    Failed { reason: String, reached: Reached },
    #[error("nothing is pending, but these indexes are invalid: {}", .0.join(", "))]
    InvalidIndexes(Vec<String>),
}

impl From<command::Error> for Failure {
    fn from(error: command::Error) -> Self {
        Self::Program(error.to_string())
    }
}

fn progress(reached: &Reached) -> String {
    let applied = reached.applied;
    match reached.pending {
        Some(pending) => format!("{applied} migrations applied, {pending} pending"),
        None => format!("{applied} migrations applied"),
    }
}

impl Failure {
    /// A stable label.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Database(_) => "database",
            Self::Program(_) => "program",
            Self::Newer { .. } => "newer",
            Self::Locked { .. } => "locked",
            Self::Stopped { .. } => "stopped",
            Self::Failed { .. } => "failed",
            Self::InvalidIndexes(_) => "invalid-indexes",
        }
    }

    /// How far the run came, if it began.
    pub fn reached(&self) -> Option<Reached> {
        match self {
            Self::Stopped { reached, .. } | Self::Failed { reached, .. } => Some(*reached),
            _ => None,
        }
    }

    /// The whole text for a status or an action: what failed and the command to run next.
    pub fn with_command(&self, application: &str) -> String {
        let migrate = super::command(application);
        let next = match self {
            Self::Stopped { timeout, .. } => {
                format!("go on with: {migrate} timeout={}", timeout.doubled())
            }
            Self::Newer { .. } => format!("go back to the newer charm: juju refresh {application}"),
            Self::Locked { .. } => format!("when it has ended, run: {migrate}"),
            Self::InvalidIndexes(_) => {
                format!("rebuild each with REINDEX INDEX CONCURRENTLY, then run: {migrate}")
            }
            Self::Database(_) | Self::Program(_) | Self::Failed { .. } => {
                format!("then run again: {migrate}")
            }
        };
        format!("Database migration failed: {self}; {next}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_names_the_next_command() {
        let reached = Reached { applied: 3, pending: Some(4) };
        let failures = [
            (Failure::Database(postgres::Error::ReadOnly { host: "db:5432".to_owned() }), "run-migration"),
            (Failure::Program("no program".to_owned()), "run-migration"),
            (Failure::Newer { unknown: 7, version: "v25.4.0".to_owned() }, "juju refresh kratos"),
            (Failure::Locked { holder: "green/0".to_owned() }, "run-migration"),
            (Failure::Stopped { timeout: Timeout::DEFAULT, reached }, "run-migration timeout=240"),
            (Failure::Failed { reason: "ERROR (SQLSTATE 42501)".to_owned(), reached }, "run-migration"),
            (Failure::InvalidIndexes(vec!["public.idx".to_owned()]), "REINDEX"),
        ];
        for (failure, command) in failures {
            let text = failure.with_command("kratos");
            assert!(text.starts_with("Database migration failed: ") && text.contains(command), "{text}");
        }
    }
}
