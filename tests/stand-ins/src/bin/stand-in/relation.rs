//! What a stand-in sees of one relation, and what it says there.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use stand_ins::Bag;

/// One relation as this unit sees it.
#[derive(Debug, Default)]
pub struct View {
    /// `endpoint:7`.
    pub id: String,
    pub unit: String,
    pub app: String,
    pub model: String,
    pub leader: bool,
    /// The version of the charm's library for this interface, where there are two.
    pub library: String,
    pub config: Map<String, Value>,
    /// The other application's bag.
    pub remote: Bag,
    pub remote_units: BTreeMap<String, Bag>,
}

impl View {
    /// An option's text; numbers and booleans as text too, `""` if it has no value.
    pub fn option(&self, name: &str) -> String {
        match self.config.get(name) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    }

    /// Whether a boolean option is set.
    pub fn flag(&self, name: &str) -> bool {
        self.config.get(name).and_then(Value::as_bool).unwrap_or_default()
    }

    /// A key of the other application's bag, as JSON.
    pub fn remote_json(&self, key: &str) -> Result<Value, String> {
        let text = self.remote.get(key).ok_or_else(|| format!("{}: no {key}", self.id))?;
        serde_json::from_str(text).map_err(|error| format!("{}: {key} is no JSON: {error}", self.id))
    }

    /// The name under which an application is reached in its namespace.
    pub fn service(&self) -> String {
        format!("{}.{}.svc.cluster.local", self.app, self.model)
    }

    /// The number in `endpoint:7`.
    pub fn number(&self) -> &str {
        number(&self.id)
    }
}

/// The number in `endpoint:7`.
pub fn number(relation: &str) -> &str {
    relation.rsplit_once(':').map_or(relation, |(_, number)| number)
}

/// What there is to say.
#[derive(Debug, Default)]
pub struct Answer {
    /// Keys of our application's bag (an empty value deletes); none: it stays as it is.
    pub app: Option<Bag>,
    /// Keys of this unit's bag.
    pub unit: Option<Bag>,
    /// A secret whose URI goes into our application's bag.
    pub secret: Option<SharedSecret>,
    pub state: State,
}

/// A secret that is granted to the relation.
#[derive(Debug)]
pub struct SharedSecret {
    /// The bag's key for the URI.
    pub key: &'static str,
    pub label: String,
    pub content: Vec<(&'static str, String)>,
}

/// How a relation stands, best first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Active(String),
    /// The other side has not said what is needed yet.
    Waiting(String),
    /// What the other side said cannot be used, or our configuration lacks something.
    Blocked(String),
}

impl Default for State {
    fn default() -> Self {
        Self::Active(String::new())
    }
}

impl State {
    pub fn words(&self) -> (&'static str, &str) {
        match self {
            Self::Active(text) => ("active", text),
            Self::Waiting(text) => ("waiting", text),
            Self::Blocked(text) => ("blocked", text),
        }
    }
}

/// A bag of these keys.
pub fn bag<V: Into<String>>(pairs: impl IntoIterator<Item = (&'static str, V)>) -> Bag {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect()
}

/// As Python spells it.
pub fn python(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}
