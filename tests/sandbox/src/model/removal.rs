//! What goes: units, applications, and the relations that nobody is in any more.

use super::{Application, Life, Model, ModelError, Owner, Relation, split_unit};

impl Model {
    /// Starts the removal of a unit. One that never ran anything is gone at once.
    ///
    /// # Errors
    /// The unit is not there.
    pub fn remove_unit(&mut self, unit: &str) -> Result<(), ModelError> {
        self.unit_mut(unit)?.life = Life::Dying;
        if !self.unit(unit)?.installed {
            self.drop_unit(unit);
        }
        Ok(())
    }

    /// Starts the removal of an application: its relations and units go first.
    ///
    /// # Errors
    /// The application is not there.
    pub fn remove_application(&mut self, name: &str) -> Result<(), ModelError> {
        let app = self.application_mut(name)?;
        app.life = Life::Dying;
        let (stub, units): (bool, Vec<u32>) = (app.stub, app.units.keys().copied().collect());
        let ids: Vec<u32> = self
            .relations
            .values()
            .filter(|r| r.has_application(name) && !r.is_peer())
            .map(|r| r.id)
            .collect();
        for id in ids {
            self.remove_relation(id)?;
        }
        for number in units {
            let unit = format!("{name}/{number}");
            if stub { self.drop_unit(&unit) } else { self.remove_unit(&unit)? }
        }
        self.drop_application_if_empty(name);
        Ok(())
    }

    /// Takes a unit out of the model with everything that it owns; leadership goes to the lowest unit that
    /// stays.
    pub(super) fn drop_unit(&mut self, unit: &str) {
        let Some((app_name, number)) = split_unit(unit) else { return };
        self.secrets.retain(|_, secret| secret.owner != Owner::Unit(unit.to_owned()));
        for secret in self.secrets.values_mut() {
            secret.consumers.remove(unit);
        }
        for relation in self.relations.values_mut() {
            relation.scope.remove(unit);
        }
        let Some(app) = self.applications.get_mut(app_name) else { return };
        app.units.remove(&number);
        if app.leader == Some(number) {
            let mut alive = app.units.values().filter(|unit| unit.life == Life::Alive);
            app.leader = alive.next().map(|unit| unit.number).or_else(|| app.units.keys().next().copied());
        }
        self.drop_empty_relations();
        self.drop_application_if_empty(app_name);
    }

    fn drop_application_if_empty(&mut self, name: &str) {
        let gone = |app: &Application| app.life == Life::Dying && app.units.is_empty();
        let related = self.relations.values().any(|r| r.has_application(name) && !r.is_peer());
        if !related && self.applications.get(name).is_some_and(gone) {
            self.applications.remove(name);
            self.relations.retain(|_, relation| !relation.has_application(name));
            self.secrets.retain(|_, secret| secret.owner != Owner::Application(name.to_owned()));
        }
    }

    pub(super) fn drop_empty_relations(&mut self) {
        let gone: Vec<u32> = self
            .relations
            .values()
            .filter(|r| r.life == Life::Dying && r.scope.is_empty())
            .map(|r| r.id)
            .collect();
        for id in gone {
            let relation = self.relations.remove(&id);
            for secret in self.secrets.values_mut() {
                secret.access.retain(|access| access.relation != id);
            }
            for app in relation.iter().flat_map(Relation::applications) {
                self.drop_application_if_empty(&app);
            }
        }
    }
}
