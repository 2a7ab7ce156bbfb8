//! What an action on identities works with, and what it ends with.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::juju::{self, Agent};
use crate::kratos::Place;
use crate::kratos::admin::{self, Admin};
use crate::pebble::Client;
use crate::postgres::Dsn;

/// The parameters as Juju gave them.
pub type Parameters = BTreeMap<String, Value>;

/// What an action works with.
pub struct IdentityAction<'a> {
    pub agent: &'a Agent,
    pub admin: Admin,
    pub pebble: Client,
    pub place: Place,
    /// The database of Kratos, where it is known.
    pub dsn: Option<Dsn>,
    pub application: String,
    pub unit: String,
    /// The action's name.
    pub name: String,
}

/// What an action that did its work shows.
#[derive(Debug, Default)]
pub struct ActionOutput {
    pub lines: Vec<String>,
    pub results: BTreeMap<String, String>,
}

/// Why an action did not do its work.
#[derive(Debug)]
pub enum ActionError {
    /// To be told with `action-fail`, after what was reached so far.
    Failed {
        text: String,
        results: BTreeMap<String, String>,
    },
    Juju(juju::Error),
}

impl From<juju::Error> for ActionError {
    fn from(error: juju::Error) -> Self {
        Self::Juju(error)
    }
}

impl From<String> for ActionError {
    fn from(text: String) -> Self {
        Self::Failed { text, results: BTreeMap::new() }
    }
}

impl ActionOutput {
    pub fn line(text: impl Into<String>) -> Self {
        Self { lines: vec![text.into()], results: BTreeMap::new() }
    }

    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.results.insert(key.to_owned(), value.into());
        self
    }
}

impl IdentityAction<'_> {
    /// The command that runs this action again, with what stands for its parameters.
    pub fn again(&self, parameters: &str) -> String {
        format!("juju run {} {} {parameters}", self.unit, self.name)
    }

    /// The failure of a call about an identity: `what` was to be done.
    pub fn failed(&self, what: &str, id: &str, error: &admin::Error) -> ActionError {
        match error {
            admin::Error::NotFound { .. } => self.absent(id),
            other => self.trouble(what, other),
        }
    }

    /// There is no such identity.
    pub fn absent(&self, id: &str) -> ActionError {
        format!("Identity {id} does not exist; list those that do: juju run {} list-identities", self.unit)
            .into()
    }

    /// The failure of a call, with where to look.
    pub fn trouble(&self, what: &str, error: &admin::Error) -> ActionError {
        let look = match error {
            admin::Error::NotFound { .. } | admin::Error::Conflict { .. } | admin::Error::Refused { .. } => {
                format!("juju show-action {} {}", self.application, self.name)
            }
            _ => format!("juju status {}, then run the action again", self.application),
        };
        format!("{what}: {error}; see {look}").into()
    }
}
