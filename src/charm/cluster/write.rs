//! What the leader has to write to Kubernetes: pure decisions, then the calls.

use serde_json::Value;

use super::limits::limits;
use super::status::{not_created, patch_failed, rolling};
use super::{Observed, needs};
use crate::juju::Status;
use crate::kratos::names::CONTAINER;
use crate::kubernetes::{Connection, Standing, config_maps, resources, stateful_set};

/// Writes that are due.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DesiredCluster {
    /// ConfigMaps to make or to take, by name.
    pub config_maps: Vec<(String, Standing)>,
    /// The patch of the StatefulSet.
    pub resources: Option<Value>,
}

/// Decides them. Nothing is written that cannot be owned or compared.
pub fn desired(observed: &Observed) -> DesiredCluster {
    let known = observed.cluster.as_ref().and_then(|cluster| Some((cluster, cluster.stateful_set.known()?)));
    let Some((cluster, stateful_set)) = known.filter(|_| observed.is_leader) else {
        return DesiredCluster::default();
    };
    let maps = cluster.config_maps.known().map(|maps| [&maps.schemas, &maps.providers]);
    let unowned = maps.into_iter().flatten().filter(|map| map.standing != Standing::Ours);
    let config_maps = unowned.map(|map| (map.name.clone(), map.standing)).collect();
    let limits = needs::due_limits(observed).filter(|_| stateful_set.resources(CONTAINER).is_some());
    let resources = limits.and_then(|limits| resources::patch(stateful_set, CONTAINER, &limits));
    DesiredCluster { config_maps, resources }
}

/// The peers' note that limits were set, without which nobody would look for limits to withdraw: what it should become.
/// `None`: it stays as it is.
pub fn mark(observed: &Observed) -> Option<bool> {
    let cluster = observed.cluster.as_ref()?;
    let limits = limits(observed.application(), &observed.config).ok()?;
    if !limits.is_empty() {
        return Some(true);
    }
    let stateful_set = cluster.stateful_set.known()?;
    resources::patch(stateful_set, CONTAINER, &limits).is_none().then_some(false)
}

/// Writes, the pods' template last: its change restarts this pod too. What failed comes back as statuses.
pub async fn apply(
    connection: &mut Connection,
    observed: &Observed,
    desired: &DesiredCluster,
) -> Vec<Status> {
    let mut statuses = Vec::new();
    let Some(owner) = observed.cluster.as_ref().and_then(|cluster| cluster.stateful_set.known()) else {
        return statuses;
    };
    for (name, standing) in &desired.config_maps {
        tracing::info!("creating the ConfigMap {name}");
        let result = match standing {
            Standing::Missing => config_maps::create(connection, name, owner).await,
            Standing::Unowned | Standing::Ours => config_maps::adopt(connection, name, owner).await,
        };
        match result {
            Ok(()) => {}
            // Another application was faster; the next dispatch sees whose it is.
            Err(error) if error.is_conflict() => tracing::warn!("{error}"),
            Err(error) => statuses.extend(not_created(observed, name, &error)),
        }
    }
    if let Some(body) = &desired.resources {
        tracing::info!("setting the resources of the container {CONTAINER}");
        match stateful_set::apply(connection, observed.application(), body).await {
            Ok(patched) if patched.is_rolling() => statuses.extend(rolling()),
            Ok(_) => {}
            Err(error) => statuses.extend(patch_failed(observed, &error)),
        }
    }
    statuses
}
