//! apply: performs the difference between what was observed and what is desired, in one fixed order.
//!
//! Databags, secrets and ports come first (Juju keeps them back until the dispatch ends well), then log targets and services,
//! then the version, then Kubernetes. What is already as desired is not written at all. [`conclude`] ends the dispatch: the
//! status, and the notices for the next one.

mod change;
mod cluster;
mod databags;
mod loki;
mod outcome;
mod reload;
pub mod secrets;
mod services;

pub use loki::send as send_to_loki;
pub use outcome::{Applied, ServiceFailure};

use std::collections::BTreeMap;

use super::desired::{Desired, DesiredService};
use super::observed::Observed;
use super::situation::{DesiredSecret, Notices, Situation};
use super::texts::waiting;
use crate::integrations::logging;
use crate::integrations::peers::WORKLOAD_VERSION;
use crate::juju::{self, Agent, Bag, Scope, Status, tolerate};
use crate::kubernetes::Connection;
use crate::pebble::{Client, Layer, LogTarget};

/// Makes the world as desired. Only an agent that cannot be reached is an error.
pub async fn apply(
    agent: &Agent,
    pebble: &Client,
    kubernetes: Option<&mut Connection>,
    situation: &Situation<'_>,
    desired: &Desired,
) -> juju::Result<Applied> {
    let observed = situation.observed;
    databags::publish(agent, observed, &desired.databags).await?;
    let refused = make_secrets(agent, &desired.new_secrets).await?;
    if let Some((uri, revision)) = &desired.obsolete_secret {
        tracing::info!("removing revision {revision} of {uri}, which nobody needs any more");
        tolerate(agent.secret_remove(uri, Some(*revision)).await)?;
    }
    for port in desired.ports.difference(&observed.opened_ports) {
        tracing::info!("opening port {port}");
        tolerate(agent.open_port(port).await)?;
    }
    forward_logs(pebble, observed, &desired.log_targets).await;
    // Nothing starts with a secret that Juju does not keep.
    let service = match &desired.service {
        DesiredService::Running(_) if refused.is_some() => &DesiredService::AsItIs,
        service => service,
    };
    let applied = services::apply(agent, pebble, observed, service).await?;
    if let Some(version) = &desired.workload_version
        && observed.peers.as_ref().and_then(|peers| peers.unit.get(WORKLOAD_VERSION)) != Some(version)
    {
        tolerate(agent.application_version_set(version).await)?;
    }
    let cluster_problems = match kubernetes {
        Some(connection) => cluster::apply(connection, observed, &desired.cluster).await,
        None => Vec::new(),
    };
    Ok(Applied { refused, cluster_problems, ..applied })
}

/// Ends a dispatch: sets the unit's status and keeps the notices, each only if it changed.
pub async fn conclude(
    agent: &Agent,
    situation: &Situation<'_>,
    applied: &Applied,
    status: &Status,
) -> juju::Result<()> {
    let observed = situation.observed;
    if let Some(peers) = &observed.peers {
        let applied = applied.cluster_problems.iter().flat_map(|problem| &problem.notices);
        let notices: Notices = situation.notices.iter().chain(applied).copied().collect();
        if notices != Notices::kept(observed) {
            let keys = BTreeMap::from([notices.entry()]);
            tolerate(agent.relation_set(&peers.id, Bag::Unit, &keys).await)?;
        }
    }
    if applied.shown.as_ref().unwrap_or(&observed.status) != status {
        tolerate(agent.status_set(Scope::Unit, status).await)?;
    }
    Ok(())
}

/// Makes the secrets that are missing; the status if Juju does not.
async fn make_secrets(agent: &Agent, missing: &[DesiredSecret]) -> juju::Result<Option<Status>> {
    for DesiredSecret { label, values } in missing {
        tracing::info!("creating the secret {label}");
        if let Err(error) = secrets::add(agent, label, values).await {
            if error.is_unavailable() {
                return Err(error);
            }
            tracing::warn!("{error}");
            return Ok(Some(waiting(format!("Waiting for secret creation: {error}"))));
        }
    }
    Ok(None)
}

/// Before the services, so that what they print at their start is sent. Where it fails, Kratos runs without, and the next
/// dispatch sees the same difference.
async fn forward_logs(pebble: &Client, observed: &Observed, desired: &BTreeMap<String, LogTarget>) {
    let Some(container) = observed.container() else { return };
    let mut log_targets = desired.clone();
    log_targets.retain(|name, target| container.plan.log_targets.get(name) != Some(&*target));
    if log_targets.is_empty() {
        return;
    }
    let names = log_targets.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    tracing::info!("telling Pebble where to send logs: {names}");
    let layer = Layer { log_targets, ..Layer::default() };
    if let Err(error) = pebble.add_layer(logging::LAYER, &layer, true).await {
        tracing::warn!("Pebble does not send logs as it should: {error}");
    }
}
