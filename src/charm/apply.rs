//! apply: performs the difference between what was observed and what is desired, in one fixed order.
//!
//! Databags, secrets and ports come first (Juju keeps them back until the dispatch ends well), then the
//! services, then the version. What is already as desired is not written at all.

use std::collections::BTreeMap;

use super::desired::{Desired, DesiredBag};
use super::observed::Observed;
use super::secrets::{self, Making};
use super::service::DesiredService;
use super::services::{self, ServiceFailure};
use crate::integrations::logging;
use crate::integrations::peers::WORKLOAD_VERSION;
use crate::juju::{self, Agent, Bag, Status, StatusKind};
use crate::pebble::{Client, Layer, LogTarget};

/// What came out of it, for the status.
#[derive(Debug, Default)]
pub struct Applied {
    pub failure: Option<ServiceFailure>,
    /// The status that was shown meanwhile.
    pub shown: Option<Status>,
    /// What Juju does not do, so that nothing was started.
    pub refused: Option<Status>,
    /// What Kubernetes did not do.
    pub cluster: Vec<Status>,
}

/// Makes the world as desired. Only an agent that cannot be reached is an error.
pub async fn apply(
    agent: &Agent,
    pebble: &Client,
    observed: &Observed,
    desired: &Desired,
) -> juju::Result<Applied> {
    for bag in &desired.databags {
        let changes = changes(observed, bag);
        if !changes.is_empty() {
            tracing::info!("publishing {} on {}", keys(&changes), bag.relation);
            tolerate(agent.relation_set(&bag.relation, bag.bag, &changes).await)?;
        }
    }
    let mut refused = None;
    for Making { label, content } in &desired.new_secrets {
        tracing::info!("creating the secret {label}");
        if let Err(error) = secrets::add(agent, label, content).await {
            if error.is_unavailable() {
                return Err(error);
            }
            tracing::warn!("{error}");
            refused = Some(Status::new(StatusKind::Waiting, format!("Waiting for secret creation: {error}")));
            break;
        }
    }
    if let Some((uri, revision)) = &desired.obsolete_secret {
        tracing::info!("removing revision {revision} of {uri}, which nobody needs any more");
        tolerate(agent.secret_remove(uri, Some(*revision)).await)?;
    }
    for port in desired.ports.difference(&observed.opened_ports) {
        tracing::info!("opening port {port}");
        tolerate(agent.open_port(port).await)?;
    }
    forward_logs(pebble, observed, &desired.log_targets).await;
    // Nothing starts with a secret that nobody keeps.
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
    Ok(Applied { refused, ..applied })
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

/// The keys of a databag that are not yet as they should be.
fn changes(observed: &Observed, desired: &DesiredBag) -> BTreeMap<String, Option<String>> {
    let present = observed.own_bag(&desired.relation, desired.bag);
    let differs =
        |(key, value): &(&String, &Option<String>)| present.and_then(|bag| bag.get(*key)) != value.as_ref();
    desired.keys.iter().filter(differs).map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn keys(changes: &BTreeMap<String, Option<String>>) -> String {
    changes.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// What Juju refuses (leadership moved, a relation went away) is made good by a later dispatch.
pub(crate) fn tolerate<T>(result: juju::Result<T>) -> juju::Result<()> {
    match result {
        Ok(_) => Ok(()),
        Err(error) if error.is_unavailable() => Err(error),
        Err(error) => {
            tracing::warn!("{error}");
            Ok(())
        }
    }
}

impl Observed {
    /// One of our databags, as far as this unit may read it.
    fn own_bag(&self, relation: &juju::RelationId, bag: Bag) -> Option<&juju::Databag> {
        if let Some(peers) = self.peers.as_ref().filter(|peers| &peers.id == relation) {
            return Some(match bag {
                Bag::App => &peers.application,
                Bag::Unit => &peers.unit,
            });
        }
        if let Some(related) = self.relations.iter().find(|related| &related.id == relation) {
            return match bag {
                Bag::App => related.own.as_ref(),
                Bag::Unit => Some(&related.own_unit),
            };
        }
        let database = self.databases.iter().find(|database| &database.id == relation)?;
        match bag {
            Bag::App => database.own.as_ref(),
            Bag::Unit => None,
        }
    }
}
