//! The relations: their numbers, and the databags and secrets of each that its endpoint counts.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use super::juju_data::{absent_if_gone, absent_if_no_relation, bag, secret_content};
use crate::integrations::database::{self, DatabaseRelation, TLS_SECRET, USER_SECRET};
use crate::integrations::peers::{self, PeerRelation};
use crate::integrations::{ENDPOINTS, Endpoint, Relation};
use crate::juju::{self, Agent, Context, Databag, Entity, Event, Network, RelationId, UnitName};

/// The relations of the database's endpoint by number.
pub async fn database_ids(agent: &Agent, context: &Context) -> juju::Result<Vec<RelationId>> {
    ids(agent, context, database::ENDPOINT).await
}

/// The relation of the peers.
pub async fn peer_ids(agent: &Agent, context: &Context) -> juju::Result<Vec<RelationId>> {
    ids(agent, context, peers::ENDPOINT).await
}

/// The relations of an endpoint by number; Juju still lists one that is being broken.
async fn ids(agent: &Agent, context: &Context, endpoint: &str) -> juju::Result<Vec<RelationId>> {
    let mut ids = agent.relation_ids(endpoint).await?;
    if let Some(broken) = context.event.broken_relation() {
        ids.retain(|listed| listed != broken);
    }
    ids.sort();
    Ok(ids)
}

/// What the units of this application published.
pub async fn peers(
    agent: &Agent,
    context: &Context,
    ids: Vec<RelationId>,
) -> juju::Result<Option<PeerRelation>> {
    let Some(id) = ids.into_iter().next() else { return Ok(None) };
    let (application, unit) = tokio::join!(
        bag(agent, &id, Entity::App(context.unit.application())),
        bag(agent, &id, Entity::Unit(&context.unit)),
    );
    let others = match context.event {
        Event::Action(_) => other_units(agent, &id).await?,
        _ => BTreeMap::new(),
    };
    Ok(Some(PeerRelation { application: application?, unit: unit?, others, id }))
}

/// What the other units published: a call for each, and only actions depend on it.
async fn other_units(agent: &Agent, id: &RelationId) -> juju::Result<BTreeMap<UnitName, Option<String>>> {
    let mut others = BTreeMap::new();
    for unit in absent_if_no_relation(agent.relation_units(id).await)?.unwrap_or_default() {
        let version = bag(agent, id, Entity::Unit(&unit)).await?.remove(peers::WORKLOAD_VERSION);
        others.insert(unit, version);
    }
    Ok(others)
}

/// The database relations, with the contents of their secrets.
pub async fn databases(
    agent: &Agent,
    context: &Context,
    ids: Vec<RelationId>,
    is_leader: bool,
) -> juju::Result<Vec<DatabaseRelation>> {
    let mut relations = Vec::new();
    for id in ids {
        let app = absent_if_no_relation(agent.relation_app(&id).await)?.flatten();
        let remote = match &app {
            Some(app) => bag(agent, &id, Entity::App(app)).await?,
            None => Databag::new(),
        };
        let mut remote_units = Vec::new();
        if remote.contains_key("subordinated") {
            for unit in absent_if_no_relation(agent.relation_units(&id).await)?.unwrap_or_default() {
                remote_units.push(bag(agent, &id, Entity::Unit(&unit)).await?);
            }
        }
        let own = match is_leader {
            true => Some(bag(agent, &id, Entity::App(context.unit.application())).await?),
            false => None,
        };
        let (user, tls) = tokio::join!(
            secret_content(agent, remote.get(USER_SECRET)),
            secret_content(agent, remote.get(TLS_SECRET)),
        );
        relations.push(DatabaseRelation { own, remote, remote_units, user: user?, tls: tls?, id });
    }
    Ok(relations)
}

/// The relations of all other endpoints.
pub async fn others(agent: &Agent, context: &Context, is_leader: bool) -> juju::Result<Vec<Relation>> {
    let ids = join_all(ENDPOINTS.iter().map(|endpoint| ids(agent, context, endpoint.name))).await;
    let mut found = Vec::new();
    for (endpoint, ids) in ENDPOINTS.iter().zip(ids) {
        for id in ids? {
            found.push(relation(agent, context, endpoint, id, is_leader).await?);
        }
    }
    Ok(found)
}

async fn relation(
    agent: &Agent,
    context: &Context,
    endpoint: &Endpoint,
    id: RelationId,
    is_leader: bool,
) -> juju::Result<Relation> {
    let mut relation = Relation::new(id);
    let id = &relation.id;
    if let Some(app) = absent_if_no_relation(agent.relation_app(id).await)?.flatten() {
        relation.remote = bag(agent, id, Entity::App(&app)).await?;
    }
    if is_leader {
        relation.own = Some(bag(agent, id, Entity::App(context.unit.application())).await?);
    }
    if endpoint.own_unit {
        relation.own_unit = bag(agent, id, Entity::Unit(&context.unit)).await?;
    }
    if endpoint.remote_units {
        for unit in absent_if_no_relation(agent.relation_units(id).await)?.unwrap_or_default() {
            let remote = bag(agent, id, Entity::Unit(&unit)).await?;
            relation.remote_units.insert(unit, remote);
        }
    }
    if endpoint.address {
        let network = absent_if_gone(agent.network_get(endpoint.name, Some(id)).await)?;
        relation.address = network.as_ref().and_then(Network::bind_address).map(str::to_owned);
    }
    for key in endpoint.secrets {
        let content = secret_content(agent, relation.remote.get(*key)).await?;
        relation.secrets.insert(key, content);
    }
    Ok(relation)
}
