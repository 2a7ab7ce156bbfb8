//! A relation as this unit sees it, whatever its endpoint, and what of it is read.

use std::collections::BTreeMap;
use std::fmt;

use crate::juju::{Databag, RelationId, UnitName};
use crate::kratos::Secret;

/// One relation. `Debug` shows which keys are there, but no values.
#[derive(Clone)]
pub struct Relation {
    pub id: RelationId,
    /// Our application databag, which only the leader may read; `None` also where the endpoint never writes it.
    pub own: Option<Databag>,
    /// This unit's databag; empty if the endpoint never writes it.
    pub own_unit: Databag,
    /// The remote application databag.
    pub remote: Databag,
    /// The databags of the remote units; empty if the endpoint does not ask for them.
    pub remote_units: BTreeMap<UnitName, Databag>,
    /// The contents of the secrets that the remote application databag names, by its key.
    pub secrets: BTreeMap<&'static str, SecretContent>,
    /// Where this unit listens for the other side, if the endpoint asks for it and Juju tells.
    pub address: Option<String>,
}

/// What each of several relations says, in the order of their numbers.
pub type ByRelation<T> = Vec<(RelationId, T)>;

/// A secret that a databag names.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretContent {
    /// The databag names none.
    Absent,
    /// It is named, but Juju does not give it out (yet): the reason.
    Unreadable(String),
    Content(BTreeMap<String, String>),
}

/// What the other side of a relation says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remote<T> {
    /// Nothing yet.
    Absent,
    /// Something that cannot be used: the reason, for a status. It quotes no value that may be secret.
    Invalid(String),
    Ready(T),
}

/// The longest part of a list in a text for people, in characters.
const LONGEST_PART: usize = 120;

/// The first three of a list, each on one line and not long, and how many more there are: another application decides how
/// many, and a status has to be read.
pub fn first_three(list: &[String], separator: &str) -> String {
    let part = |text: &String| match text.char_indices().nth(LONGEST_PART) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.clone(),
    };
    let mut parts: Vec<String> = list.iter().take(3).map(part).collect();
    if list.len() > parts.len() {
        parts.push(format!("and {} more", list.len() - parts.len()));
    }
    parts.join(separator)
}

/// Data of several parts, of which those that cannot be used are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sifted<T> {
    pub used: T,
    /// Why each other part is not used: for a status, without any value that may be secret.
    pub refused: Vec<String>,
}

impl<T: Default + PartialEq> Sifted<T> {
    /// What the whole is worth: with nothing to use and nothing refused there is nothing yet.
    pub fn into_remote(self) -> Remote<Self> {
        match (self.used == T::default(), self.refused.is_empty()) {
            (true, true) => Remote::Absent,
            (true, false) => Remote::Invalid(first_three(&self.refused, "; ")),
            (false, _) => Remote::Ready(self),
        }
    }
}

impl Relation {
    /// A relation of which nothing is known yet.
    pub fn new(id: RelationId) -> Self {
        Self {
            id,
            own: None,
            own_unit: Databag::new(),
            remote: Databag::new(),
            remote_units: BTreeMap::new(),
            secrets: BTreeMap::new(),
            address: None,
        }
    }

    /// A value of the remote application databag that is there and not blank.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.remote.get(key).map(String::as_str).filter(|value| !value.trim().is_empty())
    }

    /// A value that has to be there.
    pub fn required(&self, key: &str) -> Result<&str, String> {
        self.value(key).ok_or_else(|| format!("{key} is missing"))
    }

    /// A secret's value: out of the secret that the databag names under `reference`, or plain out of the databag under
    /// `plain`, where older providers wrote it. An empty one is none.
    ///
    /// Fails if a secret is named, but cannot be read or lacks `content_key`.
    pub fn secret(&self, reference: &str, content_key: &str, plain: &str) -> Result<Option<Secret>, String> {
        let found = match self.secrets.get(reference) {
            Some(SecretContent::Unreadable(reason)) => {
                return Err(format!("{reference} cannot be read: {reason}"));
            }
            Some(SecretContent::Content(content)) => {
                let value = content.get(content_key).filter(|value| !value.is_empty());
                Some(value.ok_or_else(|| format!("{reference} has no value {content_key}"))?)
            }
            Some(SecretContent::Absent) | None => self.remote.get(plain).filter(|value| !value.is_empty()),
        };
        Ok(found.map(|value| Secret(value.clone())))
    }
}

/// The data of a databag that was looked at as a whole: absent, or in use, or not, and why.
impl<T> From<Result<Option<T>, String>> for Remote<T> {
    fn from(result: Result<Option<T>, String>) -> Self {
        match result {
            Ok(Some(data)) => Self::Ready(data),
            Ok(None) => Self::Absent,
            Err(reason) => Self::Invalid(reason),
        }
    }
}

impl fmt::Debug for Relation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Relation")
            .field("id", &self.id)
            .field("remote", &self.remote.keys())
            .field("remote_units", &self.remote_units.keys())
            .field("secrets", &self.secrets)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SecretContent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => formatter.write_str("Absent"),
            Self::Unreadable(reason) => write!(formatter, "Unreadable({reason})"),
            Self::Content(content) => write!(formatter, "Content({:?})", content.keys()),
        }
    }
}
