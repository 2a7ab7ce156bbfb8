//! What a unit has to run next: the difference between the world and what the unit was told.
//!
//! Juju's unit agent keeps no queue. It compares remote state with local state and takes the first difference
//! in a fixed order: relation-created, leadership, containers, secrets, actions, upgrade, config-changed,
//! start, relations, what was asked for. So do these rules, which gives Juju's order and Juju's merging of
//! several changes into one event.

use std::time::SystemTime;

use super::{Event, Life, Model, Owner, RelationHook, Status, TaskStatus, Unit, application_of};

impl Model {
    /// The next event of a unit, none if it has nothing to do or waits in error.
    #[must_use]
    pub fn next_event(&self, name: &str) -> Option<Event> {
        let unit = self.unit(name).ok()?;
        let action = || self.pending_action(name);
        if let Some(event) = &unit.error {
            return if unit.retry { Some(event.clone()) } else { action() };
        }
        if !unit.installed {
            return Some(Event::Install);
        }
        if unit.life == Life::Dying {
            return self.next_farewell(name, unit);
        }
        self.next_created(name, unit)
            .or_else(|| (self.is_leader(name) && !unit.seen.leader).then_some(Event::LeaderElected))
            .or_else(|| unit.started.then(|| next_ready(unit)).flatten())
            .or_else(|| unit.started.then(|| self.next_secret(name)).flatten())
            .or_else(action)
            .or_else(|| unit.seen.upgrade.then_some(Event::UpgradeCharm))
            .or_else(|| self.next_config(name, unit))
            .or_else(|| (!unit.started).then_some(Event::Start))
            .or_else(|| self.relations.keys().find_map(|id| self.next_of_relation(*id, name, unit)))
            .or_else(|| unit.requested.front().cloned())
    }

    fn pending_action(&self, unit: &str) -> Option<Event> {
        let mut pending =
            self.tasks.values().filter(|task| task.unit == unit && task.status == TaskStatus::Pending);
        pending.next().map(|task| Event::Action { task: task.id, name: task.action.clone() })
    }

    // Out of every relation, then stop, then remove.
    fn next_farewell(&self, name: &str, unit: &Unit) -> Option<Event> {
        if unit.seen.stopped {
            return Some(Event::Remove);
        }
        let event = unit.relations.keys().find_map(|id| self.next_leaving(*id, name, unit));
        event.or(Some(Event::Stop))
    }

    fn next_config(&self, name: &str, unit: &Unit) -> Option<Event> {
        let version = self.application(application_of(name)).ok()?.config_version;
        (unit.seen.config != Some(version)).then_some(Event::ConfigChanged { version })
    }

    fn next_created(&self, name: &str, unit: &Unit) -> Option<Event> {
        let app = application_of(name);
        self.relations.values().find_map(|relation| {
            let side = relation.side(app).filter(|_| relation.life == Life::Alive)?;
            let created = unit.relations.get(&relation.id).is_some_and(|local| local.created);
            (!created).then(|| Event::Relation {
                hook: RelationHook::Created,
                id: relation.id,
                endpoint: side.endpoint.clone(),
                app: relation.remote(app).map(|side| side.app.clone()).unwrap_or_default(),
                unit: None,
                departing: None,
                version: 0,
            })
        })
    }

    fn next_secret(&self, name: &str) -> Option<Event> {
        let app = application_of(name);
        let removed = self.secrets.values().find_map(|secret| {
            let owner = match &secret.owner {
                Owner::Application(owner) => owner == app && self.is_leader(name),
                Owner::Unit(owner) => owner == name,
            };
            let revision = owner.then(|| secret.obsolete()).flatten()?;
            let label = secret.label.clone().unwrap_or_default();
            Some(Event::SecretRemove { id: secret.id.clone(), label, revision })
        });
        removed.or_else(|| {
            self.secrets.values().find_map(|secret| {
                let consumer = secret.consumers.get(name).filter(|it| it.told < secret.latest())?;
                let label = consumer.label.clone().unwrap_or_default();
                Some(Event::SecretChanged { id: secret.id.clone(), label, revision: secret.latest() })
            })
        })
    }

    fn next_of_relation(&self, id: u32, name: &str, unit: &Unit) -> Option<Event> {
        let relation = self.relations.get(&id)?;
        if relation.life == Life::Dying {
            return self.next_leaving(id, name, unit);
        }
        let local = unit.relations.get(&id)?;
        let (app, endpoint) = self.remote_names(id, name)?;
        let event = |hook, unit: Option<&String>, version, departing: Option<&String>| Event::Relation {
            hook,
            id,
            endpoint: endpoint.clone(),
            app: app.clone(),
            unit: unit.cloned(),
            departing: departing.cloned(),
            version,
        };
        let remote = self.remote_units(id, name);
        if let Some((joined, version)) = local.pending.as_ref().and_then(|unit| remote.get_key_value(unit)) {
            return Some(event(RelationHook::Changed, Some(joined), *version, None));
        }
        let version = relation.app_bags.get(&app).map_or(0, |bag| bag.version);
        if local.apps.get(&app).copied().unwrap_or(0) != version {
            return Some(event(RelationHook::Changed, None, version, None));
        }
        let mut all: Vec<&String> = remote.keys().chain(local.members.keys()).collect();
        all.sort();
        all.into_iter().find_map(|other| match (local.members.get(other), remote.get(other)) {
            (None, Some(version)) => Some(event(RelationHook::Joined, Some(other), *version, None)),
            (Some(_), None) => Some(event(RelationHook::Departed, Some(other), 0, Some(other))),
            (Some(told), Some(version)) if told != version => {
                Some(event(RelationHook::Changed, Some(other), *version, None))
            }
            _ => None,
        })
    }

    // Departed for each unit that had joined, then broken.
    fn next_leaving(&self, id: u32, name: &str, unit: &Unit) -> Option<Event> {
        let local = unit.relations.get(&id).filter(|local| local.created)?;
        let (app, endpoint) = self.remote_names(id, name)?;
        let member = local.members.keys().next().cloned();
        let departing = if unit.life == Life::Dying { Some(name.to_owned()) } else { member.clone() };
        Some(match member {
            Some(_) => {
                let hook = RelationHook::Departed;
                Event::Relation { hook, id, endpoint, app, unit: member, departing, version: 0 }
            }
            None => {
                let hook = RelationHook::Broken;
                Event::Relation { hook, id, endpoint, app, unit: None, departing: None, version: 0 }
            }
        })
    }

    fn remote_names(&self, id: u32, name: &str) -> Option<(String, String)> {
        let relation = self.relations.get(&id)?;
        let app = application_of(name);
        Some((relation.remote(app)?.app.clone(), relation.side(app)?.endpoint.clone()))
    }

    /// Prepares the model for an event that starts now. Before the first relation-created a unit enters the
    /// scope of every relation that it is not in yet, as Juju's agent does.
    pub fn begin(&mut self, name: &str, event: &Event) {
        if let Event::Relation { hook: RelationHook::Created, .. } = event {
            let app = application_of(name);
            let new = self.relations.values().filter(|relation| {
                relation.life == Life::Alive
                    && relation.has_application(app)
                    && !relation.scope.contains(name)
            });
            for id in new.map(|relation| relation.id).collect::<Vec<_>>() {
                self.enter_scope(id, name);
            }
        }
        if let Ok(unit) = self.unit_mut(name) {
            unit.retry = false;
            if unit.requested.front() == Some(event) && unit.error.is_none() {
                unit.requested.pop_front();
            }
        }
    }

    /// Notes that a unit was told an event: its hook succeeded, or the operator gave up on it (`resolve
    /// --no-retry`).
    pub fn finish(&mut self, name: &str, event: &Event, now: SystemTime) {
        if let Event::SecretChanged { id, revision, .. } = event
            && let Some(consumer) = self.secrets.get_mut(id).and_then(|s| s.consumers.get_mut(name))
        {
            consumer.told = *revision;
        }
        if let Event::SecretRemove { id, revision, .. } = event
            && let Some(secret) = self.secrets.get_mut(id)
        {
            secret.told_obsolete.insert(*revision);
        }
        let Ok(unit) = self.unit_mut(name) else { return };
        (unit.error, unit.retry, unit.failures) = (None, false, 0);
        match event {
            Event::Install => unit.installed = true,
            Event::Start => {
                unit.started = true;
                if !unit.status_was_set {
                    unit.status = Status::new("unknown", "", now);
                }
            }
            Event::LeaderElected => unit.seen.leader = true,
            Event::UpgradeCharm => unit.seen.upgrade = false,
            Event::ConfigChanged { version } => unit.seen.config = Some(*version),
            Event::PebbleReady { container } => {
                unit.seen.ready.insert(container.clone());
            }
            Event::Stop => unit.seen.stopped = unit.life == Life::Dying,
            Event::Remove => self.drop_unit(name),
            Event::Relation { .. } => self.finish_relation(name, event),
            _ => {}
        }
    }

    fn finish_relation(&mut self, name: &str, event: &Event) {
        let Event::Relation { hook, id, app, unit: remote, version, .. } = event else { return };
        let Ok(unit) = self.unit_mut(name) else { return };
        let local = unit.relations.entry(*id).or_default();
        match (hook, remote) {
            (RelationHook::Created, _) => local.created = true,
            (RelationHook::Joined, Some(remote)) => {
                local.members.insert(remote.clone(), *version);
                local.pending = Some(remote.clone());
            }
            (RelationHook::Changed, Some(remote)) => {
                local.members.insert(remote.clone(), *version);
                local.pending = local.pending.take().filter(|pending| pending != remote);
            }
            (RelationHook::Changed, None) => {
                local.apps.insert(app.clone(), *version);
            }
            (RelationHook::Departed, Some(remote)) => {
                local.members.remove(remote);
                local.pending = local.pending.take().filter(|pending| pending != remote);
            }
            (RelationHook::Broken, _) => {
                unit.relations.remove(id);
                if let Some(relation) = self.relations.get_mut(id) {
                    relation.scope.remove(name);
                }
                self.drop_empty_relations();
            }
            _ => {}
        }
    }

    /// Notes that an event's hook failed: the unit waits in error with it.
    pub fn fail(&mut self, name: &str, event: &Event) {
        if let Ok(unit) = self.unit_mut(name) {
            unit.error = Some(event.clone());
            unit.retry = false;
            unit.failures += 1;
        }
    }
}

fn next_ready(unit: &Unit) -> Option<Event> {
    let container = unit.containers.difference(&unit.seen.ready).next()?;
    Some(Event::PebbleReady { container: container.clone() })
}
