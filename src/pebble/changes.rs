//! Changes: Pebble's records of what it does in the background, and waiting for them.

use super::client::Client;
use super::error::Error;
use super::values::{ChangeId, go_duration, null_as_default, open_enum};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The longest that one request waits for a change, so that a daemon that froze is noticed.
const WAIT_STEP: Duration = Duration::from_secs(4);
const POLL_STEP: Duration = Duration::from_millis(100);
/// Longer waits are cut to this; it only keeps the arithmetic with times from overflowing.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

open_enum! {
    /// How far a change or a task is.
    ChangeStatus {
        Hold = "Hold",
        Do = "Do",
        Doing = "Doing",
        Done = "Done",
        Abort = "Abort",
        Undo = "Undo",
        Undoing = "Undoing",
        Error = "Error",
        Wait = "Wait",
    }
}

/// One piece of background work.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Change {
    pub id: ChangeId,
    /// Such as "start", "replan", "exec", "perform-check".
    #[serde(default)]
    pub kind: String,
    #[serde(default)]
    pub summary: String,
    pub status: ChangeStatus,
    /// The steps; none for a replan that has nothing to do.
    #[serde(default, deserialize_with = "null_as_default")]
    pub tasks: Vec<Task>,
    /// Whether it has ended, well or not.
    #[serde(default)]
    pub ready: bool,
    /// Why it failed; absent if it did not.
    pub err: Option<String>,
    /// RFC 3339.
    #[serde(default)]
    pub spawn_time: String,
    pub ready_time: Option<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub data: Map<String, Value>,
}

/// One step of a change.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Task {
    pub id: String,
    #[serde(default)]
    pub kind: String,
    #[serde(default)]
    pub summary: String,
    pub status: ChangeStatus,
    /// Lines "TIME INFO|ERROR TEXT", the text possibly of several lines; about the ten newest are kept.
    #[serde(default, deserialize_with = "null_as_default")]
    pub log: Vec<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub progress: Progress,
    #[serde(default)]
    pub spawn_time: String,
    pub ready_time: Option<String>,
    /// What the step left behind, such as "exit-code" of a command.
    #[serde(default, deserialize_with = "null_as_default")]
    pub data: Map<String, Value>,
}

/// How far a task says it is; Pebble's own tasks say 1 of 1 from the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Progress {
    pub label: String,
    pub done: i64,
    pub total: i64,
}

impl Change {
    /// The failure of a change that ended in one.
    fn failure(&self) -> Option<Error> {
        let err = self.err.clone().filter(|err| !err.is_empty());
        if err.is_none() && self.status != ChangeStatus::Error {
            return None;
        }
        Some(Error::Change {
            id: self.id.to_string(),
            summary: self.summary.clone(),
            err: err.unwrap_or_default(),
            logs: self.tasks.iter().flat_map(|task| task.log.iter().cloned()).collect(),
        })
    }
}

impl Client {
    /// One change as it is now.
    pub async fn change(&self, id: &ChangeId) -> Result<Change, Error> {
        self.get(&format!("/v1/changes/{id}"), &[]).await?.result("change")
    }

    /// Waits until a change has ended well, for at most `limit`; a change that ended badly is
    /// [`Error::Change`].
    pub async fn wait_change(&self, id: &ChangeId, limit: Duration) -> Result<Change, Error> {
        let deadline = deadline(limit);
        let mut polling = false;
        loop {
            let remaining = deadline.saturating_duration_since(Instant::now());
            let answer = if polling {
                sleep(POLL_STEP.min(remaining)).await;
                self.change(id).await.map(Some)
            } else {
                self.wait_step(id, remaining.min(WAIT_STEP)).await
            };
            match answer {
                Ok(Some(change)) if change.ready => return change.failure().map_or(Ok(change), Err),
                Ok(_) => {}
                Err(Error::Unsupported { .. }) if !polling => polling = true,
                Err(error) => return Err(error),
            }
            if Instant::now() >= deadline {
                return Err(Error::Timeout { what: format!("Pebble's change {id}"), after: limit });
            }
        }
    }

    /// One request that waits on the daemon's side; None when the change is not ready after `step`.
    async fn wait_step(&self, id: &ChangeId, step: Duration) -> Result<Option<Change>, Error> {
        let path = format!("/v1/changes/{id}/wait");
        let timeout = go_duration(step);
        match self.get_within(&path, &[("timeout", &timeout)], step + self.timeout()).await {
            Ok(answer) => answer.result("change").map(Some),
            Err(Error::Api { code: 504, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The instant at which a wait of at most `limit` ends.
pub(super) fn deadline(limit: Duration) -> Instant {
    Instant::now() + limit.min(FOREVER)
}
