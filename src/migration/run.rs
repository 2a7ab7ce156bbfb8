//! One run of the migration: lock, process, deadline, verdict.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::leftovers::{PREFIX, end_leftovers};
use super::outcome::{Failure, Outcome, Reached, Report};
use super::output::{Lines, Progress};
use super::schema::{Known, Migration, MigrationVersion, Schema};
use super::stop::stop;
use super::timeout::Timeout;
use crate::kratos::WorkloadVersion;
use crate::kratos::command::{self, Kratos};
use crate::kratos::process::KratosProcess;
use crate::postgres::{self, AdvisoryLock, Connection, Dsn, LockKey, catalog, holder};

/// Kratos itself would try an unreachable database or a wrong password for 5 minutes: ours is tried first.
const CONNECT: Duration = Duration::from_secs(5);
/// Between two looks at how far it is.
const LOOK: Duration = Duration::from_secs(2);
/// From the end of the output to the exit code.
const EXIT: Duration = Duration::from_secs(5);
/// The first server that can watch a client's connection while a statement runs.
const FIRST_WITH_CLIENT_CHECK: i32 = 140_000;

/// What to migrate, for whom, and how long.
#[derive(Clone, Debug)]
pub struct Job {
    pub version: WorkloadVersion,
    pub dsn: Dsn,
    pub timeout: Timeout,
    /// The unit, and the task if an action asked for it: the name under which the sessions are known.
    pub who: String,
}

impl Job {
    /// The name of the side connection, which holds the lock.
    fn holder_name(&self) -> String {
        format!("kratos-operator {}", self.who)
    }

    /// The name of Kratos' own sessions.
    fn process_name(&self) -> String {
        format!("{PREFIX}{}", self.who)
    }

    /// The DSN of the process: sessions that can be found, and that end by themselves soon after the process.
    fn process_dsn(&self, server_version: i32) -> Dsn {
        let dsn = self.dsn.clone().with_param("application_name", &self.process_name());
        if server_version < FIRST_WITH_CLIENT_CHECK {
            return dsn;
        }
        dsn.with_param("client_connection_check_interval", "500")
    }
}

/// Tells what is pending in a database for a Kratos program.
pub async fn survey(kratos: &Kratos, version: &WorkloadVersion, dsn: &Dsn) -> Result<Schema, Failure> {
    let connection = connect(dsn, "kratos-operator").await?;
    let known = known(kratos, version, dsn).await?;
    look(&connection, &known).await
}

/// A connection of ours. No question of ours may wait behind a lock of the migration: the statement that is to stop
/// it would wait behind the question.
async fn connect(dsn: &Dsn, name: &str) -> Result<Connection, Failure> {
    let connection = Connection::open(dsn, name, CONNECT).await?;
    let limits = "SET lock_timeout = '1s'; SET statement_timeout = '5s'";
    connection.client().batch_execute(limits).await.map_err(|error| connection.explain(&error))?;
    Ok(connection)
}

async fn known(kratos: &Kratos, version: &WorkloadVersion, dsn: &Dsn) -> Result<Known, Failure> {
    if !version.has_migration_status() {
        return Ok(Known::of_program_without_status(version));
    }
    let mut migrations = Vec::new();
    for listed in kratos.migrations(dsn).await? {
        let Some(version) = MigrationVersion::parse(&listed.version) else {
            return Err(Failure::Program(format!(
                "Kratos lists a migration {:?}, which is no number",
                listed.version
            )));
        };
        migrations.push(Migration { version, name: listed.name });
    }
    if migrations.is_empty() {
        return Err(Failure::Program("Kratos lists no migrations at all".to_owned()));
    }
    Ok(Known::Listed(migrations))
}

async fn look(connection: &Connection, known: &Known) -> Result<Schema, Failure> {
    let rows = catalog::applied_versions(connection).await?;
    let is_unused = match &rows {
        // Tables without bookkeeping are somebody's.
        None => !catalog::has_tables(connection).await?,
        Some(_) => is_never_served(connection).await?,
    };
    Ok(Schema::compare(&rows.unwrap_or_default(), known, is_unused))
}

/// Kratos writes its one row of `networks` when it serves first; every other row hangs on that.
async fn is_never_served(connection: &Connection) -> Result<bool, postgres::Error> {
    let ask = async {
        let table = connection.client().query_one("SELECT to_regclass('networks') IS NULL", &[]).await?;
        if table.try_get(0)? {
            return Ok(true);
        }
        let row = connection.client().query_one("SELECT NOT EXISTS (SELECT FROM networks)", &[]).await?;
        row.try_get(0)
    };
    ask.await.map_err(|error: tokio_postgres::Error| connection.explain(&error))
}

/// Migrates. Returns when the process and its sessions are gone, some seconds after the timeout at the latest.
pub async fn run(kratos: &Kratos, job: &Job, progress: &UnboundedSender<Progress>) -> Outcome {
    let side = connect(&job.dsn, &job.holder_name()).await?;
    if !catalog::is_writable_primary(&side).await? {
        return Err(postgres::Error::ReadOnly { host: side.host().to_owned() }.into());
    }
    let Some(lock) = AdvisoryLock::try_acquire(&side, LockKey::MIGRATION).await? else {
        return Err(Failure::Locked { holder: name_holder(&side).await });
    };
    let outcome = run_locked(kratos, job, &side, progress).await;
    // The lock ends with its session in any case.
    if let Err(error) = lock.release().await {
        tracing::warn!("{error}");
    }
    outcome
}

async fn name_holder(side: &Connection) -> String {
    match holder(side, LockKey::MIGRATION).await {
        Ok(Some(holder)) => {
            let since = holder.since.map_or_else(String::new, |since| format!(", since {since}"));
            format!("{} (pid {}{since})", holder.application_name, holder.pid)
        }
        Ok(None) | Err(_) => "it has just ended".to_owned(),
    }
}

async fn run_locked(
    kratos: &Kratos,
    job: &Job,
    side: &Connection,
    progress: &UnboundedSender<Progress>,
) -> Outcome {
    for name in end_leftovers(side).await? {
        say(progress, format!("ended what an earlier run left: {name}"));
    }
    let known = known(kratos, &job.version, &job.dsn).await?;
    let before = look(side, &known).await?;
    if before.is_newer() {
        return Err(Failure::Newer { unknown: before.unknown.len(), version: job.version.to_string() });
    }
    let begun = Instant::now();
    if before.is_current() {
        return verdict(
            side,
            Verdict { before: &before, after: before.clone(), end: End::Exited(0), begun, job },
            "",
        )
        .await;
    }
    let pending =
        before.pending_count().map_or_else(|| "an unknown number of".to_owned(), |count| count.to_string());
    say(progress, format!("{pending} migrations pending for {}; timeout {} s", job.version, job.timeout));
    let dsn = job.process_dsn(side.server_version_num());
    let mut process = kratos.migrate(&job.version, &dsn, job.timeout.duration()).await?;
    let mut lines = Lines::new(&job.dsn, progress.clone());
    let watch =
        Watch { side, known: &known, total: before.applied + before.pending_count().unwrap_or(0), progress };
    let end = if watch.until(begun + job.timeout.duration(), &mut process, &mut lines).await {
        match process.wait(EXIT).await {
            Ok(code) => End::Exited(code),
            Err(error) => End::Lost(error.to_string()),
        }
    } else {
        say(progress, format!("timeout of {} s: stopping", job.timeout));
        stop(&mut process, &mut lines, side, &job.process_name()).await;
        End::Stopped
    };
    let errors = lines.finish();
    // The side connection may have died with its server; the truth is worth another.
    let fresh = connect(&job.dsn, &job.holder_name()).await?;
    let after = look(&fresh, &known).await?;
    verdict(&fresh, Verdict { before: &before, after, end, begun, job }, &errors).await
}

fn say(progress: &UnboundedSender<Progress>, text: String) {
    // Nobody may be listening any more.
    let _ = progress.send(Progress::Step(text));
}

/// How the process ended.
enum End {
    Exited(i64),
    Lost(String),
    Stopped,
}

struct Verdict<'a> {
    before: &'a Schema,
    after: Schema,
    end: End,
    begun: Instant,
    job: &'a Job,
}

/// The database decides: an exit code alone is neither success nor failure where it can tell.
async fn verdict(connection: &Connection, facts: Verdict<'_>, errors: &str) -> Outcome {
    let Verdict { before, after, end, begun, job } = facts;
    let applied = after.applied.saturating_sub(before.applied);
    let is_done = match after.pending_count() {
        Some(pending) => pending == 0,
        None => matches!(end, End::Exited(0)) && after.applied > 0,
    };
    if is_done {
        let invalid = catalog::invalid_indexes(connection).await?;
        if !invalid.is_empty() {
            return Err(Failure::InvalidIndexes(invalid.into_iter().map(|index| index.quoted).collect()));
        }
        return Ok(Report { applied, elapsed: begun.elapsed(), schema: after });
    }
    let reached = Reached { applied, pending: after.pending_count() };
    let reason = match end {
        End::Stopped => return Err(Failure::Stopped { timeout: job.timeout, reached }),
        End::Lost(reason) => reason,
        End::Exited(code) => match command::reason(errors) {
            reason if reason.is_empty() => format!("Kratos exited with {code}"),
            reason => format!("Kratos exited with {code}: {reason}"),
        },
    };
    Err(Failure::Failed { reason, reached })
}

/// Watches a process.
struct Watch<'a> {
    side: &'a Connection,
    known: &'a Known,
    total: usize,
    progress: &'a UnboundedSender<Progress>,
}

impl Watch<'_> {
    /// Reads the output until its end, or until the deadline; tells whether the end came.
    async fn until(&self, deadline: Instant, process: &mut KratosProcess, lines: &mut Lines<'_>) -> bool {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        looks.reset();
        let mut seen = None;
        loop {
            tokio::select! {
                biased;
                () = sleep_until(deadline) => return false,
                piece = process.next_output() => match piece {
                    Some(piece) => lines.push(&piece),
                    None => return true,
                },
                _ = looks.tick() => self.look(&mut seen).await,
            }
        }
    }

    /// Looks at nothing but the bookkeeping table, which no migration locks.
    async fn look(&self, seen: &mut Option<usize>) {
        let Ok(Ok(Some(rows))) = timeout(LOOK, catalog::applied_versions(self.side)).await else { return };
        let applied = Schema::compare(&rows, self.known, false).applied;
        if *seen != Some(applied) && self.total > 0 {
            say(self.progress, format!("{applied} of {} migrations applied", self.total));
            *seen = Some(applied);
        }
    }
}
