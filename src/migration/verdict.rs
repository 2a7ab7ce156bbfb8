//! The verdict on a run, from the database: an exit code alone is neither success nor failure where it can tell.

use std::time::Duration;

use super::counts::{self, Counts};
use super::failure::Failure;
use super::job::{Job, connect};
use super::outcome::{MigrationReport, Outcome};
use super::program::{ProgramMigrations, words};
use super::repair::{Diagnosis, diagnose};
use super::schema::Schema;
use super::survey::look;
use super::trail::{Reached, Trail};
use crate::kratos::program::command;
use crate::postgres::{self, Connection, catalog};

/// How the process ended.
pub(super) enum ProcessEnd {
    /// By itself, with the end of its error output.
    Exited { code: i64, errors: String },
    /// Nobody knows.
    Lost(String),
    /// At the deadline; whom it waited for.
    Stopped { blockers: Vec<String> },
}

/// What the verdict is made of.
pub(super) struct FinishedRun<'a> {
    pub job: &'a Job,
    pub program: &'a ProgramMigrations,
    pub before: &'a Schema,
    pub counts: &'a Counts,
    pub elapsed: Duration,
    pub trail: Trail,
}

/// Judges a run that was made. Where the database does not tell how it stands, what the process said is kept.
pub(super) async fn verdict(finished: FinishedRun<'_>, end: ProcessEnd) -> Outcome {
    let trail = finished.trail.clone();
    match judge(finished, end).await {
        Err(Failure::Database(error)) => Err(Failure::Failed {
            reason: format!("how the run ended cannot be read: {error}"),
            reached: Reached { applied: trail.steps.len(), pending: None, trail: Box::new(trail) },
        }),
        outcome => outcome,
    }
}

/// Opens a connection of its own: the run's may have died with its server.
async fn judge(finished: FinishedRun<'_>, end: ProcessEnd) -> Outcome {
    let connection = connect(&finished.job.dsn, &finished.job.holder_name()).await?;
    let after = look(&connection, &finished.program.known).await?;
    let applied = after.applied.saturating_sub(finished.before.applied);
    let is_done = match after.pending_count() {
        Some(pending) => pending == 0,
        None => matches!(end, ProcessEnd::Exited { code: 0, .. }) && after.applied > 0,
    };
    if is_done {
        check_indexes(&connection, finished.program).await?;
        let counts = counts::count(&connection).await?;
        counts::compare(finished.counts, &counts)?;
        return Ok(MigrationReport {
            applied,
            elapsed: finished.elapsed,
            schema: after,
            counts,
            trail: finished.trail,
        });
    }
    let reached = Reached { applied, pending: after.pending_count(), trail: Box::new(finished.trail) };
    match diagnose(&connection, &finished.program.listed).await {
        Ok(diagnosis @ (Diagnosis::WedgeA { .. } | Diagnosis::WedgeB { .. })) => {
            return Err(Failure::Wedged { diagnosis: diagnosis.to_string(), reached });
        }
        // A table that is too big to be searched for nulls just now: the next preflight says so.
        Ok(Diagnosis::None | Diagnosis::Unknown { .. }) | Err(postgres::Error::Canceled { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let reason = match end {
        ProcessEnd::Stopped { blockers } => {
            return Err(Failure::Stopped { timeout: finished.job.timeout, reached, blockers });
        }
        ProcessEnd::Lost(reason) => reason,
        ProcessEnd::Exited { code, errors } => match command::reason(&errors) {
            reason if reason.is_empty() => format!("Kratos exited with {code}"),
            reason => format!("Kratos exited with {code}: {reason}"),
        },
    };
    Err(Failure::Failed { reason, reached })
}

/// Success is not reported while an index of Kratos is invalid.
pub(super) async fn check_indexes(
    connection: &Connection,
    program: &ProgramMigrations,
) -> Result<(), Failure> {
    let invalid = catalog::invalid_indexes(connection, &words(&program.listed)).await?;
    if invalid.is_empty() {
        return Ok(());
    }
    Err(Failure::InvalidIndexes(invalid.into_iter().map(|index| index.quoted).collect()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::kratos::WorkloadVersion;
    use crate::migration::Timeout;
    use crate::postgres::Dsn;

    #[tokio::test]
    async fn a_run_whose_database_does_not_tell_keeps_the_words_of_its_process() {
        let job = Job {
            version: WorkloadVersion::parse("v26.2.0").unwrap(),
            // Nobody listens there.
            dsn: Dsn::parse("postgres://kratos:s3cret@127.0.0.1:1/kratos").unwrap(),
            timeout: Timeout::DEFAULT,
            who: "kratos/0".to_owned(),
            force: false,
            cancel: None,
        };
        let (program, counts) = (ProgramMigrations::default(), Counts::new());
        let before = Schema::compare(&BTreeSet::new(), &program.known, true);
        let steps = vec![("20250708190000000000".to_owned(), 7)];
        let trail = Trail { begun: "2026-01-01T00:00:00Z".to_owned(), digest: None, steps };
        let finished = FinishedRun {
            job: &job,
            program: &program,
            before: &before,
            counts: &counts,
            elapsed: Duration::ZERO,
            trail: trail.clone(),
        };
        let failure = verdict(finished, ProcessEnd::Lost("gone".to_owned())).await.unwrap_err();
        let reached = Reached { applied: 1, pending: None, trail: Box::new(trail) };
        assert_eq!((failure.kind(), failure.reached()), ("failed", Some(&reached)));
        assert!(failure.to_string().contains("cannot reach PostgreSQL at 127.0.0.1:1"), "{failure}");
    }
}
