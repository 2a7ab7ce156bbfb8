//! Our databags: what every relation's other side, the database's provider and the other units read from us.
//!
//! All of it is part of what is desired, so a new leader, an upgrade or a new pod needs no code of its own
//! (docs/behaviour.md#weakness-68).

use std::collections::BTreeMap;

use super::workload::DesiredService;
use super::{cluster, history};
use crate::charm::situation::{Situation, held, is_migrated, recorded};
use crate::integrations::peers::{MIGRATION_RUNS, PeerRelation, RESOURCE_LIMITS, WORKLOAD_VERSION};
use crate::integrations::{Keys, endpoint};
use crate::juju::{Bag, RelationId};

/// Keys of one databag; `None` deletes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredBag {
    pub relation: RelationId,
    pub bag: Bag,
    pub keys: Keys,
}

/// All of them: the database's, those of the other relations, and the peers'.
pub fn databags(situation: &Situation<'_>, service: &DesiredService) -> Vec<DesiredBag> {
    let mut bags = Vec::new();
    if situation.observed.is_leader {
        bags.extend(requests(situation));
    }
    bags.extend(answers(situation));
    bags.extend(peers(situation, service));
    bags
}

/// What the database's provider is asked for.
fn requests(situation: &Situation<'_>) -> impl Iterator<Item = DesiredBag> {
    let name = &situation.parsed.database_name;
    situation.observed.databases.iter().map(move |database| {
        let keys = database.request(name).into_iter().map(|(key, value)| (key, Some(value))).collect();
        DesiredBag { relation: database.id.clone(), bag: Bag::App, keys }
    })
}

/// What each endpoint publishes on its relations.
fn answers(situation: &Situation<'_>) -> Vec<DesiredBag> {
    let publication = situation.publication();
    let mut bags = Vec::new();
    for relation in &situation.observed.relations {
        let Some(endpoint) = endpoint(relation.id.endpoint()) else { continue };
        let mut publish = |bag: Bag, keys: Option<Keys>| {
            bags.extend(keys.map(|keys| DesiredBag { relation: relation.id.clone(), bag, keys }));
        };
        if situation.observed.is_leader {
            publish(Bag::App, endpoint.answer.and_then(|answer| answer(&publication, relation)));
        }
        publish(Bag::Unit, endpoint.answer_of_unit.and_then(|answer| answer(&publication, relation)));
    }
    bags
}

/// What the units of this application read from each other.
fn peers(situation: &Situation<'_>, service: &DesiredService) -> Vec<DesiredBag> {
    let mut bags = Vec::new();
    let Some(peers) = &situation.observed.peers else { return bags };
    if situation.observed.is_leader {
        let keys = record(situation, peers, service);
        bags.push(DesiredBag { relation: peers.id.clone(), bag: Bag::App, keys });
    }
    if let Some(version) = situation.observed.version() {
        let keys = BTreeMap::from([(WORKLOAD_VERSION.to_owned(), Some(version.to_string()))]);
        bags.push(DesiredBag { relation: peers.id.clone(), bag: Bag::Unit, keys });
    }
    bags
}

/// The record that the leader keeps for all units and for the next leader.
fn record(situation: &Situation<'_>, peers: &PeerRelation, service: &DesiredService) -> Keys {
    let observed = situation.observed;
    let databases: Vec<_> = observed.databases.iter().map(|database| database.id.clone()).collect();
    let version = observed.version().map(ToString::to_string);
    let migrated = match (observed.database(), &version) {
        (Some(database), Some(version)) if is_migrated(observed) => Some((&database.id, version.as_str())),
        _ => None,
    };
    let mut keys = peers.record(&observed.context.unit, &databases, migrated);
    let (held, recorded) = (held(observed), recorded(observed));
    if let Some(database) = observed.database().filter(|_| held != recorded) {
        keys.extend(PeerRelation::record_verdict(&database.id, held.map(|held| held.record()).as_ref()));
    }
    if let Some(runs) = history::runs(observed, peers) {
        keys.insert(MIGRATION_RUNS.to_owned(), Some(runs));
    }
    if let DesiredService::Running(running) = service {
        keys.extend(PeerRelation::publish_schemas(&running.schemas));
    }
    if observed.has_rotated {
        keys.extend(peers.rotated());
    }
    if let Some(is_set) = cluster::mark(situation) {
        keys.insert(RESOURCE_LIMITS.to_owned(), is_set.then(|| "\"set\"".to_owned()));
    }
    keys
}
