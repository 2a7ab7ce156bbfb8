//! Which of the costly reads a dispatch has to make: pure functions of what was read cheaply.

use crate::charm::observed::{Cluster, ConfigMaps, Container, Observed, SchemaKnowledge, Workload};
use crate::charm::situation::{Notice, Notices, Parsed, due_limits, is_active, is_unready, local_blockers};
use crate::integrations::database::Answer;
use crate::integrations::{Relation, kratos_info, peers};
use crate::juju::{Event, RelationEventKind, WorkloadEventKind};
use crate::kubernetes::Standing;

/// Whether `kratos version` has to be run: a container in which Kratos serves was asked before it was started, any other may
/// be of a new image.
pub fn version(observed: &Observed) -> bool {
    let Some(container) = observed.container() else { return false };
    let is_new = match &observed.context.event {
        Event::Workload(event) => event.kind == WorkloadEventKind::Ready,
        Event::UpgradeCharm => true,
        _ => observed.is_program_asked,
    };
    let is_published = observed.peers.as_ref().is_some_and(|peers| peers.workload_version().is_some());
    is_new || !is_published || !is_active(container) || is_schema_in_doubt(observed, container)
}

/// Whether the database has to be asked: before anything is started from it, while the record does not name the workload's
/// version, when Kratos itself is not content, and for an action that asks.
pub fn schema(observed: &Observed, parsed: &Parsed) -> bool {
    let Some(container) = observed.container() else { return false };
    observed.version().is_some()
        && matches!(parsed.database, Answer::Ready(_))
        && (!is_active(container) || is_schema_in_doubt(observed, container) || observed.is_program_asked)
}

/// Whether the leader has to look for a write fence by itself: at update-status, since one that a killed command line left
/// refuses all writes while Kratos calls itself ready, and where the look at the schema, which tells of it too, has failed.
pub fn fence(observed: &Observed, parsed: &Parsed) -> bool {
    let is_due = match observed.schema {
        SchemaKnowledge::Known(_) => false,
        SchemaKnowledge::Unknown(_) => true,
        SchemaKnowledge::NotAsked => observed.context.event == Event::UpdateStatus,
    };
    is_due && observed.is_leader && matches!(parsed.database, Answer::Ready(_))
}

fn is_schema_in_doubt(observed: &Observed, container: &Container) -> bool {
    let published = observed.peers.as_ref().and_then(|peers| peers.workload_version());
    let is_recorded = published.is_some() && observed.recorded_version().as_ref() == published;
    !is_recorded || is_unready(container)
}

/// Whether the ConfigMaps are worth reading before all else is known. An action may take minutes, and they are wanted as they
/// are after it.
pub fn config_maps_early(event: &Event, workload: &Workload) -> bool {
    let is_serving = matches!(workload, Workload::Reachable(container) if is_active(container));
    is_serving && !matches!(event, Event::Action(_))
}

/// Whether the ConfigMaps have to be read: to render the configuration, to make them early (docs/behaviour.md#row-15
/// and #row-16), and to see whether trust was given since the last dispatch.
pub fn config_maps(observed: &Observed, parsed: &Parsed) -> bool {
    let is_early = match &observed.context.event {
        Event::Install | Event::UpgradeCharm | Event::LeaderElected => true,
        // At install there is no peer relation yet that could keep a notice.
        Event::Relation(event) => {
            event.kind == RelationEventKind::Created && event.endpoint == peers::ENDPOINT
        }
        _ => false,
    };
    observed.is_leader && (is_early || is_any_unnamed(observed, parsed))
        || Notices::kept(observed).has_any(&[Notice::Trust])
        || local_blockers(observed, parsed).is_empty()
}

/// Whether an application reads kratos-info and the names of the ConfigMaps were not published for it yet.
fn is_any_unnamed(observed: &Observed, parsed: &Parsed) -> bool {
    let is_unnamed = |relation: &Relation| {
        relation.own.as_ref().is_some_and(|own| !own.contains_key(kratos_info::SCHEMAS_NAME))
    };
    parsed.related.public_url.is_some() && observed.related(kratos_info::ENDPOINT.name).any(is_unnamed)
}

/// Whether the StatefulSet has to be read: to own a ConfigMap, or to carry the limits.
pub fn stateful_set(observed: &Observed, parsed: &Parsed, cluster: &Cluster) -> bool {
    let is_owner_missing = cluster.config_maps.known().is_some_and(is_any_unowned);
    observed.is_leader && (is_owner_missing || due_limits(observed, parsed).is_some())
}

fn is_any_unowned(maps: &ConfigMaps) -> bool {
    [&maps.schemas, &maps.providers].into_iter().any(|map| map.standing != Standing::Ours)
}
