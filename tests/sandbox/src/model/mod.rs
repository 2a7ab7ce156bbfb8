//! The model: everything that a Juju controller would know, as plain data with Juju's rules.
//!
//! It is given changes (deploy, integrate, a finished hook's writes) and says which event each unit has to
//! run next. It does no I/O and never looks at a clock; so each rule can be tested with a few lines and a run
//! is the same every time.

mod application;
mod charm;
mod commit;
mod config;
mod error;
mod event;
mod refresh;
mod relation;
mod removal;
mod resolve;
mod schema;
mod secret;
mod task;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::SystemTime;

pub use application::{Application, Life, LocalRelation, Origin, Seen, Status, Unit};
pub use charm::{ActionSchema, Charm, CharmError, ConfigOption, Endpoint, Kind, Resource, Role};
pub use commit::{BagKey, Changes, SecretChange, SecretFields};
pub use error::ModelError;
pub use event::{Event, RelationHook};
pub use relation::{Bag, Relation, Side};
pub use secret::{Access, Consumer, Content, Owner, Revision, Secret};
pub use task::{Operation, Task, TaskStatus};

/// One Juju model. Names of units are `app/N`, relation ids count from 0, operations and tasks share one
/// counter from 1.
#[derive(Debug, Clone)]
pub struct Model {
    /// The model's name, e.g. `sandbox`.
    pub name: String,
    /// The model's UUID.
    pub uuid: String,
    /// Applications by name.
    pub applications: BTreeMap<String, Application>,
    /// Relations by id, peers included.
    pub relations: BTreeMap<u32, Relation>,
    /// Secrets by bare id (20 characters).
    pub secrets: BTreeMap<String, Secret>,
    /// Tasks by id.
    pub tasks: BTreeMap<u32, Task>,
    /// Operations by id.
    pub operations: BTreeMap<u32, Operation>,
    next_relation: u32,
    next_task: u32,
    random: u64,
}

impl Model {
    /// An empty model. All ids that look random (model UUID, secret ids, context ids) follow from `seed`.
    #[must_use]
    pub fn new(name: &str, seed: u64) -> Self {
        let mut model = Self {
            name: name.to_owned(),
            uuid: String::new(),
            applications: BTreeMap::new(),
            relations: BTreeMap::new(),
            secrets: BTreeMap::new(),
            tasks: BTreeMap::new(),
            operations: BTreeMap::new(),
            next_relation: 0,
            next_task: 1,
            random: seed,
        };
        let hex = model.random_hex();
        // Version 4 and variant 8 at their places make it a well-formed random UUID.
        model.uuid =
            format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..]);
        model
    }

    /// 32 hexadecimal digits, as at the end of a context id.
    pub fn random_hex(&mut self) -> String {
        format!("{:016x}{:016x}", self.random(), self.random())
    }

    // splitmix64: small, and the whole state is the one number.
    pub(crate) fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn take_task_id(&mut self) -> u32 {
        let id = self.next_task;
        self.next_task += 1;
        id
    }

    /// The application of that name.
    ///
    /// # Errors
    /// `application "x" not found`.
    pub fn application(&self, name: &str) -> Result<&Application, ModelError> {
        self.applications.get(name).ok_or_else(|| ModelError::not_found("application", name))
    }

    /// As [`Model::application`], to change it.
    ///
    /// # Errors
    /// `application "x" not found`.
    pub fn application_mut(&mut self, name: &str) -> Result<&mut Application, ModelError> {
        self.applications.get_mut(name).ok_or_else(|| ModelError::not_found("application", name))
    }

    /// The unit of that name (`app/N`).
    ///
    /// # Errors
    /// `unit "x" not found`, also for a name that is none.
    pub fn unit(&self, name: &str) -> Result<&Unit, ModelError> {
        split_unit(name)
            .and_then(|(app, number)| self.applications.get(app)?.units.get(&number))
            .ok_or_else(|| ModelError::not_found("unit", name))
    }

    /// As [`Model::unit`], to change it.
    ///
    /// # Errors
    /// `unit "x" not found`.
    pub fn unit_mut(&mut self, name: &str) -> Result<&mut Unit, ModelError> {
        split_unit(name)
            .and_then(|(app, number)| self.applications.get_mut(app)?.units.get_mut(&number))
            .ok_or_else(|| ModelError::not_found("unit", name))
    }

    /// Names of all units with a charm (stand-in applications have none), applications by name and units by
    /// number.
    #[must_use]
    pub fn unit_names(&self) -> Vec<String> {
        self.applications
            .values()
            .filter(|app| !app.stub)
            .flat_map(|app| app.units.keys().map(|number| format!("{}/{number}", app.name)))
            .collect()
    }

    /// Whether that unit leads its application.
    #[must_use]
    pub fn is_leader(&self, unit: &str) -> bool {
        split_unit(unit)
            .and_then(|(app, number)| Some(self.applications.get(app)?.leader == Some(number)))
            .unwrap_or(false)
    }

    /// Sets a unit's status (what `status-set` does).
    ///
    /// # Errors
    /// `unit "x" not found`.
    pub fn set_unit_status(
        &mut self,
        unit: &str,
        status: &str,
        message: &str,
        now: SystemTime,
    ) -> Result<(), ModelError> {
        self.unit_mut(unit)?.status = Status::new(status, message, now);
        Ok(())
    }
}

/// Splits `app/3` into `("app", 3)`; nothing if it is no unit name.
#[must_use]
pub fn split_unit(name: &str) -> Option<(&str, u32)> {
    let (app, number) = name.split_once('/')?;
    let canonical = number == "0" || !number.starts_with('0');
    (is_application_name(app) && canonical && number.bytes().all(|b| b.is_ascii_digit()))
        .then(|| number.parse().ok().map(|number| (app, number)))
        .flatten()
}

/// The application part of a unit name, or the name itself.
#[must_use]
pub fn application_of(unit: &str) -> &str {
    unit.split_once('/').map_or(unit, |(app, _)| app)
}

/// Juju's rule: lower-case letters, digits and hyphens; starts with a letter; no part between hyphens is all
/// digits.
#[must_use]
pub fn is_application_name(name: &str) -> bool {
    let mut parts = name.split('-');
    let first = parts.next().unwrap_or_default();
    first.starts_with(|c: char| c.is_ascii_lowercase())
        && std::iter::once(first).chain(parts).all(|part| {
            part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
                && part.bytes().any(|b| b.is_ascii_lowercase())
        })
}

/// Juju's rule for an action's name and its parameters: lower case, digits and hyphens, alphanumeric at both
/// ends.
#[must_use]
pub fn is_key_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let alnum = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    bytes.first().is_some_and(alnum)
        && bytes.last().is_some_and(alnum)
        && bytes.iter().all(|b| alnum(b) || *b == b'-')
}
