//! Actions as Juju keeps them: an operation with one task for each unit.

use std::time::SystemTime;

use serde_json::{Map, Value};

use super::{Model, ModelError, application_of};

/// How far a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskStatus {
    /// It waits for its unit.
    Pending,
    /// Its process runs.
    Running,
    /// It ended well.
    Completed,
    /// It ended badly; the message says why.
    Failed,
    /// It was cancelled before it started.
    Cancelled,
    /// It was cancelled; its process has not ended yet.
    Aborting,
    /// It was cancelled and its process was killed.
    Aborted,
}

impl TaskStatus {
    /// Juju's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Aborting => "aborting",
            Self::Aborted => "aborted",
        }
    }

    /// Whether nothing more will happen.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled | Self::Aborted)
    }
}

/// One run of an action on one unit.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its id.
    pub id: u32,
    /// Its operation.
    pub operation: u32,
    /// The unit.
    pub unit: String,
    /// The action.
    pub action: String,
    /// Parameters with defaults filled in.
    pub params: Map<String, Value>,
    /// How far it is.
    pub status: TaskStatus,
    /// Why it failed.
    pub message: String,
    /// Results; Juju's own return-code, stdout and stderr among them at the end.
    pub results: Map<String, Value>,
    /// What action-log said.
    pub log: Vec<(SystemTime, String)>,
    /// When it was asked for.
    pub enqueued: SystemTime,
    /// When its process started.
    pub started: Option<SystemTime>,
    /// When it was final.
    pub completed: Option<SystemTime>,
}

/// What one `juju run` asked for.
#[derive(Debug, Clone)]
pub struct Operation {
    /// Its id.
    pub id: u32,
    /// `ACTION run on UNITS`.
    pub summary: String,
    /// Its tasks.
    pub tasks: Vec<u32>,
    /// When it was asked for.
    pub enqueued: SystemTime,
}

// Juju keeps about this many messages of a task.
const LOG_LIMIT: usize = 1000;

impl Model {
    /// Asks for an action on units and gives the operation's id.
    ///
    /// # Errors
    /// A unit or the action is not there; the parameters break the action's schema.
    pub fn enqueue(
        &mut self,
        units: &[String],
        action: &str,
        params: &Map<String, Value>,
        now: SystemTime,
    ) -> Result<u32, ModelError> {
        let mut resolved = Vec::new();
        for unit in units {
            self.unit(unit)?;
            let schema =
                self.application(application_of(unit))?.charm.actions.get(action).ok_or_else(|| {
                    ModelError::Invalid(format!("action \"{action}\" not defined on unit \"{unit}\""))
                })?;
            resolved.push((unit, schema.resolve(params)?));
        }
        let operation = self.take_task_id();
        let mut tasks = Vec::new();
        for (unit, params) in resolved {
            let id = self.take_task_id();
            tasks.push(id);
            let task = Task {
                id,
                operation,
                unit: unit.clone(),
                action: action.to_owned(),
                params,
                status: TaskStatus::Pending,
                message: String::new(),
                results: Map::new(),
                log: Vec::new(),
                enqueued: now,
                started: None,
                completed: None,
            };
            self.tasks.insert(id, task);
        }
        let receivers: Vec<String> =
            units.iter().map(|unit| format!("unit-{}", unit.replace('/', "-"))).collect();
        let summary = format!("{action} run on {}", receivers.join(","));
        self.operations.insert(operation, Operation { id: operation, summary, tasks, enqueued: now });
        Ok(operation)
    }

    /// The task of that id.
    ///
    /// # Errors
    /// `task "9" not found`.
    pub fn task(&self, id: u32) -> Result<&Task, ModelError> {
        self.tasks.get(&id).ok_or_else(|| ModelError::not_found("task", &id.to_string()))
    }

    /// As [`Model::task`], to change it.
    ///
    /// # Errors
    /// `task "9" not found`.
    pub fn task_mut(&mut self, id: u32) -> Result<&mut Task, ModelError> {
        self.tasks.get_mut(&id).ok_or_else(|| ModelError::not_found("task", &id.to_string()))
    }

    /// Adds a message of action-log.
    pub fn log_task(&mut self, id: u32, message: &str, now: SystemTime) {
        if let Some(task) = self.tasks.get_mut(&id) {
            task.log.push((now, message.to_owned()));
            let over = task.log.len().saturating_sub(LOG_LIMIT);
            task.log.drain(..over);
        }
    }

    /// Cancels a task: a pending one is cancelled, a running one aborting. Gives its new status.
    ///
    /// # Errors
    /// The task is not there.
    pub fn cancel(&mut self, id: u32, now: SystemTime) -> Result<TaskStatus, ModelError> {
        let task = self.task_mut(id)?;
        match task.status {
            TaskStatus::Pending => (task.status, task.completed) = (TaskStatus::Cancelled, Some(now)),
            TaskStatus::Running => task.status = TaskStatus::Aborting,
            _ => {}
        }
        Ok(task.status)
    }
}
