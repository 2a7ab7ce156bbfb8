//! The status of a unit or an application, as Juju shows it to its user.

use std::fmt;

/// A status: what kind, and the sentence beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub kind: StatusKind,
    /// Free text; may be empty.
    pub message: String,
}

impl Status {
    /// A status of `kind` with `message`.
    pub fn new(kind: StatusKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// The kinds of status that Juju knows. A charm may only set the first four.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatusKind {
    Active,
    Waiting,
    Maintenance,
    Blocked,
    Error,
    Terminated,
    Unset,
    /// Juju's own `unknown`, and every word that this charm does not know.
    Unknown,
}

impl StatusKind {
    /// Juju's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Waiting => "waiting",
            Self::Maintenance => "maintenance",
            Self::Blocked => "blocked",
            Self::Error => "error",
            Self::Terminated => "terminated",
            Self::Unset => "unset",
            Self::Unknown => "unknown",
        }
    }

    /// The kind behind Juju's word.
    pub fn from_word(word: &str) -> Self {
        use StatusKind::{Active, Blocked, Error, Maintenance, Terminated, Unknown, Unset, Waiting};
        [Active, Waiting, Maintenance, Blocked, Error, Terminated, Unset]
            .into_iter()
            .find(|kind| kind.word() == word)
            .unwrap_or(Unknown)
    }

    /// Whether `status-set` accepts it.
    pub fn settable(self) -> bool {
        matches!(self, Self::Active | Self::Waiting | Self::Maintenance | Self::Blocked)
    }
}

impl fmt::Display for StatusKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
