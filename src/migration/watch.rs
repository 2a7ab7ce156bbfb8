//! Watching the migration process: its output, how far it is, what it waits for, and its deadline.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::job::Job;
use super::output::{Lines, RunEvent, say};
use super::schema::{Known, Schema};
use crate::kratos::program::process::KratosProcess;
use crate::postgres::{Connection, activity, catalog, tables};

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
    /// About how many rows the tables had when the run was planned, by name.
    pub rows: &'a BTreeMap<String, u64>,
    pub progress: &'a UnboundedSender<RunEvent>,
}

impl Watch<'_> {
    /// Reads the output until its end, or until the deadline or a request to stop; tells whether the end came.
    pub async fn until(&self, deadline: Instant, process: &mut KratosProcess, lines: &mut Lines<'_>) -> bool {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        looks.reset();
        let begun = Instant::now();
        let updated = self.updated().await;
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
                // The server may be slow to answer, and nothing is to be waited for longer than the deadline.
                _ = looks.tick() => tokio::select! {
                    () = self.look(begun, &updated) => {}
                    () = sleep_until(deadline) => return false,
                    () = &mut canceled => return false,
                },
            }
        }
    }

    /// Looks at nothing but the bookkeeping table, which no migration locks, at the sessions and the statistics. `before` is
    /// what was updated before the process began.
    async fn look(&self, begun: Instant, before: &BTreeMap<String, u64>) {
        let elapsed = begun.elapsed().as_secs();
        if let Ok(Ok(Some(rows))) = timeout(ANSWER, catalog::applied_versions(self.side)).await
            && self.total > 0
        {
            let schema = Schema::compare(&rows, self.known, false);
            let mut current = String::new();
            if let Some(migration) = schema.pending.iter().flatten().next() {
                current = format!(
                    ", now {migration}{}{}",
                    self.index_build().await,
                    self.backfill(&migration.name, before).await
                );
            }
            let applied = schema.applied;
            say(
                self.progress,
                format!("{applied} of {} migrations applied{current}, {elapsed} s", self.total),
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

    /// Nothing if the server does not tell, or nobody is told.
    async fn updated(&self) -> BTreeMap<String, u64> {
        if self.total == 0 {
            return BTreeMap::new();
        }
        timeout(ANSWER, tables::updated(self.side)).await.ok().and_then(Result::ok).unwrap_or_default()
    }

    /// How many rows a backfill has changed. One that works in batches names its table (`Backfill column … in …`), and each
    /// batch shows in the server's statistics: to count the rows that are left would mean to read the whole table. How
    /// many there are is the plan's to tell: the statistics of a table that was filled just now say 0 for some seconds.
    async fn backfill(&self, name: &str, before: &BTreeMap<String, u64>) -> String {
        let now = self.updated().await;
        let progress = |table: &str| {
            let done = now.get(table)?.saturating_sub(before.get(table).copied().unwrap_or_default());
            let of = match self.rows.get(table) {
                Some(rows) if *rows >= done => format!(" of {rows}"),
                _ => String::new(),
            };
            (done > 0).then(|| format!(", backfill: about {done}{of} rows of {table}"))
        };
        name.split_whitespace().filter_map(progress).collect()
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
