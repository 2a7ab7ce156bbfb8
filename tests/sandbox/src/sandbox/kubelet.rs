//! A kubelet: restarts each workload container that its Pebble calls dead.
//!
//! It asks Pebble's health endpoint as the liveness probe of a pod does. A container that has failed three times in a row
//! starts anew, with an empty root, and its unit hears that Pebble is ready. A sandbox has none unless a test starts one:
//! others stop services by hand and want to see what the charm makes of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};

use super::Sandbox;
use crate::juju::Engine;
use crate::model::{Event, application_of};

/// How many failures in a row are a death, as in the pods that Juju makes.
const THRESHOLD: u32 = 3;
const ONE_PROBE: Duration = Duration::from_secs(1);

/// A kubelet at work; it ends when this is dropped.
#[derive(Debug)]
pub struct Kubelet {
    task: JoinHandle<()>,
    restarts: Arc<Mutex<Vec<String>>>,
}

impl Kubelet {
    /// The units whose container was restarted, in order, each once its events have run.
    #[must_use]
    pub fn restarts(&self) -> Vec<String> {
        self.restarts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Sandbox {
    /// Starts a kubelet that probes each container at this interval (5 s in a cluster).
    #[must_use]
    pub fn start_kubelet(&self, interval: Duration) -> Kubelet {
        let restarts = Arc::default();
        let task = tokio::spawn(run(Arc::downgrade(&self.engine), interval, Arc::clone(&restarts)));
        Kubelet { task, restarts }
    }
}

async fn run(engine: Weak<Engine>, interval: Duration, restarts: Arc<Mutex<Vec<String>>>) {
    let mut failures: BTreeMap<String, u32> = BTreeMap::new();
    loop {
        tokio::time::sleep(interval).await;
        let Some(engine) = engine.upgrade() else { return };
        let pods = engine.state().pods.clone();
        for (unit, pod) in pods {
            let Some((socket, _)) = pod.workload() else { continue };
            let failed = failures.entry(unit.clone()).or_default();
            *failed = if is_alive(&socket).await { 0 } else { *failed + 1 };
            if *failed < THRESHOLD {
                continue;
            }
            *failed = 0;
            let Some(container) = pod.container() else { continue };
            let restarted = spawn_blocking(move || {
                let mut container = container.lock().unwrap_or_else(PoisonError::into_inner);
                let image = container.image().clone();
                container.restart(image)
            });
            if matches!(restarted.await, Ok(Ok(()))) {
                tell(&engine, &unit);
                engine.settle().await;
            }
            restarts.lock().unwrap_or_else(PoisonError::into_inner).push(unit);
        }
    }
}

/// Notes the event that Juju's agent makes of a new Pebble. A unit that is gone hears nothing.
fn tell(engine: &Engine, unit: &str) {
    let mut state = engine.state();
    let Ok(application) = state.model.application(application_of(unit)) else { return };
    let containers = application.charm.containers.clone();
    let Ok(unit) = state.model.unit_mut(unit) else { return };
    unit.requested.extend(containers.into_iter().map(|container| Event::PebbleReady { container }));
}

async fn is_alive(socket: &Path) -> bool {
    let builder = reqwest::Client::builder().unix_socket(socket).timeout(ONE_PROBE);
    let Ok(client) = builder.build() else { return false };
    let answer = client.get("http://pebble/v1/health?level=alive").send().await;
    answer.is_ok_and(|answer| answer.status().is_success())
}
