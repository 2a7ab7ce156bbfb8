//! Why a run did not reach its end, as a text with the command that goes on from there.

use super::commands::{command_with, repair_command};
use super::force::Force;
use super::held::HeldVerdict;
use super::timeout::Timeout;
use super::trail::Reached;
use crate::kratos::program::command;
use crate::postgres;

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
    /// A check before the run; nothing was changed.
    #[error("refused before anything was changed: {0}")]
    Refused(String),
    #[error("stopped on request before anything was changed")]
    Canceled,
    #[error("another migration holds the lock: {holder}")]
    Locked { holder: String },
    #[error("the write fence cannot be raised: {0}")]
    Fence(String),
    #[error("stopped at the timeout of {timeout} s: {}{}", progress(reached), blocked_by(blockers))]
    Stopped { timeout: Timeout, reached: Reached, blockers: Vec<String> },
    #[error("{reason}; {}", progress(reached))]
    Failed { reason: String, reached: Reached },
    /// Every further run would fail in the same way.
    #[error("{diagnosis}; {}", progress(reached))]
    Wedged { diagnosis: String, reached: Reached },
    #[error("nothing is pending, but these indexes are invalid: {}", .0.join(", "))]
    InvalidIndexes(Vec<String>),
    #[error("nothing is pending, but {table} holds {after} rows, and held {before} before")]
    Lost { table: String, before: i64, after: i64 },
}

fn blocked_by(blockers: &[String]) -> String {
    if blockers.is_empty() { String::new() } else { format!("; it waited for {}", blockers.join(" and ")) }
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
            Self::Refused(_) => "refused",
            Self::Canceled => "canceled",
            Self::Locked { .. } => "locked",
            Self::Fence(_) => "fence",
            Self::Stopped { .. } => "stopped",
            Self::Failed { .. } => "failed",
            Self::Wedged { .. } => "wedged",
            Self::InvalidIndexes(_) => "invalid-indexes",
            Self::Lost { .. } => "lost-rows",
        }
    }

    /// How far the run came, if it began.
    pub fn reached(&self) -> Option<&Reached> {
        match self {
            Self::Stopped { reached, .. } | Self::Failed { reached, .. } | Self::Wedged { reached, .. } => {
                Some(reached)
            }
            _ => None,
        }
    }

    /// The whole text for a status: what failed and the command to run next.
    pub fn with_command(&self, application: &str) -> String {
        self.with_request(application, Timeout::DEFAULT, Force::default())
    }

    /// The same for the action that was asked with this.
    pub fn with_request(&self, application: &str, timeout: Timeout, force: Force) -> String {
        let migrate = command_with(application, timeout, force);
        let next = match self {
            // Only the end of the blocker ends the wait, however long it may take.
            Self::Stopped { timeout, blockers, .. } if !blockers.is_empty() => {
                format!("when that has ended, go on with: {}", command_with(application, *timeout, force))
            }
            Self::Stopped { timeout, .. } => {
                format!("go on with: {}", command_with(application, timeout.doubled(), force))
            }
            Self::Newer { .. } => format!("go back to the newer charm: juju refresh {application}"),
            Self::Canceled => format!("to begin again, run: {migrate}"),
            Self::Locked { .. } => format!("when it has ended, run: {migrate}"),
            Self::Wedged { .. } => format!("see {}", repair_command(application)),
            Self::Lost { .. } => HeldVerdict::LostRows.next(application),
            Self::Refused(_) => format!("mend this, then run: {migrate}"),
            Self::InvalidIndexes(_) => HeldVerdict::InvalidIndexes.next(application),
            Self::Database(_) | Self::Program(_) | Self::Fence(_) | Self::Failed { .. } => {
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
        let reached = Reached { applied: 3, pending: Some(4), trail: Box::default() };
        let blockers = vec!["pid 7".to_owned()];
        let failures = [
            (Failure::Database(postgres::Error::ReadOnly { host: "db:5432".to_owned() }), "run-migration"),
            (Failure::Program("no program".to_owned()), "run-migration"),
            (Failure::Newer { unknown: 7, version: "v25.4.0".to_owned() }, "juju refresh kratos"),
            (Failure::Canceled, "run-migration"),
            (Failure::Locked { holder: "green/0".to_owned() }, "run-migration"),
            (Failure::Refused("not a primary".to_owned()), "run-migration"),
            (Failure::Fence("by an administrator".to_owned()), "run-migration"),
            (Failure::Wedged { diagnosis: "wedge".to_owned(), reached: reached.clone() }, "repair-migration"),
            (Failure::Lost { table: "sessions".to_owned(), before: 2, after: 1 }, "backup"),
            (
                Failure::Stopped { timeout: Timeout::DEFAULT, reached: reached.clone(), blockers },
                "it waited for pid 7; when that has ended, go on with: juju run kratos/leader run-migration",
            ),
            (
                Failure::Stopped {
                    timeout: Timeout::DEFAULT,
                    reached: reached.clone(),
                    blockers: Vec::new(),
                },
                "go on with: juju run kratos/leader run-migration timeout=240",
            ),
            (Failure::Failed { reason: "ERROR (SQLSTATE 42501)".to_owned(), reached }, "run-migration"),
            (Failure::InvalidIndexes(vec!["public.idx".to_owned()]), "REINDEX"),
        ];
        for (failure, command) in failures {
            let text = failure.with_command("kratos");
            assert!(text.starts_with("Database migration failed: ") && text.contains(command), "{text}");
        }
        let asked = Timeout::DEFAULT.doubled();
        for (force, words) in [
            (Force { time: true, units: false }, " force=time"),
            (Force { time: true, units: true }, " force=time,units"),
            (Force::default(), ""),
        ] {
            let text = Failure::Refused("not a primary".to_owned()).with_request("kratos", asked, force);
            let expected = format!("run: juju run kratos/leader run-migration timeout=240{words}");
            assert!(text.ends_with(&expected), "{text}");
        }
    }
}
