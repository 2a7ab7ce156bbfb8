//! Relations: which endpoints fit, who is in scope, and the data bags.

use std::collections::{BTreeMap, BTreeSet};

use super::{Endpoint, Life, Model, ModelError, Role, application_of};

/// A data bag. The version counts changes of its content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bag {
    /// The content.
    pub data: BTreeMap<String, String>,
    /// How often the content changed.
    pub version: u64,
}

impl Bag {
    /// Writes keys; an empty value deletes. A write that changes nothing makes no new version.
    pub fn write<'a>(&mut self, changes: impl IntoIterator<Item = (&'a String, &'a String)>) {
        let before = self.data.clone();
        for (key, value) in changes {
            if value.is_empty() {
                self.data.remove(key);
            } else {
                self.data.insert(key.clone(), value.clone());
            }
        }
        if self.data != before {
            self.version += 1;
        }
    }
}

/// One side of a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// The application.
    pub app: String,
    /// Its endpoint.
    pub endpoint: String,
}

/// A relation.
#[derive(Debug, Clone)]
pub struct Relation {
    /// Its id.
    pub id: u32,
    /// The provider (or the only side of a peer relation).
    pub provider: Side,
    /// The requirer; none for peers.
    pub requirer: Option<Side>,
    /// The interface.
    pub interface: String,
    /// Whether it stays.
    pub life: Life,
    /// Units that take part now.
    pub scope: BTreeSet<String>,
    /// Bags of applications.
    pub app_bags: BTreeMap<String, Bag>,
    /// Bags of units; they stay readable until the relation is gone.
    pub unit_bags: BTreeMap<String, Bag>,
}

impl Relation {
    pub(super) fn peer(id: u32, app: &str, endpoint: &Endpoint) -> Self {
        let side = Side { app: app.into(), endpoint: endpoint.name.clone() };
        Self::new(id, side, None, &endpoint.interface)
    }

    fn new(id: u32, provider: Side, requirer: Option<Side>, interface: &str) -> Self {
        let mut relation = Self {
            id,
            provider,
            requirer,
            interface: interface.into(),
            life: Life::Alive,
            scope: BTreeSet::new(),
            app_bags: BTreeMap::new(),
            unit_bags: BTreeMap::new(),
        };
        relation.app_bags = relation.applications().into_iter().map(|app| (app, Bag::default())).collect();
        relation
    }

    /// Whether it is a peer relation.
    #[must_use]
    pub fn is_peer(&self) -> bool {
        self.requirer.is_none()
    }

    /// The applications that it joins, one for peers.
    #[must_use]
    pub fn applications(&self) -> Vec<String> {
        std::iter::once(&self.provider).chain(&self.requirer).map(|side| side.app.clone()).collect()
    }

    /// Whether that application is one of them.
    #[must_use]
    pub fn has_application(&self, app: &str) -> bool {
        self.side(app).is_some()
    }

    /// The side of that application.
    #[must_use]
    pub fn side(&self, app: &str) -> Option<&Side> {
        std::iter::once(&self.provider).chain(&self.requirer).find(|side| side.app == app)
    }

    /// The side that an application sees as remote: for peers its own.
    #[must_use]
    pub fn remote(&self, app: &str) -> Option<&Side> {
        match &self.requirer {
            None => Some(&self.provider),
            Some(requirer) if self.provider.app == app => Some(requirer),
            Some(_) => Some(&self.provider),
        }
    }

    /// `provider:endpoint requirer:endpoint` in Juju's order, requirer first.
    #[must_use]
    pub fn key(&self) -> String {
        let text = |side: &Side| format!("{}:{}", side.app, side.endpoint);
        match &self.requirer {
            Some(requirer) => format!("{} {}", text(requirer), text(&self.provider)),
            None => text(&self.provider),
        }
    }
}

struct Candidate {
    provider: Side,
    requirer: Side,
    interface: String,
}

impl Model {
    pub(super) fn take_relation_id(&mut self) -> u32 {
        let id = self.next_relation;
        self.next_relation += 1;
        id
    }

    /// Relates two applications, each named as `app` or `app:endpoint`, and gives the relation's id.
    ///
    /// # Errors
    /// An application or endpoint that is not there; no or several fitting pairs; the relation exists; a limit is reached.
    pub fn integrate(&mut self, one: &str, other: &str) -> Result<u32, ModelError> {
        let candidate = self.candidate(one, other)?;
        let Candidate { provider, requirer, interface } = candidate;
        let key = format!("{}:{} {}:{}", requirer.app, requirer.endpoint, provider.app, provider.endpoint);
        if self.relations.values().any(|relation| relation.key() == key) {
            let text =
                format!("cannot add relation \"{key}\": relation {key} already exists (already exists)");
            return Err(ModelError::AlreadyExists(text));
        }
        for side in [&provider, &requirer] {
            let limit =
                self.application(&side.app)?.charm.endpoints.get(&side.endpoint).and_then(|e| e.limit);
            if limit.is_some_and(|limit| self.relation_ids(&side.app, &side.endpoint).len() >= limit as usize)
            {
                let text = format!(
                    "cannot add relation \"{key}\": establishing a new relation for {}:{} would exceed its maximum relation limit of {} (quota limit exceeded)",
                    side.app,
                    side.endpoint,
                    limit.unwrap_or_default()
                );
                return Err(ModelError::Invalid(text));
            }
        }
        let id = self.take_relation_id();
        let apps = [provider.app.clone(), requirer.app.clone()];
        self.relations.insert(id, Relation::new(id, provider, Some(requirer), &interface));
        for app in apps {
            if self.application(&app)?.stub {
                self.enter_scope(id, &format!("{app}/0"));
            }
        }
        Ok(id)
    }

    fn candidate(&self, one: &str, other: &str) -> Result<Candidate, ModelError> {
        let (ours, theirs) = (self.endpoints(one)?, self.endpoints(other)?);
        let mut found = Vec::new();
        for (app, endpoint) in &ours {
            for (peer, remote) in &theirs {
                let flip = match (endpoint.role, remote.role) {
                    (Role::Provider, Role::Requirer | Role::Either) | (Role::Either, Role::Requirer) => false,
                    (Role::Requirer, Role::Provider | Role::Either) | (Role::Either, Role::Provider) => true,
                    _ => continue,
                };
                if endpoint.interface != remote.interface {
                    continue;
                }
                let side = |app: &str, endpoint: &Endpoint| Side {
                    app: app.to_owned(),
                    endpoint: endpoint.name.clone(),
                };
                let (provider, requirer) = if flip {
                    (side(peer, remote), side(app, endpoint))
                } else {
                    (side(app, endpoint), side(peer, remote))
                };
                found.push(Candidate { provider, requirer, interface: endpoint.interface.clone() });
            }
        }
        match (found.pop(), found.is_empty()) {
            (Some(candidate), true) => Ok(candidate),
            (None, _) => Err(ModelError::Invalid("no relations found".into())),
            (Some(last), false) => {
                found.push(last);
                let mut pairs: Vec<String> = found
                    .iter()
                    .map(|Candidate { provider: p, requirer: r, .. }| {
                        format!("\"{}:{} {}:{}\"", r.app, r.endpoint, p.app, p.endpoint)
                    })
                    .collect();
                pairs.sort();
                let text =
                    format!("ambiguous relation: \"{one} {other}\" could refer to {}", pairs.join("; "));
                Err(ModelError::Invalid(text))
            }
        }
    }

    fn endpoints(&self, text: &str) -> Result<Vec<(String, Endpoint)>, ModelError> {
        let (app, endpoint) = text.split_once(':').map_or((text, None), |(app, e)| (app, Some(e)));
        let endpoints = &self.application(app)?.charm.endpoints;
        match endpoint {
            None => Ok(endpoints.values().map(|endpoint| (app.to_owned(), endpoint.clone())).collect()),
            Some(name) => match endpoints.get(name) {
                Some(endpoint) => Ok(vec![(app.to_owned(), endpoint.clone())]),
                None => Err(ModelError::Invalid(format!("application \"{app}\" has no \"{name}\" relation"))),
            },
        }
    }

    /// The id of the relation between two applications (`app` or `app:endpoint` each).
    ///
    /// # Errors
    /// There is none, or more than one.
    pub fn relation_between(&self, one: &str, other: &str) -> Result<u32, ModelError> {
        let fits = |relation: &Relation, text: &str| {
            let (app, endpoint) = text.split_once(':').map_or((text, None), |(app, e)| (app, Some(e)));
            relation.side(app).is_some_and(|side| endpoint.is_none_or(|name| side.endpoint == name))
        };
        let mut found = self
            .relations
            .values()
            .filter(|relation| !relation.is_peer() && fits(relation, one) && fits(relation, other));
        match (found.next(), found.next()) {
            (Some(relation), None) => Ok(relation.id),
            (None, _) => Err(ModelError::not_found("relation", &format!("{one} {other}"))),
            _ => Err(ModelError::Invalid(format!("ambiguous relation: \"{one} {other}\""))),
        }
    }

    /// Starts the removal of a relation: both sides run departed and broken.
    ///
    /// # Errors
    /// There is none of that id; peers cannot be removed.
    pub fn remove_relation(&mut self, id: u32) -> Result<(), ModelError> {
        let relation =
            self.relations.get_mut(&id).ok_or_else(|| ModelError::not_found("relation", &id.to_string()))?;
        if relation.is_peer() {
            let text = format!("cannot remove peer relation \"{}\"", relation.key());
            return Err(ModelError::Invalid(text));
        }
        relation.life = Life::Dying;
        let stubs: Vec<&String> = self.applications.values().filter(|a| a.stub).map(|a| &a.name).collect();
        relation.scope.retain(|unit| !stubs.iter().any(|stub| *stub == application_of(unit)));
        self.drop_empty_relations();
        Ok(())
    }

    /// Ids of an application's relations at one endpoint.
    #[must_use]
    pub fn relation_ids(&self, app: &str, endpoint: &str) -> Vec<u32> {
        let ours = |r: &&Relation| r.side(app).is_some_and(|side| side.endpoint == endpoint);
        self.relations.values().filter(ours).map(|r| r.id).collect()
    }

    /// The application that one sees at the other side.
    #[must_use]
    pub fn remote_application(&self, id: u32, app: &str) -> Option<String> {
        Some(self.relations.get(&id)?.remote(app)?.app.clone())
    }

    /// Units in scope at the other side of a unit's relation, with the versions of their bags.
    #[must_use]
    pub fn remote_units(&self, id: u32, unit: &str) -> BTreeMap<String, u64> {
        let Some(relation) = self.relations.get(&id) else { return BTreeMap::new() };
        let Some(remote) = relation.remote(application_of(unit)) else { return BTreeMap::new() };
        relation
            .scope
            .iter()
            .filter(|other| application_of(other) == remote.app && *other != unit)
            .map(|other| (other.clone(), relation.unit_bags.get(other).map_or(0, |bag| bag.version)))
            .collect()
    }

    /// Brings a unit into a relation's scope; its bag starts with its addresses, as in Juju.
    pub(super) fn enter_scope(&mut self, id: u32, unit: &str) {
        let Ok(address) = self.unit(unit).map(|unit| unit.address.clone()) else { return };
        let Some(relation) = self.relations.get_mut(&id) else { return };
        relation.scope.insert(unit.to_owned());
        let values = [
            ("egress-subnets".to_owned(), format!("{address}/32")),
            ("ingress-address".to_owned(), address.clone()),
            ("private-address".to_owned(), address),
        ];
        let bag = relation.unit_bags.entry(unit.to_owned()).or_default();
        bag.write(values.iter().map(|(key, value)| (key, value)));
    }

    /// Writes a bag by hand: `holder` is an application or a unit of it.
    ///
    /// # Errors
    /// The relation is not there or `holder` takes no part in it.
    pub fn set_bag(
        &mut self,
        id: u32,
        holder: &str,
        data: &BTreeMap<String, String>,
    ) -> Result<(), ModelError> {
        let relation =
            self.relations.get_mut(&id).ok_or_else(|| ModelError::not_found("relation", &id.to_string()))?;
        if !relation.has_application(application_of(holder)) {
            let text = format!("\"{holder}\" takes no part in relation \"{}\"", relation.key());
            return Err(ModelError::Invalid(text));
        }
        let bags = if holder.contains('/') { &mut relation.unit_bags } else { &mut relation.app_bags };
        bags.entry(holder.to_owned()).or_default().write(data);
        Ok(())
    }
}
