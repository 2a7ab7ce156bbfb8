//! What one run of a charm knows and has buffered.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::LogLine;
use crate::model::{Changes, Event, Model};

/// The action's side of a context.
#[derive(Debug, Clone, Default)]
pub struct ActionRun {
    /// What action-set gave.
    pub results: Map<String, Value>,
    /// What action-fail said.
    pub failed: Option<String>,
}

/// One run of a charm: a hook or an action of one unit.
#[derive(Debug)]
pub struct Context {
    /// JUJU_CONTEXT_ID.
    pub id: String,
    /// The unit.
    pub unit: String,
    /// Why it runs.
    pub event: Event,
    /// Where resource-get puts files.
    pub resources: PathBuf,
    /// Writes that wait for the end of the hook.
    pub changes: Changes,
    /// Results of the action, in an action.
    pub action: Option<ActionRun>,
    /// Lines for the model's log, taken by whoever runs the context.
    pub log: Vec<LogLine>,
    // Remote bags as they were first read: Juju's context keeps them for the hook.
    pub(super) read: BTreeMap<(u32, String), BTreeMap<String, String>>,
    // Juju's context that heard "not the leader" once stays with it.
    pub(super) deposed: bool,
}

impl Context {
    /// A context for one run; its id is `UNIT-NAME-HEX` as Juju's.
    pub fn new(model: &mut Model, unit: &str, event: Event, resources: PathBuf) -> Self {
        let action = event.is_action().then(ActionRun::default);
        let id = format!("{unit}-{}-{}", event.name(), model.random_hex());
        Self {
            id,
            unit: unit.to_owned(),
            event,
            resources,
            changes: Changes::default(),
            action,
            log: Vec::new(),
            read: BTreeMap::new(),
            deposed: false,
        }
    }

    pub(super) fn is_leader(&mut self, model: &Model) -> bool {
        self.deposed |= !model.is_leader(&self.unit);
        !self.deposed
    }
}
