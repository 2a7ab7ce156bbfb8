//! Applications and units: deploy, scale, remove, leadership and what each unit knows.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::SystemTime;

use serde_json::Value;

use super::{Charm, Endpoint, Event, Model, ModelError, Relation, Role};

/// Whether something stays or is on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Life {
    /// It stays.
    #[default]
    Alive,
    /// It was removed; its last events run.
    Dying,
}

/// A status word with its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// active, blocked, ...
    pub status: String,
    /// The text beside it.
    pub message: String,
    /// Since when.
    pub since: SystemTime,
}

impl Status {
    /// A status from now on.
    #[must_use]
    pub fn new(status: &str, message: &str, since: SystemTime) -> Self {
        Self { status: status.into(), message: message.into(), since }
    }
}

/// Where an application's charm came from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// The channel, e.g. `25.4/stable`; empty for a local charm.
    pub channel: String,
    /// The charm's revision.
    pub revision: u32,
}

/// An application.
#[derive(Debug, Clone)]
pub struct Application {
    /// Its name.
    pub name: String,
    /// What its charm declares.
    pub charm: Charm,
    /// Where the charm came from.
    pub origin: Origin,
    /// A stand-in without a charm: it has one unit, and a test writes its data by hand.
    pub stub: bool,
    /// Options that were set.
    pub config: BTreeMap<String, Value>,
    /// Counts changes of the configuration.
    pub config_version: u64,
    /// Units by number.
    pub units: BTreeMap<u32, Unit>,
    /// The number of the next unit.
    pub next_unit: u32,
    /// The leader's number.
    pub leader: Option<u32>,
    /// What the charm set with `status-set --application`.
    pub status: Option<Status>,
    /// What a unit set last with application-version-set.
    pub workload_version: String,
    /// Resources: an image's reference or a file's path.
    pub resources: BTreeMap<String, String>,
    /// Whether it was trusted.
    pub trust: bool,
    /// Whether it stays.
    pub life: Life,
}

/// What a unit was already told, so that its next events are the difference to the world.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The configuration's version at its last config-changed; none if it has to run (again).
    pub config: Option<u64>,
    /// It ran leader-elected for its present leadership.
    pub leader: bool,
    /// It has to run upgrade-charm.
    pub upgrade: bool,
    /// Containers that are up and whose pebble-ready ran.
    pub ready: BTreeSet<String>,
    /// It ran stop for its removal.
    pub stopped: bool,
}

/// What a unit knows of one relation.
#[derive(Debug, Clone, Default)]
pub struct LocalRelation {
    /// relation-created ran.
    pub created: bool,
    /// Remote units that joined, with the version that this unit was told.
    pub members: BTreeMap<String, u64>,
    /// Versions of the remote application's bag, likewise.
    pub apps: BTreeMap<String, u64>,
    /// The unit that just joined: its first changed follows at once.
    pub pending: Option<String>,
}

/// A unit.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Its number.
    pub number: u32,
    /// Its own loopback address.
    pub address: String,
    /// Whether it stays.
    pub life: Life,
    /// The status that its charm set.
    pub status: Status,
    /// Whether the charm ever set a status.
    pub status_was_set: bool,
    /// Open ports such as `4433/tcp`.
    pub ports: BTreeSet<String>,
    /// What state-set keeps.
    pub state: BTreeMap<String, String>,
    /// install ran.
    pub installed: bool,
    /// start ran.
    pub started: bool,
    /// Containers that are up.
    pub containers: BTreeSet<String>,
    /// What it was told.
    pub seen: Seen,
    /// Its relations.
    pub relations: BTreeMap<u32, LocalRelation>,
    /// Events that somebody asked for.
    pub requested: VecDeque<Event>,
    /// The event whose hook failed; it runs again before all others.
    pub error: Option<Event>,
    /// The failed event may run again now.
    pub retry: bool,
    /// How often it failed in a row.
    pub failures: u32,
}

impl Unit {
    fn new(number: u32, address: &str, now: SystemTime) -> Self {
        Self {
            number,
            address: address.into(),
            life: Life::Alive,
            status: Status::new("waiting", "installing agent", now),
            status_was_set: false,
            ports: BTreeSet::new(),
            state: BTreeMap::new(),
            installed: false,
            started: false,
            containers: BTreeSet::new(),
            seen: Seen::default(),
            relations: BTreeMap::new(),
            requested: VecDeque::new(),
            error: None,
            retry: false,
            failures: 0,
        }
    }

    /// The workload status as Juju shows it: a failed hook covers what the charm set.
    #[must_use]
    pub fn shown_status(&self) -> Status {
        match &self.error {
            Some(event) => {
                Status::new("error", &format!("hook failed: \"{}\"", event.name()), self.status.since)
            }
            None => self.status.clone(),
        }
    }
}

impl Application {
    /// The URL of its charm, as the agent notes it.
    #[must_use]
    pub fn charm_url(&self) -> String {
        let source = if self.origin.channel.is_empty() { "local:" } else { "ch:amd64/noble/" };
        format!("{source}{}-{}", self.charm.name, self.origin.revision)
    }

    /// The application's status: what the charm set, else the worst of its units'.
    #[must_use]
    pub fn shown_status(&self) -> Status {
        const WORST_FIRST: [&str; 6] = ["error", "blocked", "maintenance", "waiting", "active", "terminated"];
        let rank = |status: &Status| {
            WORST_FIRST.iter().position(|word| *word == status.status).unwrap_or(WORST_FIRST.len())
        };
        self.status.clone().unwrap_or_else(|| {
            let units = self.units.values().map(Unit::shown_status);
            units.min_by_key(rank).unwrap_or_else(|| Status::new("unknown", "", SystemTime::UNIX_EPOCH))
        })
    }
}

impl Model {
    /// Adds an application with its peer relations, without units.
    ///
    /// # Errors
    /// The name is taken or no name, or the charm's resources have no value.
    pub fn deploy(
        &mut self,
        name: &str,
        charm: Charm,
        origin: Origin,
        resources: BTreeMap<String, String>,
    ) -> Result<(), ModelError> {
        if !super::is_application_name(name) {
            return Err(ModelError::Invalid(format!("invalid application name \"{name}\"")));
        }
        if self.applications.contains_key(name) {
            let text = format!("cannot add application \"{name}\": application already exists");
            return Err(ModelError::AlreadyExists(text));
        }
        let peers: Vec<Endpoint> =
            charm.endpoints.values().filter(|endpoint| endpoint.role == Role::Peer).cloned().collect();
        let app = Application {
            name: name.into(),
            charm,
            origin,
            stub: false,
            config: BTreeMap::new(),
            config_version: 1,
            units: BTreeMap::new(),
            next_unit: 0,
            leader: None,
            status: None,
            workload_version: String::new(),
            resources,
            trust: false,
            life: Life::Alive,
        };
        self.applications.insert(name.into(), app);
        for peer in peers {
            let id = self.take_relation_id();
            self.relations.insert(id, Relation::peer(id, name, &peer));
        }
        Ok(())
    }

    /// Adds a stand-in application with one endpoint and one unit, which never runs anything.
    ///
    /// # Errors
    /// The name is taken or no name.
    pub fn add_stub(
        &mut self,
        name: &str,
        endpoint: &str,
        interface: &str,
        address: &str,
        now: SystemTime,
    ) -> Result<(), ModelError> {
        let side =
            Endpoint { name: endpoint.into(), role: Role::Either, interface: interface.into(), limit: None };
        let mut charm = Charm { name: name.into(), ..Charm::default() };
        charm.endpoints.insert(endpoint.into(), side);
        self.deploy(name, charm, Origin::default(), BTreeMap::new())?;
        let unit = self.add_unit(name, address, now)?;
        self.application_mut(name)?.stub = true;
        let unit = self.unit_mut(&unit)?;
        (unit.installed, unit.started) = (true, true);
        unit.status = Status::new("active", "stand-in", now);
        Ok(())
    }

    /// Adds one unit and gives its name. The first one becomes the leader.
    ///
    /// # Errors
    /// The application is not there.
    pub fn add_unit(&mut self, app: &str, address: &str, now: SystemTime) -> Result<String, ModelError> {
        let app = self.application_mut(app)?;
        let number = app.next_unit;
        app.next_unit += 1;
        app.units.insert(number, Unit::new(number, address, now));
        app.leader.get_or_insert(number);
        Ok(format!("{}/{number}", app.name))
    }

    /// Lets the next unit have the lowest number above all that are there, as a StatefulSet counts.
    ///
    /// # Errors
    /// The application is not there.
    pub fn reuse_numbers(&mut self, app: &str) -> Result<(), ModelError> {
        let app = self.application_mut(app)?;
        app.next_unit = app.units.keys().next_back().map_or(0, |number| number + 1);
        Ok(())
    }

    /// Moves leadership to a unit.
    ///
    /// # Errors
    /// The unit is not there.
    pub fn set_leader(&mut self, unit: &str) -> Result<(), ModelError> {
        let number = self.unit(unit)?.number;
        let app = self.application_mut(super::application_of(unit))?;
        app.leader = Some(number);
        for unit in app.units.values_mut().filter(|unit| unit.number != number) {
            // A unit that leads again later runs leader-elected again.
            unit.seen.leader = false;
        }
        Ok(())
    }
}
