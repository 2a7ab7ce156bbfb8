//! Stopping a migration so that nothing of it is left behind.
//!
//! First the statement is canceled on the server, then the process ends by itself or is ended, then its sessions
//! are waited for. The other way round, the session of a killed process goes on, holds its locks, and commits a
//! migration that nobody books.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::output::Lines;
use crate::kratos::program::process::{EndSignal, KratosProcess};
use crate::postgres::{Connection, activity};

/// From the deadline until no session of ours holds a lock any more.
pub const LIMIT: Duration = Duration::from_secs(5);
/// Kratos ends within milliseconds after its statement was canceled; between two statements it is canceled again.
const CANCELING: Duration = Duration::from_millis(2500);
const BETWEEN_CANCELS: Duration = Duration::from_millis(100);
/// From SIGTERM, on which Kratos ends at once, to SIGKILL.
const TERMINATING: Duration = Duration::from_secs(1);
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
/// An answer of the server to one of our questions.
const ANSWER: Duration = Duration::from_millis(1500);

/// Ends `process` and all sessions named `name`; `side` is a connection to the same database.
pub async fn stop(process: &mut KratosProcess, lines: &mut Lines<'_>, side: &Connection, name: &str) {
    let end = Instant::now() + LIMIT;
    let canceling = Instant::now() + CANCELING;
    let mut has_ended = false;
    while !has_ended && Instant::now() < canceling {
        match timeout(ANSWER, activity::cancel_unless_booking(side, name)).await {
            Ok(Ok(_)) => has_ended = drain(process, lines, BETWEEN_CANCELS).await,
            // A server that does not answer cannot cancel either.
            Ok(Err(_)) | Err(_) => break,
        }
    }
    for signal in [EndSignal::Terminate, EndSignal::Kill] {
        if !has_ended {
            process.end(signal).await;
            has_ended = drain(process, lines, TERMINATING).await;
        }
    }
    end_sessions(side, name, end).await;
}

/// Waits for the sessions of a process that has ended: of a killed one they go on until the server notices, which the
/// process' connection parameters make happen within a second. Those that stay longer than `end` are ended.
pub async fn end_sessions(side: &Connection, name: &str, end: Instant) {
    loop {
        match timeout(ANSWER, activity::wait_gone(side, name, end.min(Instant::now() + BETWEEN_LOOKS))).await
        {
            Ok(Ok(left)) if left.is_empty() => return,
            Ok(Ok(_)) if Instant::now() < end => {}
            _ => break,
        }
    }
    tracing::warn!("ending the sessions that the migration left");
    // A server that does not answer has ended them, or the next run does.
    let _ = timeout(ANSWER, activity::terminate(side, name)).await;
    let _ = timeout(ANSWER, activity::wait_gone(side, name, Instant::now() + ANSWER)).await;
}

/// Reads output until its end or for at most `limit`; tells whether the end came.
async fn drain(process: &mut KratosProcess, lines: &mut Lines<'_>, limit: Duration) -> bool {
    let read = async {
        while let Some(piece) = process.next_output().await {
            lines.push(&piece);
        }
    };
    timeout(limit, read).await.is_ok()
}
