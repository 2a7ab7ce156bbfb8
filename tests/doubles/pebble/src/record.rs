//! A change and its tasks as plain data: status, log, JSON.
//!
//! It is given what [`super::changes`] does to them and gives the forms in which clients and the state file see them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::clock::Stamp;

/// Where a task or change stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Will not be done, because an earlier one of its lane failed.
    Hold,
    /// Waits for its turn.
    Do,
    /// Runs.
    Doing,
    /// Runs, but shall stop.
    Abort,
    /// Finished.
    Done,
    /// Failed.
    Error,
}

impl Status {
    pub(super) fn ready(self) -> bool {
        matches!(self, Self::Hold | Self::Done | Self::Error)
    }
}

/// A step of a change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) id: u64,
    pub(super) kind: String,
    pub(super) summary: String,
    pub(super) status: Status,
    pub(super) log: Vec<String>,
    pub(super) spawn: Stamp,
    pub(super) ready: Option<Stamp>,
    pub(super) data: Map<String, Value>,
}

/// Something asked for that takes time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Change {
    pub(super) id: u64,
    pub(super) kind: String,
    pub(super) summary: String,
    /// The names that `for=` filters by.
    pub(super) services: Vec<String>,
    pub(super) tasks: Vec<Task>,
    pub(super) spawn: Stamp,
    pub(super) ready: Option<Stamp>,
}

impl Change {
    pub(super) fn status(&self) -> Status {
        let has = |status| self.tasks.iter().any(|task| task.status == status);
        [Status::Abort, Status::Doing, Status::Do, Status::Error, Status::Done, Status::Hold]
            .into_iter()
            .find(|status| has(*status))
            .unwrap_or(Status::Done)
    }

    pub(super) fn error(&self) -> Option<String> {
        let failed: Vec<String> = self
            .tasks
            .iter()
            .filter(|task| task.status == Status::Error)
            .flat_map(|task| {
                task.log.iter().filter_map(|line| {
                    let (_, message) = line.split_once(" ERROR ")?;
                    Some(format!("- {} ({message})", task.summary))
                })
            })
            .collect();
        (self.status() == Status::Error)
            .then(|| format!("cannot perform the following tasks:\n{}", failed.join("\n")))
    }

    pub(super) fn json(&self) -> Value {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| fields.insert(name.into(), value);
        put("id", self.id.to_string().into());
        put("kind", self.kind.clone().into());
        put("summary", self.summary.clone().into());
        put("status", format!("{:?}", self.status()).into());
        if !self.tasks.is_empty() {
            put("tasks", self.tasks.iter().map(Task::json).collect());
        }
        put("ready", self.ready.is_some().into());
        if let Some(error) = self.ready.and_then(|_| self.error()) {
            put("err", error.into());
        }
        put("spawn-time", self.spawn.to_string().into());
        if let Some(ready) = self.ready {
            put("ready-time", ready.to_string().into());
        }
        Value::Object(fields)
    }
}

impl Task {
    pub(super) fn json(&self) -> Value {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| fields.insert(name.into(), value);
        put("id", self.id.to_string().into());
        put("kind", self.kind.clone().into());
        put("summary", self.summary.clone().into());
        put("status", format!("{:?}", self.status).into());
        if !self.log.is_empty() {
            put("log", self.log.clone().into());
        }
        put("progress", json!({"label": "", "done": 1, "total": 1}));
        put("spawn-time", self.spawn.to_string().into());
        if let Some(ready) = self.ready {
            put("ready-time", ready.to_string().into());
        }
        if !self.data.is_empty() {
            put("data", Value::Object(self.data.clone()));
        }
        Value::Object(fields)
    }
}

impl Task {
    pub(super) fn add_log(&mut self, level: &str, text: &str) {
        self.log.push(format!("{} {level} {text}", Stamp::now().seconds()));
        if self.log.len() > 10 {
            self.log.remove(0);
        }
    }

    pub(super) fn end(&mut self, status: Status) {
        if !self.status.ready() {
            self.status = status;
            self.ready = Some(Stamp::now());
        }
    }
}
