//! What the leader has to write to Kubernetes.

use serde_json::Value;

use crate::charm::situation::{Situation, due_limits};
use crate::kratos::names::CONTAINER;
use crate::kubernetes::{Standing, resources};

/// Writes that are due.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DesiredCluster {
    /// ConfigMaps to make or to take, by name.
    pub config_maps: Vec<(String, Standing)>,
    /// The patch of the StatefulSet.
    pub resources: Option<Value>,
}

/// Decides them. Nothing is written that cannot be owned or compared.
pub fn cluster(situation: &Situation<'_>) -> DesiredCluster {
    let observed = situation.observed;
    let known = observed.cluster.as_ref().and_then(|cluster| Some((cluster, cluster.stateful_set.known()?)));
    let Some((cluster, stateful_set)) = known.filter(|_| observed.is_leader) else {
        return DesiredCluster::default();
    };
    let maps = cluster.config_maps.known().map(|maps| [&maps.schemas, &maps.providers]);
    let unowned = maps.into_iter().flatten().filter(|map| map.standing != Standing::Ours);
    let config_maps = unowned.map(|map| (map.name.clone(), map.standing)).collect();
    let limits = due_limits(observed, &situation.parsed);
    let limits = limits.filter(|_| stateful_set.resources(CONTAINER).is_some());
    let resources = limits.and_then(|limits| resources::patch(stateful_set, CONTAINER, &limits));
    DesiredCluster { config_maps, resources }
}

/// The peers' note that limits were set, without which no dispatch would look for limits to withdraw: what it should become.
/// `None`: it stays as it is.
pub fn mark(situation: &Situation<'_>) -> Option<bool> {
    let cluster = situation.observed.cluster.as_ref()?;
    let limits = situation.parsed.limits.as_ref().ok()?;
    if !limits.is_empty() {
        return Some(true);
    }
    let stateful_set = cluster.stateful_set.known()?;
    resources::patch(stateful_set, CONTAINER, limits).is_none().then_some(false)
}
