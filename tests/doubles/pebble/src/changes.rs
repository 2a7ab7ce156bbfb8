//! Changes and their tasks: what was asked for, how far it is, and what it said.
//!
//! It is given new changes and the progress of their tasks, and gives their JSON, waiting, and aborting. Everything is kept
//! in the state file, so that ids go on counting after a restart.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::Mutex,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::watch;

use super::{
    clock::Stamp,
    lock,
    record::{Change, Status, Task},
};

#[derive(Default, Serialize, Deserialize)]
struct State {
    last_change: u64,
    last_task: u64,
    changes: BTreeMap<u64, Change>,
}

/// All changes of the daemon.
pub struct Changes {
    file: PathBuf,
    state: Mutex<State>,
    aborts: Mutex<HashMap<u64, watch::Sender<bool>>>,
    version: watch::Sender<u64>,
}

/// A change to be made.
#[derive(Default)]
pub struct New {
    /// `start`, `stop`, `restart`, `replan`, `autostart`, `exec`, `perform-check`, `recover-check`.
    pub kind: String,
    /// One line for people.
    pub summary: String,
    /// The names that `for=` filters by.
    pub services: Vec<String>,
    /// Kind and summary of each task.
    pub tasks: Vec<(String, String)>,
}

impl Changes {
    /// Reads the state file, or begins anew. What had not finished is finished now: an exec as done without an exit code,
    /// the rest as failed, because the layers are gone.
    ///
    /// # Errors
    /// A state file that cannot be read.
    pub fn open(file: PathBuf) -> Result<Self, String> {
        let mut state = match std::fs::read(&file) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|error| format!("cannot read {file:?}: {error}"))?
            }
            Err(_) => State::default(),
        };
        for change in state.changes.values_mut().filter(|change| change.ready.is_none()) {
            let now = Stamp::now();
            for task in change.tasks.iter_mut().filter(|task| !task.status.ready()) {
                let service = matches!(task.kind.as_str(), "start" | "stop");
                task.status = if service { Status::Error } else { Status::Done };
                if service {
                    task.log
                        .push(format!("{} ERROR daemon stopped before the task was finished", now.seconds()));
                }
                task.ready = Some(now);
            }
            change.ready = Some(now);
        }
        Ok(Self { file, state: Mutex::new(state), aborts: Mutex::default(), version: watch::Sender::new(0) })
    }

    /// Mutates, keeps on disk, and wakes those who wait.
    fn mutate<T>(&self, mutation: impl FnOnce(&mut State) -> T) -> T {
        let mut state = lock(&self.state);
        let result = mutation(&mut state);
        self.save(&state);
        drop(state);
        self.version.send_modify(|version| *version += 1);
        result
    }

    fn save(&self, state: &State) {
        let new = self.file.with_extension("state~");
        let written = serde_json::to_vec(state)
            .map_err(std::io::Error::from)
            .and_then(|text| std::fs::write(&new, text))
            .and_then(|()| std::fs::rename(&new, &self.file));
        if let Err(error) = written {
            tracing::error!("cannot write {:?}: {error}", self.file);
        }
    }

    fn with_task(&self, id: u64, mutation: impl FnOnce(&mut Task)) {
        self.mutate(|state| {
            let Some(change) = state.changes.values_mut().rev().find(|c| c.tasks.iter().any(|t| t.id == id))
            else {
                return;
            };
            if let Some(task) = change.tasks.iter_mut().find(|task| task.id == id) {
                mutation(task);
            }
            if change.ready.is_none() && change.tasks.iter().all(|task| task.status.ready()) {
                change.ready = Some(Stamp::now());
            }
        });
    }

    /// Makes a change; gives its id and those of its tasks. Without tasks it is done at once.
    pub fn create(&self, new: New) -> (u64, Vec<u64>) {
        self.mutate(|state| {
            let spawn = Stamp::now();
            let tasks: Vec<Task> = new
                .tasks
                .into_iter()
                .map(|(kind, summary)| {
                    state.last_task += 1;
                    let (id, log, data) = (state.last_task, Vec::new(), Map::new());
                    Task { id, kind, summary, status: Status::Do, log, spawn, ready: None, data }
                })
                .collect();
            state.last_change += 1;
            let id = state.last_change;
            let ids = tasks.iter().map(|task| task.id).collect();
            let ready = tasks.is_empty().then(Stamp::now);
            let New { kind, summary, services, .. } = new;
            state.changes.insert(id, Change { id, kind, summary, services, tasks, spawn, ready });
            // Pebble keeps the newest thousand.
            while state.changes.len() > 1000 {
                state.changes.pop_first();
            }
            (id, ids)
        })
    }

    /// Begins a task, unless its change was aborted: then it is put on hold and this is false.
    pub fn begin(&self, task: u64) -> bool {
        let mut begun = false;
        self.with_task(task, |task| {
            if task.status == Status::Do {
                task.status = Status::Doing;
                begun = true;
            }
        });
        begun
    }

    /// Adds a line to a task's log (the ten newest are kept); `level` is INFO or ERROR.
    pub fn log(&self, task: u64, level: &str, text: &str) {
        self.with_task(task, |task| task.add_log(level, text));
    }

    /// Ends a task: done, or failed with a message that goes to its log.
    pub fn finish(&self, task: u64, result: &Result<(), String>) {
        self.with_task(task, |task| {
            if let Err(message) = result {
                task.add_log("ERROR", message);
            }
            task.end(if result.is_ok() { Status::Done } else { Status::Error });
        });
    }

    /// Ends a task as failed without a further line.
    pub fn fail(&self, task: u64) {
        self.with_task(task, |task| task.end(Status::Error));
    }

    /// Puts a task on hold.
    pub fn hold(&self, task: u64) {
        self.with_task(task, |task| task.end(Status::Hold));
    }

    /// Sets a datum of a task.
    pub fn set_data(&self, task: u64, name: &str, value: Value) {
        self.with_task(task, |task| {
            task.data.insert(name.into(), value);
        });
    }

    /// Becomes true when the change is aborted.
    pub fn aborted(&self, change: u64) -> watch::Receiver<bool> {
        let mut aborts = lock(&self.aborts);
        aborts.retain(|_, abort| abort.receiver_count() > 0);
        aborts.entry(change).or_insert_with(|| watch::Sender::new(false)).subscribe()
    }

    /// Aborts a change: running tasks shall stop, waiting ones are held. `None` when unknown, `Some(false)` when it has
    /// nothing left to abort.
    pub fn abort(&self, id: u64) -> Option<bool> {
        let found = self.mutate(|state| {
            let change = state.changes.get_mut(&id)?;
            if change.ready.is_some() {
                return Some(false);
            }
            for task in &mut change.tasks {
                match task.status {
                    Status::Do => task.end(Status::Hold),
                    Status::Doing => task.status = Status::Abort,
                    _ => {}
                }
            }
            if change.tasks.iter().all(|task| task.status.ready()) {
                change.ready = Some(Stamp::now());
            }
            Some(true)
        });
        if found == Some(true) {
            // Who looks later sees it from the tasks: a held one does not begin.
            if let Some(abort) = lock(&self.aborts).get(&id) {
                abort.send_replace(true);
            }
        }
        found
    }

    /// The JSON of a change.
    #[must_use]
    pub fn json(&self, id: u64) -> Option<Value> {
        lock(&self.state).changes.get(&id).map(Change::json)
    }

    /// Status and error of the change that a task belongs to, with the task's own status.
    #[must_use]
    pub fn of_task(&self, id: u64) -> Option<(Status, Option<String>)> {
        let state = lock(&self.state);
        let change = state.changes.values().find(|change| change.tasks.iter().any(|task| task.id == id))?;
        let task = change.tasks.iter().find(|task| task.id == id)?;
        Some((task.status, change.error()))
    }

    /// The changes that a filter lets through: `ready` chooses by readiness, `service` by name. They come in no order, as
    /// Pebble's do, so that no client gets used to one.
    #[must_use]
    pub fn list(&self, ready: Option<bool>, service: &str) -> Vec<Value> {
        let state = lock(&self.state);
        let found: HashMap<u64, Value> = state
            .changes
            .values()
            .filter(|change| ready.is_none_or(|ready| change.ready.is_some() == ready))
            .filter(|change| service.is_empty() || change.services.iter().any(|name| name == service))
            .map(|change| (change.id, change.json()))
            .collect();
        found.into_values().collect()
    }

    /// Waits until a change is ready; false when the time was over first, `None` when there is no such change.
    pub async fn wait(&self, id: u64, timeout: Option<Duration>) -> Option<bool> {
        let mut version = self.version.subscribe();
        let ready = async {
            loop {
                version.borrow_and_update();
                match lock(&self.state).changes.get(&id) {
                    None => return None,
                    Some(change) if change.ready.is_some() => return Some(true),
                    Some(_) => {}
                }
                if version.changed().await.is_err() {
                    return None;
                }
            }
        };
        match timeout {
            None => ready.await,
            Some(timeout) => tokio::time::timeout(timeout, ready).await.unwrap_or(Some(false)),
        }
    }
}
