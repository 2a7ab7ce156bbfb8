//! Pods: a unit's directories, its charm and its workload container.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Engine, Error};
use crate::container::{Container, ContainerSpec};
use crate::model::{Event, application_of};
use crate::postgres::Cluster;
use crate::programs::Kratos;
use kubernetes_double::Kubernetes;

/// Kubernetes' grace period for what runs in a pod that goes.
const GRACE: Duration = Duration::from_secs(30);

/// A unit's place on this machine. Clones share the container.
#[derive(Debug, Clone)]
pub struct Pod {
    dir: PathBuf,
    container: Option<Arc<Mutex<Container>>>,
}

impl Pod {
    /// Its directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The charm's directory, where it runs.
    #[must_use]
    pub fn charm(&self) -> PathBuf {
        self.dir.join("charm")
    }

    /// The agent's socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.dir.join("agent.socket")
    }

    /// Pebble's socket and the container's root directory.
    #[must_use]
    pub fn workload(&self) -> Option<(PathBuf, PathBuf)> {
        let container = self.container.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        Some((container.socket(), container.root()))
    }

    /// The container, to do something to it (it blocks, so not on an async thread).
    #[must_use]
    pub fn container(&self) -> Option<Arc<Mutex<Container>>> {
        self.container.clone()
    }
}

impl Engine {
    /// Makes the pod of a new unit: its charm on disk, its container up.
    ///
    /// # Errors
    /// The charm cannot be copied, the image is unknown, a program is missing or does not start.
    pub async fn create_pod(self: &Arc<Self>, unit: &str, charm: &Path) -> Result<(), Error> {
        let app = application_of(unit).to_owned();
        let dir = self.dir.join("u").join(unit.replace('/', "-"));
        fs::create_dir_all(&dir).map_err(Error::file(&dir))?;
        self.lay_charm(&app, charm, &dir.join("charm"))?;
        self.start_kubernetes().await?;
        let spec = self.container_spec(&app, &dir)?;
        let container = match spec {
            None => None,
            Some(spec) => Some(Arc::new(Mutex::new(blocking(move || Container::start(spec)).await??))),
        };
        let mut state = self.state();
        state.pods.insert(unit.to_owned(), Pod { dir, container });
        let containers = state.model.application(&app)?.charm.containers.clone();
        state.model.unit_mut(unit)?.containers = containers.into_iter().collect();
        Ok(())
    }

    // The agent notes the charm's URL beside its files.
    fn lay_charm(&self, app: &str, from: &Path, to: &Path) -> Result<(), Error> {
        super::store::copy_tree(from, to)?;
        let url = self.state().model.application(app)?.charm_url();
        let file = to.join(".juju-charm");
        fs::write(&file, url).map_err(Error::file(&file))
    }

    // One container is what the seams of the charm know; more of them would need more variables.
    fn container_spec(&self, app: &str, dir: &Path) -> Result<Option<ContainerSpec>, Error> {
        let names = self.state().model.application(app)?.charm.containers.clone();
        let Some(name) = names.first() else { return Ok(None) };
        if names.len() > 1 {
            return Err(Error::Charm(format!(
                "charm of \"{app}\" has {} containers; the sandbox runs one",
                names.len()
            )));
        }
        let image = self.image(app)?;
        let pebble = self.store.programs()?.pebble.clone();
        let environment = [("JUJU_CONTAINER_NAME".to_owned(), name.clone())].into();
        Ok(Some(ContainerSpec { dir: dir.join("c"), pebble, image, environment }))
    }

    // The workload image that an application's resource names.
    fn image(&self, app: &str) -> Result<Kratos, Error> {
        let state = self.state();
        let app = state.model.application(app)?;
        let mut images = app.charm.resources.iter().filter(|(_, resource)| resource.kind == "oci-image");
        let value = images.find_map(|(name, _)| app.resources.get(name));
        let value =
            value.ok_or_else(|| Error::Charm(format!("application \"{}\" has no OCI image", app.name)))?;
        self.store.image(value)
    }

    /// Replaces a unit's pod by one with a new charm and image: stop, fresh files, then the new charm's first
    /// events.
    ///
    /// # Errors
    /// As [`Engine::create_pod`].
    pub async fn replace_pod(self: &Arc<Self>, unit: &str, charm: &Path) -> Result<(), Error> {
        self.quiesce(unit, GRACE).await;
        self.state().model.unit_mut(unit)?.requested.push_front(Event::Stop);
        self.settle().await;
        self.quiesce(unit, GRACE).await;
        let pod = self.state().pods.get(unit).cloned();
        let Some(pod) = pod else { return Ok(()) };
        // From here on the pod is gone: nothing of this unit runs until the new one is there.
        self.state().pods.remove(unit);
        self.lay_charm(application_of(unit), charm, &pod.charm())?;
        if let Some(container) = pod.container() {
            let image = self.image(application_of(unit))?;
            blocking(move || container.lock().unwrap_or_else(PoisonError::into_inner).restart(image))
                .await??;
        }
        let mut state = self.state();
        state.pods.insert(unit.to_owned(), pod);
        let containers = state.model.application(application_of(unit))?.charm.containers.clone();
        let known = state.model.unit_mut(unit)?;
        known.requested.retain(|event| *event != Event::Stop);
        if known.error == Some(Event::Stop) {
            // A pod goes whatever its stop hook says.
            known.error = None;
        }
        state.model.replace_unit(unit)?;
        state.model.unit_mut(unit)?.containers = containers.into_iter().collect();
        Ok(())
    }

    /// Takes away the pods of units that are gone from the model.
    pub(super) async fn drop_gone_pods(&self) {
        let gone: Vec<Pod> = {
            let mut state = self.state();
            let names = state.model.unit_names();
            let gone = state.pods.keys().filter(|unit| !names.contains(unit)).cloned().collect::<Vec<_>>();
            gone.iter().filter_map(|unit| state.pods.remove(unit)).collect()
        };
        let _ = blocking(move || drop_pods(gone)).await;
    }

    /// Starts the sandbox's PostgreSQL if it does not run yet.
    ///
    /// # Errors
    /// There is no PostgreSQL on this machine, or it does not start.
    pub async fn start_postgres(&self) -> Result<(), Error> {
        let mut held = self.postgres.lock().await;
        if held.is_none() {
            let (dir, address) = (self.dir.join("pg"), self.free_address()?);
            *held = Some(blocking(move || Cluster::start(&dir, &address)).await??);
        }
        Ok(())
    }

    /// Starts the model's Kubernetes API if it does not run yet.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start_kubernetes(&self) -> Result<(), Error> {
        let (dir, namespace) = (self.dir.join("k8s"), self.state().model.name.clone());
        let start = || Kubernetes::start(&dir, &namespace);
        self.kubernetes.get_or_try_init(start).await.map(|_| ()).map_err(Error::file(&dir))
    }

    /// Lets Kubernetes follow the model.
    pub(super) fn sync_kubernetes(&self) {
        let Some(kubernetes) = self.kubernetes.get() else { return };
        let applications = {
            let state = self.state();
            let applications = state.model.applications.values().filter(|app| !app.stub);
            applications.map(|app| (app.name.clone(), app.units.len(), app.trust)).collect::<Vec<_>>()
        };
        kubernetes.sync(&applications);
    }

    /// Ends everything: charms, containers, PostgreSQL, and whatever charms left running.
    pub async fn stop(self: &Arc<Self>) {
        self.kill_charms();
        let mut changes = self.watch();
        while !self.state().running.is_empty() && changes.changed().await.is_ok() {}
        let engine = Arc::clone(self);
        let _ = blocking(move || engine.stop_now()).await;
    }

    /// The same, blocking, without waiting for what runs to be noted down.
    pub fn stop_now(&self) {
        self.kill_charms();
        let pods = std::mem::take(&mut self.state().pods);
        drop_pods(pods.into_values().collect());
        if let Ok(mut cluster) = self.postgres.try_lock() {
            drop(cluster.take());
        }
    }

    fn kill_charms(&self) {
        self.close();
        for pid in self.state().running.values().filter_map(|running| running.pid) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

fn drop_pods(pods: Vec<Pod>) {
    for pod in pods {
        if let Some(container) = pod.container() {
            container.lock().unwrap_or_else(PoisonError::into_inner).stop();
        }
        super::leftovers::kill_of(&pod.socket());
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::Programs(error.to_string()))
}
