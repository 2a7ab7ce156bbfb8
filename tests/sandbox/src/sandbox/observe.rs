//! What a test can see and do beside juju's commands.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use super::{KillAtCall, Sandbox, TraceEntry};
use crate::container::Container;
use crate::hooks::LogLine;
use crate::juju::Error;
use crate::model::{Model, Status};
use crate::postgres::Cluster;
use kubernetes_double::Kubernetes;

impl Sandbox {
    /// Every hook command since the start or the last [`Sandbox::clear_trace`], in order.
    #[must_use]
    pub fn trace(&self) -> Vec<TraceEntry> {
        self.engine.state().trace.clone()
    }

    /// Forgets the trace.
    pub fn clear_trace(&self) {
        self.engine.state().trace.clear();
    }

    /// The model's log: juju-log, what charms printed, and which hooks ran or failed.
    #[must_use]
    pub fn log(&self) -> Vec<LogLine> {
        self.engine.state().log.clone()
    }

    /// The hooks that ran well on a unit, in order.
    #[must_use]
    pub fn hooks(&self, unit: &str) -> Vec<String> {
        let ran = |line: &LogLine| {
            let rest = line.text.strip_prefix("ran \"").filter(|_| line.unit == unit)?;
            Some(rest.split_once("\" hook")?.0.to_owned())
        };
        self.engine.state().log.iter().filter_map(ran).collect()
    }

    /// A copy of the whole model.
    #[must_use]
    pub fn model(&self) -> Model {
        self.engine.state().model.clone()
    }

    /// The workload status of a unit as `juju status` shows it.
    ///
    /// # Errors
    /// The unit is not there.
    pub fn status(&self, unit: &str) -> Result<Status, Error> {
        Ok(self.engine.state().model.unit(unit)?.shown_status())
    }

    /// Arms a fault; it strikes once. A new one replaces an old one that has not struck.
    pub fn inject(&self, fault: KillAtCall) {
        self.engine.state().fault = Some((fault, 0));
    }

    /// Makes every hook command take so much longer from now on; those that are asked at once take it together.
    pub fn slow_down(&self, delay: Duration) {
        self.engine.state().command_delay = delay;
    }

    /// Takes an armed fault back; says whether it had not struck.
    pub fn disarm(&self) -> bool {
        self.engine.state().fault.take().is_some()
    }

    /// Fires an event by name (see [`Model::event_named`]) and settles.
    ///
    /// # Errors
    /// The unit is not there, or the name is no event that can be fired.
    pub async fn fire(&self, unit: &str, event: &str) -> Result<(), Error> {
        {
            let mut state = self.engine.state();
            let event = state.model.event_named(unit, event)?;
            state.model.unit_mut(unit)?.requested.push_back(event);
        }
        self.engine.settle().await;
        Ok(())
    }

    /// Moves leadership to a unit and settles.
    ///
    /// # Errors
    /// The unit is not there.
    pub async fn set_leader(&self, unit: &str) -> Result<(), Error> {
        self.engine.state().model.set_leader(unit)?;
        self.engine.settle().await;
        Ok(())
    }

    /// A unit's workload container, to stop, kill or restart (its functions block: use `spawn_blocking`).
    #[must_use]
    pub fn container(&self, unit: &str) -> Option<Arc<Mutex<Container>>> {
        self.engine.state().pods.get(unit)?.container()
    }

    /// Where a unit's charm lies.
    #[must_use]
    pub fn charm_dir(&self, unit: &str) -> Option<PathBuf> {
        Some(self.engine.state().pods.get(unit)?.charm())
    }

    /// The directory that stands for `/` of a unit's workload container.
    #[must_use]
    pub fn container_root(&self, unit: &str) -> Option<PathBuf> {
        let pod = self.engine.state().pods.get(unit).cloned()?;
        Some(pod.workload()?.1)
    }

    /// The directory of the hook tools on a charm's `PATH`.
    #[must_use]
    pub fn tools(&self) -> PathBuf {
        self.engine.tools()
    }

    /// The model's Kubernetes API; none before the first deploy.
    #[must_use]
    pub fn kubernetes(&self) -> Option<&Kubernetes> {
        self.engine.kubernetes.get()
    }

    /// The address of a unit.
    ///
    /// # Errors
    /// The unit is not there.
    pub fn address(&self, unit: &str) -> Result<String, Error> {
        Ok(self.engine.state().model.unit(unit)?.address.clone())
    }

    /// Does something to the sandbox's PostgreSQL on a thread that may block; none before the first deploy of
    /// postgresql-k8s.
    pub async fn postgres<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Cluster) -> T + Send + 'static,
    ) -> Option<T> {
        let mut held = self.engine.postgres.lock().await;
        let mut cluster = held.take()?;
        let done = tokio::task::spawn_blocking(move || {
            let value = work(&mut cluster);
            (cluster, value)
        });
        let (cluster, value) = done.await.ok()?;
        *held = Some(cluster);
        Some(value)
    }

    /// The superuser's connection string to a database of the sandbox's PostgreSQL.
    pub async fn postgres_dsn(&self, database: &str) -> Option<String> {
        Some(self.engine.postgres.lock().await.as_ref()?.superuser_dsn(database))
    }

    /// Now, as the model writes it down.
    pub(super) fn now() -> SystemTime {
        SystemTime::now()
    }
}
