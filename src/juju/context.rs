//! Everything that Juju says about one run of the charm before the first question is asked.

use std::path::PathBuf;

use super::environment::Environment;
use super::error::Result;
use super::event::Event;
use super::types::UnitName;

/// The event of this run, and the place it runs in.
#[derive(Debug, Clone, PartialEq)]
pub struct Context {
    pub event: Event,
    /// The unit that this process serves.
    pub unit: UnitName,
    /// The model's name.
    pub model: String,
    /// The model's uuid.
    pub model_uuid: String,
    /// Where the charm is unpacked; lost together with the pod.
    pub charm_dir: PathBuf,
    /// The version of the unit's agent, such as `3.6.26`.
    pub juju_version: String,
}

impl Context {
    /// Reads the context from the variables of a hook; the error names the variable that is missing or wrong. Only
    /// what every decision needs has to be there.
    pub fn from_environment(environment: &Environment) -> Result<Self> {
        Ok(Self {
            event: Event::from_environment(environment)?,
            unit: environment.require_parsed("JUJU_UNIT_NAME", "a unit name")?,
            model: environment.require("JUJU_MODEL_NAME")?.to_owned(),
            model_uuid: environment.get("JUJU_MODEL_UUID").unwrap_or_default().to_owned(),
            charm_dir: environment.get("JUJU_CHARM_DIR").unwrap_or_default().into(),
            juju_version: environment.get("JUJU_VERSION").unwrap_or_default().to_owned(),
        })
    }

    /// The task's id as in `juju show-task`, if this run is an action.
    pub fn task(&self) -> Option<&str> {
        match &self.event {
            Event::Action(action) => Some(&action.uuid),
            _ => None,
        }
    }
}
