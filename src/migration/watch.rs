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
const LOOK: Duration = Duration::from_secs(2);
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
        let mut seen = None;
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
                _ = looks.tick() => self.look(&mut seen).await,
            }
        }
    }

    /// Looks at nothing but the bookkeeping table, which no migration locks, and at the sessions.
    async fn look(&self, seen: &mut Option<usize>) {
        if let Ok(Ok(Some(rows))) = timeout(LOOK, catalog::applied_versions(self.side)).await {
            let applied = Schema::compare(&rows, self.known, false).applied;
            if *seen != Some(applied) && self.total > 0 {
                say(self.progress, format!("{applied} of {} migrations applied", self.total));
                *seen = Some(applied);
            }
        }
        for blocker in blockers(self.side, self.name).await {
            say(self.progress, format!("waiting for a lock: {blocker}"));
        }
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
