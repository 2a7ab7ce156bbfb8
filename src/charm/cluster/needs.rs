//! Which questions to Kubernetes a dispatch has to ask: pure functions of what is known.

use super::limits::limits;
use super::status::{PATCH_FAILED, ROLLING, TRUST};
use super::{ConfigMaps, Observed, Told};
use crate::charm::facts::public_url;
use crate::charm::obstacles::obstacles;
use crate::integrations::{Relation, kratos_info};
use crate::juju::Event;
use crate::kubernetes::{Limits, Standing};

/// Whether the ConfigMaps have to be read: to render the configuration, to make them early (behaviour rows 15 and 16), and
/// to see whether a refusal that is told of is over.
pub fn config_maps(observed: &Observed) -> bool {
    let is_open =
        observed.cluster.as_ref().is_some_and(|cluster| matches!(cluster.config_maps, Told::NotAsked));
    let is_early =
        matches!(observed.context.event, Event::Install | Event::UpgradeCharm | Event::LeaderElected);
    is_open
        && (observed.is_leader && (is_early || is_any_unnamed(observed))
            || observed.status.message.contains(TRUST)
            || obstacles(observed).is_empty())
}

/// Whether somebody reads kratos-info and was not told what the ConfigMaps are called.
fn is_any_unnamed(observed: &Observed) -> bool {
    let is_unnamed = |relation: &Relation| {
        relation.own.as_ref().is_some_and(|own| !own.contains_key(kratos_info::SCHEMAS_NAME))
    };
    public_url(observed).is_some() && observed.related(kratos_info::ENDPOINT.name).any(is_unnamed)
}

/// Whether the StatefulSet has to be read: to own a ConfigMap, or to carry the limits.
pub fn stateful_set(observed: &Observed) -> bool {
    let Some(cluster) = &observed.cluster else { return false };
    let is_open = matches!(cluster.stateful_set, Told::NotAsked);
    let is_owner_missing = cluster.config_maps.known().is_some_and(is_any_unowned);
    is_open && observed.is_leader && (is_owner_missing || due_limits(observed).is_some())
}

fn is_any_unowned(maps: &ConfigMaps) -> bool {
    [&maps.schemas, &maps.providers].into_iter().any(|map| map.standing != Standing::Ours)
}

/// The limits to compare with those of the StatefulSet: when an option may have changed, at each tick, and while
/// something about them is told. `None`: there are none and never were, or it is not the time.
pub fn due_limits(observed: &Observed) -> Option<Limits> {
    let limits = limits(observed.application(), &observed.config).ok()?;
    let is_marked = observed.peers.as_ref()?.has_resource_limits();
    let event = &observed.context.event;
    let is_time = matches!(
        event,
        Event::ConfigChanged | Event::UpgradeCharm | Event::LeaderElected | Event::UpdateStatus
    );
    let is_told = [PATCH_FAILED, ROLLING].iter().any(|text| observed.status.message.contains(text));
    (observed.is_leader && (is_time || is_told) && (is_marked || !limits.is_empty())).then_some(limits)
}
