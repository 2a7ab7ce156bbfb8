//! Commit: the writes of a hook that succeeded, all at once.
//!
//! Commands that write are buffered while the charm runs. Juju sends them in one call when it exited with 0,
//! checks leadership once more, does secrets first and the rest in one transaction; so a refused commit can
//! leave changes of secrets behind.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use super::{Access, Content, Model, ModelError, Owner, Relation, application_of};

/// Which of a unit's own bags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BagKey {
    /// The unit's.
    Unit,
    /// Its application's.
    Application,
}

/// What secret-add and secret-set may give.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretFields {
    /// New content.
    pub content: Option<Content>,
    /// New label.
    pub label: Option<String>,
    /// New description.
    pub description: Option<String>,
    /// New rotation policy.
    pub rotate: Option<String>,
    /// New time of expiry.
    pub expire: Option<String>,
}

/// One buffered write to a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretChange {
    Add { id: String, owner: Owner, fields: SecretFields },
    Set { id: String, fields: SecretFields },
    Remove { id: String, revision: Option<u32> },
    Grant { id: String, relation: u32, target: String },
    Revoke { id: String, relation: Option<u32>, target: Option<String> },
}

/// The buffered writes of one hook.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Own bags by relation; an empty value deletes a key.
    pub bags: BTreeMap<(u32, BagKey), BTreeMap<String, String>>,
    /// state-set (a value) and state-delete (none).
    pub state: BTreeMap<String, Option<String>>,
    /// Writes to secrets, in order.
    pub secrets: Vec<SecretChange>,
    /// Ports to open (true) and close (false).
    pub ports: BTreeMap<String, bool>,
}

// The controller's max-charm-state-size.
const STATE_LIMIT: usize = 2 * 1024 * 1024;

impl Model {
    /// Applies a unit's buffered writes.
    ///
    /// # Errors
    /// Leadership was lost, a relation or secret is gone, the state is too large, a port cannot be opened on Kubernetes. Then
    /// nothing of bags, state and ports is written.
    pub fn commit(&mut self, unit: &str, changes: &Changes, now: SystemTime) -> Result<(), ModelError> {
        for change in &changes.secrets {
            self.apply_secret(unit, change, now)?;
        }
        let mut next = self.clone_bags(unit, changes)?;
        let mut state = self.unit(unit)?.state.clone();
        for (key, value) in &changes.state {
            match value {
                Some(value) => state.insert(key.clone(), value.clone()),
                None => state.remove(key),
            };
        }
        if state.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() > STATE_LIMIT {
            let text = format!("max allowed charm state size ({STATE_LIMIT}) exceeded");
            return Err(ModelError::Invalid(text));
        }
        if let Some(port) = changes.ports.keys().find(|port| port.starts_with("icmp")) {
            return Err(ModelError::Invalid(format!("port {port} not supported on Kubernetes")));
        }
        self.relations.append(&mut next);
        self.mark_own_writes(unit, changes);
        let unit = self.unit_mut(unit)?;
        unit.state = state;
        let mut ports: BTreeSet<String> = std::mem::take(&mut unit.ports);
        for (port, open) in &changes.ports {
            if *open {
                ports.insert(port.clone())
            } else {
                ports.remove(port)
            };
        }
        unit.ports = ports;
        Ok(())
    }

    // The changed relations, so that all of them can be refused before one is written.
    fn clone_bags(&self, unit: &str, changes: &Changes) -> Result<BTreeMap<u32, Relation>, ModelError> {
        let mut next = BTreeMap::new();
        for ((id, key), data) in &changes.bags {
            if *key == BagKey::Application && !self.is_leader(unit) {
                return Err(ModelError::NotLeader);
            }
            let Some(relation) = self.relations.get(id) else {
                return Err(ModelError::not_found("relation", &id.to_string()));
            };
            let relation: &mut Relation = next.entry(*id).or_insert_with(|| relation.clone());
            let bag = match key {
                BagKey::Unit => relation.unit_bags.entry(unit.to_owned()),
                BagKey::Application => relation.app_bags.entry(application_of(unit).to_owned()),
            };
            bag.or_default().write(data);
        }
        Ok(next)
    }

    // The leader shares a bag with its peers; its own write is no news to it.
    fn mark_own_writes(&mut self, unit: &str, changes: &Changes) {
        let app = application_of(unit).to_owned();
        for id in changes.bags.keys().filter(|(_, key)| *key == BagKey::Application).map(|(id, _)| *id) {
            let Some(relation) = self.relations.get(&id).filter(|relation| relation.is_peer()) else {
                continue;
            };
            let version = relation.app_bags.get(&app).map_or(0, |bag| bag.version);
            if let Ok(unit) = self.unit_mut(unit) {
                unit.relations.entry(id).or_default().apps.insert(app.clone(), version);
            }
        }
    }

    fn apply_secret(&mut self, unit: &str, change: &SecretChange, now: SystemTime) -> Result<(), ModelError> {
        match change {
            SecretChange::Add { id, owner, fields } => {
                if matches!(owner, Owner::Application(_)) && !self.is_leader(unit) {
                    return Err(ModelError::NotLeader);
                }
                let content = fields.content.clone().unwrap_or_default();
                let made = self.add_secret(owner.clone(), None, content, now);
                if let Some(mut secret) = self.secrets.remove(&made) {
                    secret.id.clone_from(id);
                    self.secrets.insert(id.clone(), secret);
                }
                self.set_fields(id, fields)
            }
            SecretChange::Set { id, fields } => {
                self.check_manages(unit, self.secret(id)?)?;
                if let Some(content) = &fields.content {
                    self.revise_secret(id, content.clone(), now)?;
                    // Who wrote it needs not be told.
                    let secret = self.secret_mut(id)?;
                    let latest = secret.latest();
                    if let Some(consumer) = secret.consumers.get_mut(unit) {
                        consumer.told = latest;
                    }
                }
                self.set_fields(id, fields)
            }
            SecretChange::Remove { id, revision } => {
                self.check_manages(unit, self.secret(id)?)?;
                let secret = self.secret_mut(id)?;
                match revision {
                    Some(revision) if secret.revisions.len() > 1 => {
                        secret.revisions.remove(revision);
                    }
                    Some(revision) if !secret.revisions.contains_key(revision) => {}
                    _ => {
                        self.secrets.remove(id);
                    }
                }
                Ok(())
            }
            SecretChange::Grant { id, relation, target } => {
                self.check_manages(unit, self.secret(id)?)?;
                self.grant_secret(id, *relation, target)
            }
            SecretChange::Revoke { id, relation, target } => {
                self.check_manages(unit, self.secret(id)?)?;
                self.secret_mut(id)?.access.retain(|access: &Access| {
                    relation.is_some_and(|relation| access.relation != relation)
                        || target.as_ref().is_some_and(|target| access.target != *target)
                });
                Ok(())
            }
        }
    }

    fn set_fields(&mut self, id: &str, fields: &SecretFields) -> Result<(), ModelError> {
        let secret = self.secret_mut(id)?;
        let keep = |new: &Option<String>, old: &mut Option<String>| {
            if new.is_some() {
                old.clone_from(new);
            }
        };
        keep(&fields.label, &mut secret.label);
        keep(&fields.description, &mut secret.description);
        keep(&fields.rotate, &mut secret.rotate);
        keep(&fields.expire, &mut secret.expire);
        Ok(())
    }
}
