//! The relations: their numbers, and the databags and secrets of each that its endpoint counts.
//!
//! Juju tells the numbers for one endpoint at a time (`goal-state` names all endpoints at once, but neither the peers nor what
//! another model consumes). Everything is asked as soon as its question is known: where hook commands are processes, they
//! run beside each other.

use std::collections::BTreeMap;

use futures_util::future::{OptionFuture, join_all};

use super::juju_data::{absent_if_gone, absent_if_no_relation, bag, secret_content};
use crate::integrations::database::{self, DatabaseRelation, TLS_SECRET, USER_SECRET};
use crate::integrations::peers::{self, PeerRelation};
use crate::integrations::{ENDPOINTS, Endpoint, Relation};
use crate::juju::{self, Agent, Context, Databag, Entity, Network, RelationId, UnitName};

/// The numbers of all relations.
pub struct Numbers {
    peers: Vec<RelationId>,
    databases: Vec<RelationId>,
    others: Vec<(&'static Endpoint, RelationId)>,
}

/// What all relations hold.
pub struct Relations {
    pub peers: Option<PeerRelation>,
    pub databases: Vec<DatabaseRelation>,
    pub others: Vec<Relation>,
}

/// In whose name relations are read.
pub struct Reader<'a> {
    pub agent: &'a Agent,
    pub context: &'a Context,
    pub is_leader: bool,
    /// Whether the other units' workload versions are read, a call for each.
    pub is_program_asked: bool,
}

/// Asks for the relations of each endpoint.
pub async fn numbers(agent: &Agent, context: &Context) -> juju::Result<Numbers> {
    let others = ENDPOINTS.iter().map(|endpoint| ids(agent, context, endpoint.name));
    let (peers, databases, listed) = tokio::join!(
        ids(agent, context, peers::ENDPOINT),
        ids(agent, context, database::ENDPOINT),
        join_all(others)
    );
    let mut others = Vec::new();
    for (endpoint, ids) in ENDPOINTS.iter().zip(listed) {
        others.extend(ids?.into_iter().map(|id| (endpoint, id)));
    }
    Ok(Numbers { peers: peers?, databases: databases?, others })
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

impl Reader<'_> {
    /// Reads all relations.
    pub async fn read(&self, numbers: Numbers) -> juju::Result<Relations> {
        let (peers, databases, others) = tokio::join!(
            OptionFuture::from(numbers.peers.into_iter().next().map(|id| self.peers(id))),
            join_all(numbers.databases.into_iter().map(|id| self.database(id))),
            join_all(numbers.others.into_iter().map(|(endpoint, id)| self.relation(endpoint, id))),
        );
        Ok(Relations {
            peers: peers.transpose()?,
            databases: databases.into_iter().collect::<juju::Result<_>>()?,
            others: others.into_iter().collect::<juju::Result<_>>()?,
        })
    }

    /// What the units of this application published.
    async fn peers(&self, id: RelationId) -> juju::Result<PeerRelation> {
        let others = async {
            let units = if self.is_program_asked { self.units(&id).await? } else { Vec::new() };
            self.remote_units(&id, units).await
        };
        let (application, unit, others) = tokio::join!(self.own_bag(&id), self.own_unit_bag(&id), others);
        let version = |mut bag: Databag| bag.remove(peers::WORKLOAD_VERSION);
        let others = others?.into_iter().map(|(unit, bag)| (unit, version(bag))).collect();
        Ok(PeerRelation { application: application?, unit: unit?, others, id })
    }

    /// A database relation, with the contents of its secrets.
    async fn database(&self, id: RelationId) -> juju::Result<DatabaseRelation> {
        let remote = async {
            let remote = match self.remote_app(&id).await? {
                Some(app) => self.app_bag(&id, &app).await?,
                None => Databag::new(),
            };
            let units = async {
                let is_counted = remote.contains_key("subordinated");
                let units = if is_counted { self.units(&id).await? } else { Vec::new() };
                self.remote_units(&id, units).await
            };
            let (units, user, tls) = tokio::join!(
                units,
                secret_content(self.agent, remote.get(USER_SECRET)),
                secret_content(self.agent, remote.get(TLS_SECRET)),
            );
            Ok((units?.into_values().collect(), user?, tls?, remote))
        };
        let own = OptionFuture::from(self.is_leader.then(|| self.own_bag(&id)));
        let (remote, own) = tokio::join!(remote, own);
        let (remote_units, user, tls, remote) = remote?;
        Ok(DatabaseRelation { own: own.transpose()?, remote, remote_units, user, tls, id })
    }

    /// A relation of any other endpoint.
    async fn relation(&self, endpoint: &Endpoint, id: RelationId) -> juju::Result<Relation> {
        let is_own_read = self.is_leader && endpoint.answer.is_some();
        let (remote, own, own_unit, network) = tokio::join!(
            self.remote(endpoint, &id),
            OptionFuture::from(is_own_read.then(|| self.own_bag(&id))),
            OptionFuture::from(endpoint.answer_of_unit.is_some().then(|| self.own_unit_bag(&id))),
            OptionFuture::from(endpoint.address.then(|| self.agent.network_get(endpoint.name, Some(&id)))),
        );
        let network = absent_if_gone(network.transpose())?.flatten();
        Ok(Relation {
            own: own.transpose()?,
            own_unit: own_unit.transpose()?.unwrap_or_default(),
            address: network.as_ref().and_then(Network::bind_address).map(str::to_owned),
            id,
            ..remote?
        })
    }

    /// What the other side wrote. Whoever lists its units needs no second listing: a unit bears its application's name.
    async fn remote(&self, endpoint: &Endpoint, id: &RelationId) -> juju::Result<Relation> {
        let mut relation = Relation::new(id.clone());
        let units = if endpoint.remote_units { self.units(id).await? } else { Vec::new() };
        let app = match units.first() {
            Some(unit) => Some(unit.application().to_owned()),
            None => self.remote_app(id).await?,
        };
        let (remote, units) = tokio::join!(
            OptionFuture::from(app.as_deref().map(|app| self.app_bag(id, app))),
            self.remote_units(id, units),
        );
        relation.remote = remote.transpose()?.unwrap_or_default();
        relation.remote_units = units?;
        let named = endpoint.secrets.iter().map(|key| secret_content(self.agent, relation.remote.get(*key)));
        for (key, content) in endpoint.secrets.iter().zip(join_all(named).await) {
            relation.secrets.insert(key, content?);
        }
        Ok(relation)
    }

    async fn remote_app(&self, id: &RelationId) -> juju::Result<Option<String>> {
        Ok(absent_if_no_relation(self.agent.relation_app(id).await)?.flatten())
    }

    async fn units(&self, id: &RelationId) -> juju::Result<Vec<UnitName>> {
        Ok(absent_if_no_relation(self.agent.relation_units(id).await)?.unwrap_or_default())
    }

    async fn app_bag(&self, id: &RelationId, app: &str) -> juju::Result<Databag> {
        bag(self.agent, id, Entity::App(app)).await
    }

    async fn own_bag(&self, id: &RelationId) -> juju::Result<Databag> {
        self.app_bag(id, self.context.unit.application()).await
    }

    async fn own_unit_bag(&self, id: &RelationId) -> juju::Result<Databag> {
        bag(self.agent, id, Entity::Unit(&self.context.unit)).await
    }

    async fn remote_units(
        &self,
        id: &RelationId,
        units: Vec<UnitName>,
    ) -> juju::Result<BTreeMap<UnitName, Databag>> {
        let bags = join_all(units.iter().map(|unit| bag(self.agent, id, Entity::Unit(unit)))).await;
        units.iter().cloned().zip(bags).map(|(unit, bag)| Ok((unit, bag?))).collect()
    }
}
