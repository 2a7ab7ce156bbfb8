//! What the model refuses, in Juju's words.

/// A refused change. The text is what Juju prints after `ERROR `.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// Something that was named is not there.
    #[error("{what} \"{name}\" not found")]
    NotFound {
        /// `application`, `unit`, `secret` ...
        what: &'static str,
        /// The name that was given.
        name: String,
    },
    /// Something of that name is there already.
    #[error("{0}")]
    AlreadyExists(String),
    /// A value or a name breaks a rule.
    #[error("{0}")]
    Invalid(String),
    /// The caller may not do or see that.
    #[error("permission denied")]
    PermissionDenied,
    /// Only the leader may do that.
    #[error("this unit is not the leader")]
    NotLeader,
}

impl ModelError {
    /// A stable label: `not-found`, `already-exists`, `invalid`, `permission-denied` or `not-leader`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not-found",
            Self::AlreadyExists(_) => "already-exists",
            Self::Invalid(_) => "invalid",
            Self::PermissionDenied => "permission-denied",
            Self::NotLeader => "not-leader",
        }
    }

    pub(crate) fn not_found(what: &'static str, name: &str) -> Self {
        Self::NotFound { what, name: name.to_owned() }
    }
}
