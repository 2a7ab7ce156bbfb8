//! A double of the Kubernetes API: as much of it as a charm speaks to, over TLS.
//!
//! It is given the applications of a model and holds a StatefulSet for each, as Juju makes it. What a service account may
//! do follows from the application's trust, as in Juju's roles. It is as strict as the real one where a charm could be
//! wrong: bearer token, content type, field manager, who owns a field, names that are taken, owners. A test sees every
//! request, writes into ConfigMaps by hand and lets calls fail.

mod answer;
mod apply;
mod objects;
mod server;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fs, io};

use serde_json::Value;
use tokio::task::JoinHandle;

use objects::Objects;

/// A request that came in, and the code of its answer; none while it hangs.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The application whose service account it was.
    pub application: String,
    /// `GET`, `POST` or `PATCH`.
    pub method: String,
    /// With its query.
    pub path: String,
    /// Of the body.
    pub content_type: Option<String>,
    /// Null if there was none.
    pub body: Value,
    /// What was answered.
    pub code: Option<u16>,
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// With this code.
    Code(u16),
    /// Without an answer.
    Hang,
    /// With an answer that is no JSON.
    Garbage,
}

/// Calls that fail from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// `GET`, `POST` or `PATCH`; none: all.
    pub method: Option<&'static str>,
    /// `configmaps` or `statefulsets`; none: both.
    pub resource: Option<&'static str>,
    /// What happens.
    pub failure: Failure,
}

/// A running API. It ends when it is dropped.
#[derive(Debug)]
pub struct Kubernetes {
    address: SocketAddr,
    dir: PathBuf,
    ca: String,
    objects: Arc<Mutex<Objects>>,
    serving: JoinHandle<()>,
}

impl Kubernetes {
    /// Starts one for a namespace. Service accounts are laid out below `dir`. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// The certificates cannot be made, or no port is free.
    pub async fn start(dir: &Path, namespace: &str) -> io::Result<Self> {
        let objects = Arc::new(Mutex::new(Objects::new(namespace)));
        let (address, ca, serving) = server::start(Arc::clone(&objects)).await?;
        Ok(Self { address, dir: dir.to_owned(), ca, objects, serving })
    }

    /// What a pod of the application finds: the environment variables of a hook.
    ///
    /// # Errors
    /// The files of the service account cannot be written.
    pub fn environment(&self, application: &str) -> io::Result<BTreeMap<&'static str, String>> {
        let folder = self.dir.join(application);
        fs::create_dir_all(&folder)?;
        let objects = self.objects();
        let files = [
            ("token", Objects::token(application)),
            ("ca.crt", self.ca.clone()),
            ("namespace", objects.namespace.clone()),
        ];
        for (name, content) in files {
            if !folder.join(name).exists() {
                fs::write(folder.join(name), content)?;
            }
        }
        Ok(BTreeMap::from([
            ("KUBERNETES_SERVICE_HOST", self.address.ip().to_string()),
            ("KUBERNETES_SERVICE_PORT", self.address.port().to_string()),
            ("KRATOS_OPERATOR_SERVICE_ACCOUNT", folder.to_string_lossy().into_owned()),
        ]))
    }

    /// The folder of an application's service account.
    #[must_use]
    pub fn service_account(&self, application: &str) -> PathBuf {
        self.dir.join(application)
    }

    /// Brings the StatefulSets in line with the model: name, number of units and trust of each application. What
    /// belonged to one that is gone goes too.
    pub fn sync(&self, applications: &[(String, usize, bool)]) {
        self.objects().sync(applications);
    }

    /// Every request since the start or the last [`Kubernetes::clear_calls`].
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.objects().calls.clone()
    }

    /// Forgets them.
    pub fn clear_calls(&self) {
        self.objects().calls.clear();
    }

    /// Lets calls fail from now on; none: all go well again.
    pub fn fail(&self, fault: Option<Fault>) {
        self.objects().fault = fault;
    }

    /// Whether pods of a changed template stay as they are.
    pub fn hold_rollouts(&self, hold: bool) {
        self.objects().hold = hold;
    }

    /// A ConfigMap as the API tells it.
    #[must_use]
    pub fn config_map(&self, name: &str) -> Option<Value> {
        self.objects().config_maps.get(name).cloned()
    }

    /// Writes a ConfigMap's data by hand, as an administration interface does. One that is not there is made, without
    /// an owner.
    pub fn set_data(&self, name: &str, data: &[(&str, &str)]) {
        self.objects().set_data(name, data);
    }

    /// A StatefulSet as the API tells it.
    #[must_use]
    pub fn stateful_set(&self, name: &str) -> Option<Value> {
        self.objects().stateful_sets.get(name).map(apply::StatefulSet::told)
    }

    /// Removes a StatefulSet, as nobody should.
    pub fn remove_stateful_set(&self, name: &str) {
        self.objects().stateful_sets.remove(name);
    }

    /// Applies to a StatefulSet in somebody else's name, by force.
    ///
    /// # Errors
    /// The message of the API's refusal.
    pub fn apply_as(&self, manager: &str, name: &str, body: &Value) -> Result<(), String> {
        let mut objects = self.objects();
        let stateful_set = objects.stateful_sets.get_mut(name).ok_or("not found")?;
        stateful_set.apply(manager, body, true).map_err(|refusal| refusal.message)
    }

    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Kubernetes {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
