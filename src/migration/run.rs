//! One run of the migration: plan, checks, lock, fence, process, deadline, verdict.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, sleep, timeout};

use super::counts::{self, Counts};
use super::failure::Failure;
use super::holder::name_holder;
use super::job::{Job, connect};
use super::leftovers::end_leftovers;
use super::lockers::name_lockers;
use super::login::Login;
use super::outcome::{MigrationReport, Outcome};
use super::output::{Lines, RunEvent, say};
use super::preflight::{preflight_of_unused, refuse_pooler};
use super::prepare::{Prepared, prepare};
use super::program::{ProgramMigrations, words};
use super::schema::{Migration, Schema};
use super::sessions::OUR_SESSIONS;
use super::stop::{LIMIT, end_sessions, stop};
use super::survey::{lift, look};
use super::trail::{Reached, Trail};
use super::verdict::{FinishedRun, ProcessEnd, check_indexes, verdict};
use super::watch::{Watch, blockers};
use crate::kratos::program::command::{Kratos, ping_failure};
use crate::postgres::{self, AdvisoryLock, Connection, LockKey, catalog, fence};

/// From the end of the output to the exit code.
const EXIT: Duration = Duration::from_secs(5);
/// What a migration fails with that did not get a lock, or met somebody who waited for its own.
const LOCKED: [&str; 2] = ["55P03", "40P01"];
/// How long a migration waits for a lock before it lets those behind it pass, and tries again.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);
const BETWEEN_TRIES: Duration = Duration::from_secs(1);
const MOST_TRIES: usize = 100;
/// How long the server may take to say that it is still there.
const ANSWER: Duration = Duration::from_secs(5);

/// Migrates. Returns when the process and its sessions are gone, some seconds after the timeout at the latest, and
/// the fence is down. `asked` is the earlier listing of the program, if there is one. `quiesce` ends what must not run on a database that changes; it is awaited when nothing can refuse
/// the run any more, and only if there is something to migrate.
pub async fn run(
    kratos: &Kratos,
    job: &Job,
    asked: Option<&ProgramMigrations>,
    progress: &UnboundedSender<RunEvent>,
    quiesce: impl Future<Output = ()>,
) -> Outcome {
    let side = connect(&job.dsn, &job.holder_name()).await?;
    if !catalog::is_writable_primary(&side).await? {
        return Err(postgres::Error::ReadOnly { host: side.host().to_owned() }.into());
    }
    refuse_pooler(&side, &job.dsn).await?;
    // A proxy may have left them out at the login.
    side.make_settings().await?;
    refuse_if_canceled(job)?;
    let Some(lock) = AdvisoryLock::try_acquire(&side, LockKey::MIGRATION).await? else {
        return Err(Failure::Locked { holder: name_holder(&side).await });
    };
    let outcome = match run_locked(kratos, job, asked, &side, progress, quiesce).await {
        // Asked while the lock is held: the one in the way is none of ours.
        Err(failure) => Err(name_lockers(&side, failure).await),
        outcome => outcome,
    };
    // The lock ends with its session in any case.
    if let Err(error) = lock.release().await {
        tracing::warn!("{error}");
    }
    outcome
}

async fn run_locked(
    kratos: &Kratos,
    job: &Job,
    asked: Option<&ProgramMigrations>,
    side: &Connection,
    progress: &UnboundedSender<RunEvent>,
    quiesce: impl Future<Output = ()>,
) -> Outcome {
    for name in end_leftovers(side).await? {
        say(progress, format!("ended what an earlier run left: {name}"));
    }
    // Asked before Kratos, because it tells a missing privilege better.
    if catalog::applied_versions(side).await?.is_none() && !catalog::has_tables(side).await? {
        return run_fresh(kratos, job, asked, side, progress, quiesce).await;
    }
    let login = Login::find(job, side).await?;
    let program = ProgramMigrations::asked_or_ask(asked, kratos, &job.version, &job.dsn).await?;
    let before = look(side, &program.known).await?;
    if before.is_newer() {
        return Err(Failure::Newer { unknown: before.unknown.len(), version: job.version.to_string() });
    }
    // Nobody ever served from the database: there is nothing to be careful with.
    let is_careful = !before.is_current() && !before.unused;
    refuse_if_canceled(job)?;
    let prepared = match is_careful {
        true => prepare(kratos, job, side, &program, &before, progress).await?,
        false => Prepared::default(),
    };
    refuse_if_canceled(job)?;
    let run = LockedRun {
        kratos,
        job,
        side,
        login,
        program: &program,
        before: &before,
        prepared: &prepared,
        progress,
    };
    if is_careful {
        run.say_login();
        return run.behind_the_fence(quiesce).await;
    }
    respect_administrator(job, side).await?;
    if !before.is_current() {
        refuse_without_rights(job, side, before.pending.as_deref()).await?;
    }
    let outcome = run.go(&Counts::new(), quiesce).await;
    // A run that was killed after its last migration left it.
    run.lift(outcome).await
}

/// Migrates a database with nothing in it. What the program carries is needed for the verdict only, so it is
/// asked, if nobody has, while it migrates.
async fn run_fresh(
    kratos: &Kratos,
    job: &Job,
    asked: Option<&ProgramMigrations>,
    side: &Connection,
    progress: &UnboundedSender<RunEvent>,
    quiesce: impl Future<Output = ()>,
) -> Outcome {
    respect_administrator(job, side).await?;
    refuse_without_rights(job, side, None).await?;
    let login = Login::find(job, side).await?;
    let (nothing, prepared) = (ProgramMigrations::default(), Prepared::default());
    let before = Schema::compare(&BTreeSet::new(), &nothing.known, true);
    let run = LockedRun {
        kratos,
        job,
        side,
        login,
        program: &nothing,
        before: &before,
        prepared: &prepared,
        progress,
    };
    refuse_if_canceled(job)?;
    quiesce.await;
    let begun = Instant::now();
    let mut trail = Trail { begun: run.clock().await?, ..Trail::default() };
    say(progress, format!("a fresh database for {}; timeout {} s", job.version, job.timeout));
    let ask = ProgramMigrations::asked_or_ask(asked, kratos, &job.version, &job.dsn);
    let attempt = run.attempt(&before, begun + job.timeout.duration(), &mut trail);
    let (program, end) = tokio::join!(ask, attempt);
    let (program, end, counts) = (program?, end?, Counts::new());
    let elapsed = begun.elapsed();
    verdict(FinishedRun { job, program: &program, before: &before, counts: &counts, elapsed, trail }, end)
        .await
}

/// A request to stop that came before Kratos was started leaves everything as it was.
fn refuse_if_canceled(job: &Job) -> Result<(), Failure> {
    if job.is_canceled() { Err(Failure::Canceled) } else { Ok(()) }
}

/// Our connections override a read-only setting of the role, which an administrator may have made for a reason.
async fn respect_administrator(job: &Job, side: &Connection) -> Result<(), Failure> {
    if fence::state(side).await?.is_none_or(|state| state.is_marked_ours()) {
        return Ok(());
    }
    let (role, database) = (job.dsn.username().to_owned(), job.dsn.database().to_owned());
    Err(Failure::Fence(fence::FenceError::Foreign { role, database }.to_string()))
}

/// A missing right would stop Kratos somewhere in the middle.
async fn refuse_without_rights(
    job: &Job,
    side: &Connection,
    pending: Option<&[Migration]>,
) -> Result<(), Failure> {
    let report = preflight_of_unused(side, job.dsn.database(), pending).await;
    report.refusal().map_or(Ok(()), |refusal| Err(Failure::Refused(refusal)))
}

/// A run that holds the lock.
struct LockedRun<'a> {
    kratos: &'a Kratos,
    job: &'a Job,
    side: &'a Connection,
    login: Login,
    program: &'a ProgramMigrations,
    before: &'a Schema,
    prepared: &'a Prepared,
    progress: &'a UnboundedSender<RunEvent>,
}

impl LockedRun<'_> {
    fn say_login(&self) {
        if self.login == Login::Bare {
            let text = "a proxy leaves out the settings of a session: a statement may wait for a lock until the timeout";
            say(self.progress, text.to_owned());
        }
    }

    /// Raises the fence, runs, and lifts the fence whatever happened.
    async fn behind_the_fence(&self, quiesce: impl Future<Output = ()>) -> Outcome {
        let outcome = match self.raise().await {
            Ok(()) => match counts::count(self.side).await {
                Ok(counts) => self.go(&counts, quiesce).await,
                Err(error) => Err(error.into()),
            },
            Err(failure) => Err(failure),
        };
        self.lift(outcome).await
    }

    async fn raise(&self) -> Result<(), Failure> {
        let raised =
            fence::raise(self.side, &self.job.who, &OUR_SESSIONS, &words(&self.program.listed)).await;
        raised.map_err(|error| Failure::Fence(error.to_string()))?;
        if self.login == Login::Bare && fence::is_read_only_default(self.side).await? {
            let text = "no triggers can be made, and the proxy leaves out what would let the migration itself write: give it \
                        the address of the database itself, past the proxy";
            return Err(Failure::Fence(text.to_owned()));
        }
        say(self.progress, "write fence raised: old servers go on reading, and cannot write".to_owned());
        let writers = fence::writers(self.side, &self.prepared.own, &OUR_SESSIONS).await?;
        let text = |writer: &fence::Writer| {
            format!("{} (user {}, pid {})", writer.application_name, writer.user, writer.pid)
        };
        let others: Vec<String> = writers.iter().filter(|writer| !writer.superuser).map(text).collect();
        if others.is_empty() {
            return Ok(());
        }
        Err(Failure::Fence(format!("these sessions can still write: {}", others.join(", "))))
    }

    /// Lifts the fence after the run. Nobody can log in behind one, so a run that leaves it up has not succeeded.
    async fn lift(&self, outcome: Outcome) -> Outcome {
        let failure = match lift(self.side, &self.job.dsn, &self.job.who).await {
            Ok(is_lifted) => {
                if is_lifted {
                    say(self.progress, "write fence lifted".to_owned());
                }
                return outcome;
            }
            Err(failure) => failure,
        };
        let reason = format!("the write fence is still up: {failure}");
        tracing::error!("{reason}");
        let report = outcome?;
        let reached = Reached { applied: report.applied, pending: Some(0), trail: Box::new(report.trail) };
        Err(Failure::Failed { reason, reached })
    }

    async fn go(&self, counts: &Counts, quiesce: impl Future<Output = ()>) -> Outcome {
        let before = self.before;
        let begun = Instant::now();
        let mut trail =
            Trail { begun: self.clock().await?, digest: self.prepared.digest.clone(), steps: Vec::new() };
        if before.is_current() {
            check_indexes(self.side, self.program).await?;
            let elapsed = begun.elapsed();
            return Ok(MigrationReport {
                applied: 0,
                elapsed,
                schema: before.clone(),
                counts: Counts::new(),
                trail,
            });
        }
        refuse_if_canceled(self.job)?;
        quiesce.await;
        let begun = Instant::now();
        let pending = before.pending_count().map_or_else(|| "unknown".to_owned(), |count| count.to_string());
        let Job { version, timeout, .. } = self.job;
        say(self.progress, format!("{pending} migrations pending for {version}; timeout {timeout} s"));
        let deadline = begun + timeout.duration();
        let mut tries = 0;
        let end = loop {
            let end = self.attempt(before, deadline, &mut trail).await?;
            tries += 1;
            match &end {
                ProcessEnd::Exited { errors, .. }
                    if self.prepared.may_give_up
                        && LOCKED.iter().any(|code| errors.contains(code))
                        && tries < MOST_TRIES
                        && Instant::now() + BETWEEN_TRIES < deadline =>
                {
                    say(
                        self.progress,
                        "a lock was not free: those behind may pass, then it is tried again".to_owned(),
                    );
                    sleep(BETWEEN_TRIES).await;
                    if self.job.is_canceled() {
                        break ProcessEnd::Stopped { blockers: Vec::new() };
                    }
                    if let Err(reason) = self.still_locked().await {
                        break ProcessEnd::Lost(reason);
                    }
                }
                _ => break end,
            }
        };
        let finished = FinishedRun {
            job: self.job,
            program: self.program,
            before,
            counts,
            elapsed: begun.elapsed(),
            trail,
        };
        verdict(finished, end).await
    }

    /// Runs Kratos once.
    async fn attempt(
        &self,
        before: &Schema,
        deadline: Instant,
        trail: &mut Trail,
    ) -> Result<ProcessEnd, Failure> {
        let begun = Instant::now();
        let lock_timeout = self.prepared.may_give_up.then_some(LOCK_TIMEOUT);
        let dsn = self.login.process_dsn(self.job, self.side.server_version_num(), lock_timeout);
        let limit = deadline.saturating_duration_since(begun);
        let mut process = self.kratos.migrate(&self.job.version, &dsn, limit).await?;
        let mut lines = Lines::new(&self.job.dsn, self.progress.clone());
        let name = self.job.process_name();
        let total = before.pending_count().map_or(0, |pending| before.applied + pending);
        let watch = Watch {
            job: self.job,
            side: self.side,
            name: &name,
            known: &self.program.known,
            total,
            rows: &self.prepared.rows,
            progress: self.progress,
        };
        let end = if watch.until(deadline, &mut process, &mut lines).await {
            let end = process.wait(EXIT).await.map_err(|error| error.to_string());
            end_sessions(self.side, &name, Instant::now() + LIMIT).await;
            end
        } else {
            say(
                self.progress,
                match self.job.is_canceled() {
                    true => "asked to stop: stopping".to_owned(),
                    false => format!("timeout of {} s: stopping", self.job.timeout),
                },
            );
            let blockers = blockers(self.side, &name).await;
            stop(&mut process, &mut lines, self.side, &name).await;
            let output = lines.finish();
            // More time helps no process that never came to its database.
            let reason = ping_failure(&output.errors).filter(|_| output.steps.is_empty());
            trail.steps.extend(output.steps);
            return Ok(match reason {
                Some(reason) => ProcessEnd::Lost(format!("Kratos did not reach the database: {reason}")),
                None => ProcessEnd::Stopped { blockers },
            });
        };
        let output = lines.finish();
        trail.steps.extend(output.steps);
        Ok(match end {
            Ok(code) => ProcessEnd::Exited { code, errors: output.errors },
            Err(reason) => ProcessEnd::Lost(reason),
        })
    }

    /// Without the connection that holds the lock, another run may have begun.
    async fn still_locked(&self) -> Result<(), String> {
        match timeout(ANSWER, self.clock()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(failure)) => Err(failure.to_string()),
            Err(_) => Err("PostgreSQL does not answer any more".to_owned()),
        }
    }

    /// Now, by the database's clock.
    async fn clock(&self) -> Result<String, Failure> {
        const NOW: &str = r#"SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"#;
        let ask = async { self.side.client().query_one(NOW, &[]).await?.try_get(0) };
        ask.await.map_err(|error: tokio_postgres::Error| self.side.explain(&error).into())
    }
}
