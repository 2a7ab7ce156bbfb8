//! Refresh: an application gets a new charm, and its units one after another a new pod.

use super::{Charm, Endpoint, Model, ModelError, Origin, Relation, Role};

impl Model {
    /// Gives an application a new charm. Units go on with the old one until [`Model::replace_unit`].
    ///
    /// # Errors
    /// The application is not there; a relation's endpoint is missing from the new charm; a charm of another name.
    pub fn refresh(&mut self, name: &str, charm: Charm, origin: Origin) -> Result<(), ModelError> {
        let app = self.application(name)?;
        if app.charm.name != charm.name {
            let text = format!(
                "cannot upgrade application \"{name}\" to charm \"{}\": its charm is \"{}\"",
                charm.name, app.charm.name
            );
            return Err(ModelError::Invalid(text));
        }
        for relation in self.relations.values() {
            let side = relation.side(name).filter(|side| !charm.endpoints.contains_key(&side.endpoint));
            if let Some(side) = side {
                let text = format!(
                    "cannot upgrade application \"{name}\" to charm \"{}\": would break relation \"{}:{}\"",
                    charm.name, name, side.endpoint
                );
                return Err(ModelError::Invalid(text));
            }
        }
        let new_peers: Vec<Endpoint> = charm
            .endpoints
            .values()
            .filter(|e| e.role == Role::Peer && self.relation_ids(name, &e.name).is_empty())
            .cloned()
            .collect();
        let app = self.application_mut(name)?;
        (app.charm, app.origin) = (charm, origin);
        app.fit_config();
        for peer in new_peers {
            let id = self.take_relation_id();
            self.relations.insert(id, Relation::peer(id, name, &peer));
        }
        Ok(())
    }

    /// Notes that a unit's pod was replaced by one with the application's present charm.
    ///
    /// # Errors
    /// The unit is not there.
    pub fn replace_unit(&mut self, unit: &str) -> Result<(), ModelError> {
        let unit = self.unit_mut(unit)?;
        unit.containers.clear();
        unit.seen.ready.clear();
        unit.seen.config = None;
        unit.seen.upgrade = unit.installed;
        unit.started = false;
        // The new agent finds the failed hook and runs it again, now with the new charm.
        unit.retry = unit.error.is_some();
        Ok(())
    }
}
