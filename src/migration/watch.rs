//! Watching the migration process: its output, how far it is, what it waits for, and its deadline.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::job::Job;
use super::output::{Lines, Progress, say};
use super::schema::{Known, Schema};
use crate::kratos::process::KratosProcess;
use crate::postgres::{Connection, activity, catalog};

/// Between two looks at how far it is.
const LOOK: Duration = Duration::from_secs(5);
/// How long the server may take to say who is in the way.
const ANSWER: Duration = Duration::from_secs(1);

/// What is watched.
pub(super) struct Watch<'a> {
    pub job: &'a Job,
    pub side: &'a Connection,
    /// The name of the process' sessions.
    pub name: &'a str,
    pub known: &'a Known,
    /// All migrations that there will be; 0: the program cannot tell.
    pub total: usize,
    pub progress: &'a UnboundedSender<Progress>,
}

impl Watch<'_> {
    /// Reads the output until its end, or until the deadline or a request to stop; tells whether the end came.
    pub async fn until(&self, deadline: Instant, process: &mut KratosProcess, lines: &mut Lines<'_>) -> bool {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        looks.reset();
        let begun = Instant::now();
        let mut canceled = pin!(self.job.canceled());
        loop {
            tokio::select! {
                biased;
                () = sleep_until(deadline) => return false,
                () = &mut canceled => return false,
                piece = process.next_output() => match piece {
                    Some(piece) => lines.push(&piece),
                    None => return true,
                },
                _ = looks.tick() => self.look(begun).await,
            }
        }
    }

    /// Looks at nothing but the bookkeeping table, which no migration locks, and at the sessions.
    async fn look(&self, begun: Instant) {
        let elapsed = begun.elapsed().as_secs();
        if let Ok(Ok(Some(rows))) = timeout(ANSWER, catalog::applied_versions(self.side)).await
            && self.total > 0
        {
            let schema = Schema::compare(&rows, self.known, false);
            let current = schema.pending.iter().flatten().next();
            let current = current.map_or_else(String::new, |migration| format!(", now {migration}"));
            let index = self.index_build().await;
            say(
                self.progress,
                format!(
                    "{} of {} migrations applied{current}{index}, {elapsed} s",
                    schema.applied, self.total
                ),
            );
        }
        for blocker in blockers(self.side, self.name).await {
            say(self.progress, format!("waiting for a lock: {blocker}"));
        }
    }

    /// How far the build of an index is, if one is being built.
    async fn index_build(&self) -> String {
        const SQL: &str = "SELECT p.phase, p.blocks_done, p.blocks_total
            FROM pg_stat_progress_create_index p JOIN pg_stat_activity a USING (pid)
            WHERE a.datname = current_database() AND a.application_name = left($1, 63)";
        let read = async {
            let row = self.side.client().query_opt(SQL, &[&self.name]).await.ok()??;
            let (phase, done, total): (String, i64, i64) =
                (row.try_get(0).ok()?, row.try_get(1).ok()?, row.try_get(2).ok()?);
            Some(format!(", index: {phase}, {done} of {total} blocks"))
        };
        timeout(ANSWER, read).await.ok().flatten().unwrap_or_default()
    }
}

/// The sessions that the process waits for, each with what a person needs to find it.
pub(super) async fn blockers(side: &Connection, name: &str) -> Vec<String> {
    let Ok(Ok(blockers)) = timeout(ANSWER, activity::blockers(side, name)).await else { return Vec::new() };
    let text = |blocker: activity::Blocker| {
        let user = blocker.user.unwrap_or_else(|| "unknown".to_owned());
        let application = match blocker.application_name.as_str() {
            "" => String::new(),
            name => format!(", application {name}"),
        };
        // Of other roles' sessions an ordinary role sees neither.
        let state = blocker.state.map_or_else(String::new, |state| format!(", {state}"));
        let age = blocker.transaction_seconds.map_or_else(String::new, |age| format!(", for {age:.0} s"));
        let pid = blocker.pid;
        format!(
            "pid {pid} (user {user}{application}{state}{age}; to end it: SELECT pg_terminate_backend({pid}))"
        )
    };
    blockers.into_iter().map(text).collect()
}
