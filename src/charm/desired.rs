//! `Desired`: what the world should look like, a pure function of what was observed.

use std::collections::{BTreeMap, BTreeSet};

use super::cluster::{self, DesiredCluster};
use super::facts::public_url;
use super::inputs::inputs;
use super::observed::Observed;
use super::outputs::{log_targets, outputs};
use super::record;
use super::secrets::{Making, making, obsolete};
use super::service::{DesiredService, desired_service};
use crate::integrations::peers::{MIGRATION_RUNS, PeerRelation, RESOURCE_LIMITS, WORKLOAD_VERSION};
use crate::integrations::{Relation, certificates, external_idp, tracing};
use crate::juju::{Bag, Port, RelationId, SecretUri};
use crate::kratos::names::{ADMIN_PORT, PUBLIC_PORT};
use crate::pebble::LogTarget;

/// Everything that the charm is responsible for.
#[derive(Clone, Debug)]
pub struct Desired {
    /// What our databags should say; keys that are not named stay as they are.
    pub databags: Vec<DesiredBag>,
    /// The secrets that this unit has to make now.
    pub new_secrets: Vec<Making>,
    /// A revision of a secret that nobody needs any more.
    pub obsolete_secret: Option<(SecretUri, u64)>,
    pub ports: BTreeSet<Port>,
    /// The version to show in `juju status`, if it was looked at.
    pub workload_version: Option<String>,
    pub service: DesiredService,
    /// What the leader writes to Kubernetes.
    pub cluster: DesiredCluster,
    /// Where Pebble should send logs; targets that are not named stay as they are.
    pub log_targets: BTreeMap<String, LogTarget>,
}

/// Keys of one databag; `None` deletes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredBag {
    pub relation: RelationId,
    pub bag: Bag,
    pub keys: BTreeMap<String, Option<String>>,
}

/// Decides everything. Has no client, no clock and no way to fail.
pub fn desired(observed: &Observed) -> Desired {
    let service = desired_service(observed);
    Desired {
        databags: databags(observed, &service),
        new_secrets: making(observed),
        obsolete_secret: obsolete(observed),
        ports: [PUBLIC_PORT, ADMIN_PORT].into_iter().map(Port::tcp).collect(),
        workload_version: observed.version().map(ToString::to_string),
        service,
        cluster: cluster::desired(observed),
        log_targets: log_targets(observed),
    }
}

fn databags(observed: &Observed, service: &DesiredService) -> Vec<DesiredBag> {
    let mut bags = Vec::new();
    if observed.is_leader {
        for database in &observed.databases {
            let request = database.request(&observed.requested_database());
            let keys = request.into_iter().map(|(key, value)| (key, Some(value))).collect();
            bags.push(DesiredBag { relation: database.id.clone(), bag: Bag::App, keys });
        }
        bags.extend(answers(observed));
    }
    bags.extend(outputs(observed));
    let Some(peers) = &observed.peers else { return bags };
    if observed.is_leader {
        let databases: Vec<_> = observed.databases.iter().map(|database| database.id.clone()).collect();
        let version = observed.version().map(ToString::to_string);
        let migrated = match (observed.database(), &version) {
            (Some(database), Some(version)) if observed.is_migrated() => {
                Some((&database.id, version.as_str()))
            }
            _ => None,
        };
        let mut keys = peers.record(&observed.context.unit, &databases, migrated);
        if let Some(runs) = record::runs(observed, peers) {
            keys.insert(MIGRATION_RUNS.to_owned(), Some(runs));
        }
        if let DesiredService::Running(running) = service {
            keys.extend(PeerRelation::publish_schemas(&running.schemas()));
        }
        if observed.has_rotated {
            keys.extend(peers.rotated());
        }
        if let Some(is_set) = cluster::mark(observed) {
            keys.insert(RESOURCE_LIMITS.to_owned(), is_set.then(|| "\"set\"".to_owned()));
        }
        bags.push(DesiredBag { relation: peers.id.clone(), bag: Bag::App, keys });
    }
    if let Some(version) = observed.version() {
        let keys = BTreeMap::from([(WORKLOAD_VERSION.to_owned(), Some(version.to_string()))]);
        bags.push(DesiredBag { relation: peers.id.clone(), bag: Bag::Unit, keys });
    }
    bags
}

/// What the leader says to those that tell Kratos something: the providers' redirect URIs, and which protocols it
/// speaks.
fn answers(observed: &Observed) -> Vec<DesiredBag> {
    let (providers, public_url) = (inputs(observed).providers, public_url(observed));
    let answer = |relation: &Relation| {
        let endpoint = relation.id.endpoint();
        let keys = if endpoint == external_idp::ENDPOINT.name {
            let its_own = providers.iter().filter(|(giver, _)| *giver == relation.id);
            external_idp::answer(its_own.map(|(_, provider)| provider), public_url.as_ref())
        } else if endpoint == tracing::ENDPOINT.name {
            tracing::request()
        } else if endpoint == certificates::ENDPOINT.name {
            certificates::request()
        } else {
            return None;
        };
        Some(DesiredBag { relation: relation.id.clone(), bag: Bag::App, keys })
    };
    observed.relations.iter().filter_map(answer).collect()
}
