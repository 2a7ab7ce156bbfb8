//! The queue: runs events until no unit has one, and what an operator does to units that wait.

use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Engine, Error};
use crate::model::{Event, TaskStatus};

/// Events that one settling runs at most; charms that never come to rest would keep it forever.
const EVENT_LIMIT: usize = 2000;
/// How often a failed hook runs again by itself.
const RETRIES: u32 = 5;

impl Engine {
    /// Runs events until nothing is left, apart from units that are busy with an action or wait in error.
    pub async fn settle(self: &Arc<Self>) {
        let engine = Arc::clone(self);
        // A task of its own: whoever stops waiting (a timeout, Ctrl-C) does not tear a dispatch in two.
        let _ = tokio::spawn(async move { engine.run_queue().await }).await;
    }

    async fn run_queue(self: &Arc<Self>) {
        let _turn = self.turn.lock().await;
        for _ in 0..EVENT_LIMIT {
            let Some((unit, event)) = self.next() else {
                self.drop_gone_pods().await;
                return;
            };
            if event.is_action() {
                self.run_beside(unit, event);
            } else {
                self.dispatch(&unit, event).await;
            }
        }
        self.note("", "ERROR", "sandbox", &format!("charms do not come to rest: {EVENT_LIMIT} events ran"));
    }

    // An action does not stop other units; when it ends, its own unit goes on.
    fn run_beside(self: &Arc<Self>, unit: String, event: Event) {
        let engine = Arc::clone(self);
        // The cycle settle -> run_beside -> settle needs a boxed future.
        let run: std::pin::Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
            engine.dispatch(&unit, event).await;
            engine.settle().await;
            engine.changed();
        });
        tokio::spawn(run);
    }

    // The next event, units taking turns; its unit is marked as running.
    fn next(&self) -> Option<(String, Event)> {
        let found = {
            let state = self.state();
            if state.stopping {
                return None;
            }
            let names = state.model.unit_names();
            let after = state.last.as_ref().and_then(|last| names.iter().position(|name| name == last));
            let start = after.map_or(0, |at| at + 1);
            let turns = names.iter().cycle().skip(start).take(names.len());
            let mut free =
                turns.filter(|name| !state.running.contains_key(*name) && state.pods.contains_key(*name));
            free.find_map(|name| Some((name.clone(), state.model.next_event(name)?)))
        }?;
        self.mark(&found.0, &found.1);
        self.state().last = Some(found.0.clone());
        Some(found)
    }

    /// Lets failed hooks run again, as Juju does after a while, each a few times in all.
    pub fn retry_failed(&self) {
        let mut state = self.state();
        for name in state.model.unit_names() {
            if let Ok(unit) = state.model.unit_mut(&name) {
                unit.retry = unit.error.is_some() && unit.failures <= RETRIES;
            }
        }
    }

    /// `juju resolve`: runs a unit's failed hook again, or gives up on it.
    ///
    /// # Errors
    /// The unit is not there or not in error.
    pub fn resolve(&self, name: &str, retry: bool) -> Result<(), Error> {
        let mut state = self.state();
        let unit = state.model.unit_mut(name)?;
        let Some(event) = unit.error.clone() else {
            let text = format!("unit \"{name}\" is not in an error state");
            return Err(crate::model::ModelError::Invalid(text).into());
        };
        if retry {
            (unit.retry, unit.failures) = (true, 0);
        } else {
            state.model.finish(name, &event, std::time::SystemTime::now());
        }
        Ok(())
    }

    /// `juju cancel-task`: a running one gets SIGKILL, to its one process.
    ///
    /// # Errors
    /// The task is not there.
    pub fn cancel(&self, id: u32) -> Result<TaskStatus, Error> {
        let mut state = self.state();
        let status = state.model.cancel(id, std::time::SystemTime::now())?;
        let unit = state.model.task(id)?.unit.clone();
        let pid = state.running.get(&unit).filter(|running| running.action).and_then(|running| running.pid);
        if let (TaskStatus::Aborting, Some(pid)) = (status, pid) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        Ok(status)
    }

    /// Waits until a unit runs nothing; after `patience` its process is killed, as a pod's at the end of its
    /// grace period.
    pub(super) async fn quiesce(&self, unit: &str, patience: Duration) {
        let mut changes = self.watch();
        let busy = |engine: &Self| engine.state().running.contains_key(unit);
        let idle = async { while busy(self) && changes.changed().await.is_ok() {} };
        if tokio::time::timeout(patience, idle).await.is_ok() {
            return;
        }
        if let Some(running) = self.state().running.get_mut(unit) {
            running.terminated = true;
            if let Some(pid) = running.pid {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        let mut changes = self.watch();
        while busy(self) && changes.changed().await.is_ok() {}
    }

    /// No more events start from now on.
    pub(super) fn close(&self) {
        self.state().stopping = true;
    }
}
