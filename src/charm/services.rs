//! The part of apply that speaks to Pebble: files, layer, services.
//!
//! Order: files, layer, restart, stamp. The stamp names what the services were started with and is written
//! last, so a dispatch killed at any point leaves a difference that the next one sees.

use std::fmt;
use std::time::Duration;

use super::apply::{Applied, tolerate};
use super::observed::{Container, Observed};
use super::questions::is_active;
use super::service::{ALIVE, COURIER, DesiredService, KRATOS, LAYER, READY, Running, STAMP_PATH};
use crate::juju::{self, Agent, Scope, Status, StatusKind};
use crate::pebble::{self, CheckInfo, CheckStatus, Client, Layer, Plan, PushFile, ServiceStatus};

/// How long Pebble may take to stop and start a service: its kill delay and its okay delay, and some more.
const SERVICE_CHANGE: Duration = Duration::from_secs(45);
/// How long a started Kratos may take until it serves.
const UNTIL_READY: Duration = Duration::from_secs(10);
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// Why the services are not as they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceFailure {
    /// Kratos does not run or does not become ready.
    Kratos,
    /// The courier does not run.
    Courier,
    /// Pebble refused something.
    Pebble(String),
}

impl fmt::Display for ServiceFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kratos => formatter.write_str("Failed to start the service, please check the kratos container logs"),
            Self::Courier => formatter.write_str(
                "Failed to start the courier service, please check the 'courier' logs on the workload container",
            ),
            Self::Pebble(reason) => write!(formatter, "Cannot configure the workload: {reason}"),
        }
    }
}

/// Makes the services as desired and tells what went wrong, if anything did.
pub async fn apply(
    agent: &Agent,
    pebble: &Client,
    observed: &Observed,
    desired: &DesiredService,
) -> juju::Result<Applied> {
    let Some(container) = observed.container() else { return Ok(Applied::default()) };
    let workload = Workload { pebble, observed, container };
    let mut shown = None;
    let result = match desired {
        DesiredService::AsItIs => Ok(None),
        DesiredService::Stopped(layer) => workload.stop(layer).await,
        DesiredService::Running(running) if workload.runs(running) => Ok(workload.health(running)),
        DesiredService::Running(running) => {
            let maintenance = Status::new(StatusKind::Maintenance, "Configuring resources");
            tolerate(agent.status_set(Scope::Unit, &maintenance).await)?;
            shown = Some(maintenance);
            workload.run(running).await
        }
    };
    let failure = result.unwrap_or_else(|error| Some(failure(&error)));
    Ok(Applied { failure, shown, ..Applied::default() })
}

/// The log lines of a failed start hold what Kratos printed, perhaps a secret: they stay where they are.
fn failure(error: &pebble::Error) -> ServiceFailure {
    if let pebble::Error::Change { err, .. } = error {
        tracing::error!("{err}");
        return ServiceFailure::Kratos;
    }
    tracing::error!("{error}");
    ServiceFailure::Pebble(error.to_string())
}

struct Workload<'a> {
    pebble: &'a Client,
    observed: &'a Observed,
    container: &'a Container,
}

impl Workload<'_> {
    /// Whether exactly this is what runs.
    fn runs(&self, running: &Running) -> bool {
        let is_courier_right = match running.is_courier {
            true => !is_down(self.container.service(COURIER)),
            false => !is_up(self.container.service(COURIER)),
        };
        self.is_stamped(running)
            && !is_down(self.container.service(KRATOS))
            && is_courier_right
            && has_layer(&self.container.plan, &running.layer)
            && running.files.keys().all(|path| self.is_file_right(running, path))
    }

    fn is_stamped(&self, running: &Running) -> bool {
        matches!(self.container.files.get(STAMP_PATH), Some(Some(stamp)) if stamp == running.stamp.as_bytes())
    }

    fn is_file_right(&self, running: &Running, path: &str) -> bool {
        let present = self.container.files.get(path).and_then(Option::as_deref);
        present == running.files.get(path).and_then(Option::as_ref).map(String::as_bytes)
    }

    /// What a service that runs with the right configuration says of itself.
    fn health(&self, running: &Running) -> Option<ServiceFailure> {
        let check = self.container.checks.iter().find(|check| check.name == READY);
        if check.is_some_and(|check| check.status == CheckStatus::Down) || !is_active(self.container) {
            return Some(ServiceFailure::Kratos);
        }
        let is_courier_up = is_active_service(self.container.service(COURIER));
        (running.is_courier && !is_courier_up).then_some(ServiceFailure::Courier)
    }

    async fn run(&self, running: &Running) -> Result<Option<ServiceFailure>, pebble::Error> {
        let has_layer = has_layer(&self.container.plan, &running.layer);
        let is_as_started = has_layer && self.is_stamped(running);
        if !is_as_started {
            // From here until the new stamp, nothing may be taken for running as it should.
            self.pebble.remove(&self.observed.place.path(STAMP_PATH), true).await?;
        }
        self.put_files(running).await?;
        if !has_layer {
            self.pebble.add_layer(LAYER, &running.layer, true).await?;
        }
        if !is_as_started || is_down(self.container.service(KRATOS)) {
            tracing::info!("starting {KRATOS}");
            self.change(self.pebble.restart(&[KRATOS]).await?).await?;
        }
        let courier_failure = self.run_courier(running.is_courier, is_as_started).await?;
        if !is_as_started {
            let path = self.observed.place.path(STAMP_PATH);
            self.push(path, &running.stamp).await?;
        }
        Ok(if self.becomes_ready().await? { courier_failure } else { Some(ServiceFailure::Kratos) })
    }

    async fn run_courier(
        &self,
        is_wanted: bool,
        is_as_started: bool,
    ) -> Result<Option<ServiceFailure>, pebble::Error> {
        let courier = self.container.service(COURIER);
        if is_wanted && (!is_as_started || is_down(courier)) {
            tracing::info!("starting {COURIER}");
            if let Err(error) = self.change(self.pebble.restart(&[COURIER]).await?).await {
                failure(&error);
                return Ok(Some(ServiceFailure::Courier));
            }
        } else if !is_wanted && is_up(courier) {
            tracing::info!("stopping {COURIER}: it runs on the leader");
            self.change(self.pebble.stop(&[COURIER]).await?).await?;
        }
        Ok(None)
    }

    async fn put_files(&self, running: &Running) -> Result<(), pebble::Error> {
        for (path, content) in &running.files {
            if self.is_file_right(running, path) {
                continue;
            }
            let place = self.observed.place.path(path);
            match content {
                Some(content) => self.push(place, content).await?,
                None => self.pebble.remove(&place, true).await?,
            }
        }
        Ok(())
    }

    async fn push(&self, path: String, content: &str) -> Result<(), pebble::Error> {
        self.pebble.push(PushFile { make_dirs: true, ..PushFile::new(path, content.to_owned()) }).await
    }

    async fn change(&self, change: pebble::ChangeId) -> Result<(), pebble::Error> {
        self.pebble.wait_change(&change, SERVICE_CHANGE).await.map(|_| ())
    }

    /// Runs the readiness check until it succeeds. A Pebble that cannot run it on request is not asked.
    async fn becomes_ready(&self) -> Result<bool, pebble::Error> {
        let deadline = tokio::time::Instant::now() + UNTIL_READY;
        loop {
            match self.pebble.refresh_check(READY).await {
                Ok(result) if result.error.is_none() => return Ok(true),
                Ok(_) if tokio::time::Instant::now() >= deadline => return Ok(false),
                Ok(_) => tokio::time::sleep(BETWEEN_LOOKS).await,
                Err(pebble::Error::Unsupported { .. }) => return Ok(true),
                Err(error) => return Err(error),
            }
        }
    }

    /// Services first: a check takes longer to fail than the rest of this.
    async fn stop(&self, layer: &Layer) -> Result<Option<ServiceFailure>, pebble::Error> {
        let services: Vec<&str> =
            [KRATOS, COURIER].into_iter().filter(|name| is_up(self.container.service(name))).collect();
        if !services.is_empty() {
            tracing::info!("stopping {}: there is no database", services.join(" and "));
            self.change(self.pebble.stop(&services).await?).await?;
        }
        if !has_layer(&self.container.plan, layer) {
            self.pebble.add_layer(LAYER, layer, true).await?;
        }
        let is_running = |check: &&CheckInfo| {
            [READY, ALIVE].contains(&check.name.as_str()) && check.status != CheckStatus::Inactive
        };
        let checks: Vec<&str> =
            self.container.checks.iter().filter(is_running).map(|check| check.name.as_str()).collect();
        if !checks.is_empty() {
            self.pebble.stop_checks(&checks).await?;
        }
        Ok(None)
    }
}

/// A service in backoff is Pebble's to start again; any other that is not active is ours.
fn is_down(service: Option<&ServiceStatus>) -> bool {
    !matches!(service, Some(ServiceStatus::Active | ServiceStatus::Backoff))
}

/// Whether it runs or Pebble would start it again.
fn is_up(service: Option<&ServiceStatus>) -> bool {
    !matches!(service, None | Some(ServiceStatus::Inactive))
}

fn is_active_service(service: Option<&ServiceStatus>) -> bool {
    service == Some(&ServiceStatus::Active)
}

/// Whether the plan says all that the layer says.
fn has_layer(plan: &Plan, layer: &Layer) -> bool {
    layer.services.iter().all(|(name, service)| plan.services.get(name) == Some(service))
        && layer.checks.iter().all(|(name, check)| plan.checks.get(name) == Some(check))
}
