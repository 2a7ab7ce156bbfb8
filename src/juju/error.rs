//! What can go wrong between the charm and the agent, told apart by the only thing Juju offers: the text.
//!
//! Given a command's exit code and standard error, [`classify`] names the failure. Juju has no error codes beyond 1
//! (it ran and failed) and 2 (bad arguments), so the texts are matched lower-cased and by substring, the way every
//! charm framework does. No variant ever carries the content of a secret.

use std::io;

/// The result of everything in this module.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Passes over what Juju refuses (leadership moved, a relation went away), with a line in the log: a later dispatch makes it
/// good. An agent that cannot be reached stays an error.
pub fn tolerate<T>(result: Result<T>) -> Result<()> {
    match result {
        Ok(_) => Ok(()),
        Err(error) if error.is_unavailable() => Err(error),
        Err(error) => {
            tracing::warn!("{error}");
            Ok(())
        }
    }
}

/// How much of a command's standard error is kept, in bytes.
const TEXT_LIMIT: usize = 2048;

/// A failure between the charm and the agent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operation is reserved for the leader and this unit is not it.
    #[error("{command}: this unit is not the leader")]
    NotLeader { command: &'static str },
    /// The relation is unknown to Juju or already gone.
    #[error("{command}: {text}")]
    RelationNotFound { command: &'static str, text: String },
    /// The secret, its label or the wanted revision does not exist.
    #[error("{command}: {text}")]
    SecretNotFound { command: &'static str, text: String },
    /// Juju refuses access: not related, not granted, not trusted.
    #[error("{command}: {text}")]
    PermissionDenied { command: &'static str, text: String },
    /// The arguments are not acceptable to Juju, or were found so before the call.
    #[error("{command}: {text}")]
    BadArguments { command: &'static str, text: String },
    /// A key or value is larger than its way to Juju carries.
    #[error("{command}: {what} has {bytes} bytes, at most {limit} are possible")]
    TooLarge { command: &'static str, what: String, bytes: usize, limit: usize },
    /// The command ran and failed for another reason.
    #[error("{command} failed with exit code {code}: {text}")]
    Failed { command: &'static str, code: i32, text: String },
    /// The command succeeded with an output that does not have the expected shape.
    #[error("{command}: unexpected output: {what}")]
    Unexpected { command: &'static str, what: String },
    /// The agent cannot be reached at all. The only failure of a write for which a hook may exit non-zero.
    #[error("{command}: the Juju agent cannot be reached: {source}")]
    Unavailable { command: &'static str, source: io::Error },
    /// The file that hands content to the agent could not be written.
    #[error("{command}: cannot write a temporary file in {directory}")]
    TemporaryFile { command: &'static str, directory: String, source: io::Error },
    /// The hook environment lacks a variable that Juju always sets.
    #[error("the environment variable {name} is not set: this is not a Juju hook environment")]
    MissingVariable { name: &'static str },
    /// A variable of the hook environment has a value that cannot be understood.
    #[error("the environment variable {name} is {value:?}, which is not {expected}")]
    InvalidVariable { name: &'static str, value: String, expected: &'static str },
    /// A text is not the name of what it should name.
    #[error("{value:?} is not {expected}")]
    InvalidName { expected: &'static str, value: String },
}

impl Error {
    /// Whether the agent cannot be reached at all: everything else is an answer.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// A stable label for statuses, metrics and tests.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotLeader { .. } => "not-leader",
            Self::RelationNotFound { .. } => "relation-not-found",
            Self::SecretNotFound { .. } => "secret-not-found",
            Self::PermissionDenied { .. } => "permission-denied",
            Self::BadArguments { .. } => "bad-arguments",
            Self::TooLarge { .. } => "too-large",
            Self::Failed { .. } => "failed",
            Self::Unexpected { .. } => "unexpected-output",
            Self::Unavailable { .. } => "agent-unavailable",
            Self::TemporaryFile { .. } => "temporary-file",
            Self::MissingVariable { .. } => "missing-variable",
            Self::InvalidVariable { .. } => "invalid-variable",
            Self::InvalidName { .. } => "invalid-name",
        }
    }
}

/// Names the failure behind a non-zero exit `code` and the `stderr` of `command`.
pub(super) fn classify(command: &'static str, code: i32, stderr: &[u8]) -> Error {
    let text = readable(stderr);
    let lower = text.to_lowercase();
    if unreachable(&lower) {
        return Error::Unavailable { command, source: io::Error::new(io::ErrorKind::NotConnected, text) };
    }
    if lower.contains("not the leader") || lower.contains("cannot write relation settings") {
        return Error::NotLeader { command };
    }
    if lower.contains("relation not found") {
        return Error::RelationNotFound { command, text };
    }
    if command.starts_with("secret-") && lower.contains("not found") {
        return Error::SecretNotFound { command, text };
    }
    if lower.contains("permission denied") {
        return Error::PermissionDenied { command, text };
    }
    if code == 2 {
        return Error::BadArguments { command, text };
    }
    Error::Failed { command, code, text }
}

/// Whether the client of the agent, not the agent, reports: its socket is gone, or this process outlived its hook.
///
/// Only whole texts and their beginnings count: a download that fails inside the agent also speaks of dialling.
fn unreachable(lower: &str) -> bool {
    lower.starts_with("dial unix ")
        || (lower.starts_with("juju_") && lower.ends_with(" not set"))
        || lower.starts_with("bad request: wrong context id")
        || matches!(lower, "connection is shut down" | "unexpected eof")
}

/// Juju's error text without its mark and the newline, cut to a length that fits a status or a log line.
fn readable(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let text = text.trim();
    let text = text.strip_prefix("ERROR").unwrap_or(text).trim_start();
    if text.is_empty() {
        return "no error text".to_owned();
    }
    text[..text.floor_char_boundary(TEXT_LIMIT)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_juju_are_told_apart() {
        let table = [
            (
                "relation-get",
                2,
                "ERROR invalid value \"db:9\" for option -r: relation not found\n",
                "relation-not-found",
            ),
            ("secret-grant", 1, "ERROR relation not found\n", "relation-not-found"),
            ("relation-get", 2, "ERROR no relation id specified\n", "bad-arguments"),
            ("relation-get", 1, "ERROR permission denied\n", "permission-denied"),
            ("relation-set", 1, "ERROR cannot write relation settings\n", "not-leader"),
            (
                "status-get",
                1,
                "ERROR finding application status: this unit is not the leader\n",
                "not-leader",
            ),
            ("secret-add", 1, "ERROR This unit is NOT the leader\n", "not-leader"),
            ("secret-get", 1, "ERROR secret \"9m4e2mr0ui3e8a215n4g\" not found\n", "secret-not-found"),
            ("secret-get", 1, "ERROR consumer label \"x\" not found\n", "secret-not-found"),
            ("secret-get", 1, "ERROR secret revision not found\n", "secret-not-found"),
            ("secret-get", 1, "ERROR permission denied\n", "permission-denied"),
            ("resource-get", 1, "ERROR could not download resource: dial tcp: not found\n", "failed"),
            ("action-set", 1, "ERROR not running an action\n", "failed"),
            ("status-set", 2, "ERROR invalid status \"x\", expected one of [maintenance]\n", "bad-arguments"),
            ("is-leader", 1, "ERROR leadership status unknown: timeout\n", "failed"),
            ("is-leader", 1, "ERROR bad request: unknown command: is-leader\n", "failed"),
            ("is-leader", 1, "ERROR bad request: wrong context ID; got \"x\"\n", "agent-unavailable"),
            (
                "is-leader",
                1,
                "ERROR dial unix /var/lib/juju/agent.socket: connect: refused\n",
                "agent-unavailable",
            ),
            ("is-leader", 1, "ERROR JUJU_CONTEXT_ID not set\n", "agent-unavailable"),
            ("is-leader", 1, "ERROR unexpected EOF\n", "agent-unavailable"),
            ("is-leader", 137, "", "failed"),
        ];
        for (command, code, stderr, kind) in table {
            assert_eq!(classify(command, code, stderr.as_bytes()).kind(), kind, "{stderr}");
        }
    }

    #[test]
    fn text_is_kept_without_its_mark_and_bounded() {
        let error = classify("state-set", 1, b"ERROR max allowed key length (256) exceeded\n");
        assert_eq!(
            error.to_string(),
            "state-set failed with exit code 1: max allowed key length (256) exceeded"
        );
        let error = classify("state-set", 1, "ü".repeat(TEXT_LIMIT).as_bytes());
        assert!(error.to_string().len() < TEXT_LIMIT + 100);
        assert!(classify("state-set", 3, b"\xff\xfe").to_string().contains('\u{fffd}'));
    }
}
