//! The part of apply that speaks to Pebble: what the services should be doing against what they do.
//!
//! Services that run as they should are only looked at, and so is a configuration that Kratos has refused before;
//! anything else is a [`change`](super::change).

use super::outcome::{Applied, ServiceFailure};
use crate::charm::desired::{DesiredService, LastGood, Running, Stamp};
use crate::charm::observed::{Container, Observed};
use crate::charm::situation::is_active;
use crate::juju::{self, Agent, Scope, Status, StatusKind, tolerate};
use crate::kratos::names::{COURIER, KRATOS, LAST_GOOD_PATH, LAYER, READY, SERVICE_CHANGE, STAMP_PATH};
use crate::pebble::{self, CheckStatus, Client, Layer, Plan, ServiceStatus};

/// Makes the services as desired and tells what went wrong, if anything did.
pub async fn apply(
    agent: &Agent,
    pebble: &Client,
    observed: &Observed,
    desired: &DesiredService,
) -> juju::Result<Applied> {
    let Some(container) = observed.container() else { return Ok(Applied::default()) };
    let workload = Supervisor { pebble, observed, container };
    let mut shown = None;
    let result = match desired {
        DesiredService::AsItIs => Ok(None),
        DesiredService::Stopped(layer) => workload.stop(layer).await,
        DesiredService::Running(running) if workload.runs(running) => Ok(workload.health(running)),
        DesiredService::Running(running) if workload.has_refused(running) => {
            workload.go_on(running.is_courier).await
        }
        DesiredService::Running(running) => {
            let maintenance = Status::new(StatusKind::Maintenance, "Configuring resources");
            tolerate(agent.status_set(Scope::Unit, &maintenance).await)?;
            shown = Some(maintenance);
            workload.change(running).await
        }
    };
    let failure = result.unwrap_or_else(|error| Some(failure(&error)));
    Ok(Applied { failure, shown, ..Applied::default() })
}

/// The log lines of a failed start hold what Kratos printed, perhaps a secret: they stay where they are.
pub(super) fn failure(error: &pebble::Error) -> ServiceFailure {
    if let pebble::Error::Change { err, .. } = error {
        tracing::error!("{err}");
        return ServiceFailure::Kratos;
    }
    tracing::error!("{error}");
    ServiceFailure::Pebble(error.to_string())
}

/// The workload as it was observed, and its Pebble.
pub(super) struct Supervisor<'a> {
    pub pebble: &'a Client,
    pub observed: &'a Observed,
    pub container: &'a Container,
}

impl Supervisor<'_> {
    /// Whether exactly this is what runs.
    fn runs(&self, running: &Running) -> bool {
        self.stamp().as_ref() == Some(&running.stamp)
            && !is_down(self.container.service(KRATOS))
            && self.is_courier_right(running.is_courier)
            && self.has_all_of(&running.layer)
            && running.files.keys().all(|path| self.is_file_right(running, path))
            && self.file(LAST_GOOD_PATH).is_none()
    }

    /// Whether Kratos has refused exactly this, and what ran before is still there to go on with.
    fn has_refused(&self, running: &Running) -> bool {
        self.stamp().is_some_and(|stamp| stamp.has_refused(&running.stamp))
            && self.file(LAST_GOOD_PATH).is_none()
            && LastGood::of(self.container, running).is_some()
    }

    /// Whether the plan says all that the layer says, and no check that a migration has stopped is still off: adding the
    /// layer once more starts it.
    pub(super) fn has_all_of(&self, layer: &Layer) -> bool {
        has_layer(&self.container.plan, layer) && !self.container.has_stopped_check()
    }

    pub(super) fn stamp(&self) -> Option<Stamp> {
        Stamp::parse(self.file(STAMP_PATH))
    }

    pub(super) fn file(&self, path: &str) -> Option<&[u8]> {
        self.container.file(path)
    }

    pub(super) fn is_file_right(&self, running: &Running, path: &str) -> bool {
        self.file(path) == running.files.get(path).and_then(Option::as_ref).map(String::as_bytes)
    }

    fn is_courier_right(&self, is_wanted: bool) -> bool {
        let courier = self.container.service(COURIER);
        if is_wanted { !is_down(courier) } else { !is_up(courier) }
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

    /// Keeps the last good configuration running; what was refused is not tried again.
    async fn go_on(&self, is_courier: bool) -> Result<Option<ServiceFailure>, pebble::Error> {
        if is_down(self.container.service(KRATOS)) {
            tracing::info!("starting {KRATOS} with the last good configuration");
            self.wait(self.pebble.restart(&[KRATOS]).await?).await?;
        }
        self.run_courier(is_courier, true).await?;
        Ok(Some(ServiceFailure::Refused))
    }

    pub(super) async fn run_courier(
        &self,
        is_wanted: bool,
        is_as_started: bool,
    ) -> Result<Option<ServiceFailure>, pebble::Error> {
        let courier = self.container.service(COURIER);
        if is_wanted && (!is_as_started || is_down(courier)) {
            tracing::info!("starting {COURIER}");
            if let Err(error) = self.wait(self.pebble.restart(&[COURIER]).await?).await {
                failure(&error);
                return Ok(Some(ServiceFailure::Courier));
            }
        } else if !is_wanted && is_up(courier) {
            tracing::info!("stopping {COURIER}: it runs on the leader");
            self.wait(self.pebble.stop(&[COURIER]).await?).await?;
        }
        Ok(None)
    }

    pub(super) async fn wait(&self, change: pebble::ChangeId) -> Result<(), pebble::Error> {
        self.pebble.wait_change(&change, SERVICE_CHANGE).await.map(|_| ())
    }

    /// Services first: a check takes longer to fail than this, unless Kratos has requests to finish for half a minute.
    async fn stop(&self, layer: &Layer) -> Result<Option<ServiceFailure>, pebble::Error> {
        let services: Vec<&str> =
            [KRATOS, COURIER].into_iter().filter(|name| is_up(self.container.service(name))).collect();
        if !services.is_empty() {
            tracing::info!("stopping {}: their database is gone", services.join(" and "));
            self.wait(self.pebble.stop(&services).await?).await?;
        }
        if !has_layer(&self.container.plan, layer) {
            self.pebble.add_layer(LAYER, layer, true).await?;
        }
        let checks = self.container.running_checks();
        if !checks.is_empty() {
            self.pebble.stop_checks(&checks).await?;
        }
        Ok(None)
    }
}

/// A service in backoff is Pebble's to start again; any other that is not active is ours.
pub(super) fn is_down(service: Option<&ServiceStatus>) -> bool {
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
