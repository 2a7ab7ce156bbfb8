//! What can go wrong between this client and Pebble, with a stable label for each case.

use super::values::open_enum;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// A failed call. Texts that come from the daemon are passed on as they are; environment values and file
/// contents never appear.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Pebble cannot be reached, does not answer in time, or the connection ended in the middle of an answer.
    ///
    /// `source.kind()` tells which: `NotFound` (no socket: not started, or cleanly stopped),
    /// `ConnectionRefused` (a stale socket: the daemon was killed), `TimedOut` (no answer within the client's
    /// timeout), `UnexpectedEof` (cut off), and so on.
    #[error("cannot talk to Pebble at {}: {source}", socket.display())]
    Connection { socket: PathBuf, source: io::Error },

    /// Pebble refused: the HTTP status, Pebble's own kind if it gave one, and its message.
    #[error("Pebble answered {code}: {message}")]
    Api { code: u16, kind: Option<String>, message: String },

    /// This daemon does not know the call; it is too old for it.
    #[error("this Pebble does not support {call}")]
    Unsupported { call: String },

    /// A file or directory could not be worked on.
    #[error(transparent)]
    Path(#[from] PathError),

    /// A change ended in an error: `err` is its summary of the failed tasks, `logs` are the log lines of all
    /// its tasks.
    #[error("{}", change_text(summary, err, logs))]
    Change { id: String, summary: String, err: String, logs: Vec<String> },

    /// A command that runs in the workload could not be served any further (its input is closed, it has
    /// ended).
    #[error("command {command:?}: {message}")]
    Exec { command: String, message: String },

    /// The caller's own limit passed first.
    #[error("{what} took longer than {:.1} s", after.as_secs_f64())]
    Timeout { what: String, after: Duration },

    /// More came than the caller is willing to hold in memory.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge { what: String, limit: u64 },

    /// The caller's argument cannot be sent.
    #[error("{what}")]
    Input { what: String },

    /// The caller's own reader or writer failed.
    #[error("{what}: {source}")]
    Local { what: String, source: io::Error },

    /// Pebble's answer is not what its interface promises.
    #[error("Pebble's answer is not understood: {what}")]
    Protocol { what: String },
}

/// Why a path could not be read, written, listed, made or removed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct PathError {
    pub kind: PathErrorKind,
    /// The path as it was asked for.
    pub path: String,
    /// Pebble's words; they name the failed system call and, for a write, Pebble's temporary file.
    pub message: String,
}

open_enum! {
    /// The kinds of path errors.
    PathErrorKind {
        /// It does not exist.
        NotFound = "not-found",
        /// The daemon's user may not do this.
        PermissionDenied = "permission-denied",
        /// Anything else: a directory where a file is needed, a relative path, a directory that is not empty.
        Generic = "generic-file-error",
    }
}

impl Error {
    /// A stable label of the case, for statuses, metrics and tests.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Connection { .. } => "connection",
            Self::Api { .. } => "api",
            Self::Unsupported { .. } => "unsupported",
            Self::Path(_) => "path",
            Self::Change { .. } => "change",
            Self::Exec { .. } => "exec",
            Self::Timeout { .. } => "timeout",
            Self::TooLarge { .. } => "too-large",
            Self::Input { .. } => "input",
            Self::Local { .. } => "local",
            Self::Protocol { .. } => "protocol",
        }
    }

    /// Whether Pebble could not be talked to (the container is not ready, or the daemon went away).
    pub fn is_connection(&self) -> bool {
        matches!(self, Self::Connection { .. })
    }

    /// Whether the file, directory, change or check that the call names does not exist.
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::Api { code, .. } => *code == 404,
            Self::Path(error) => error.kind == PathErrorKind::NotFound,
            _ => false,
        }
    }

    pub(super) fn protocol(what: impl Into<String>) -> Self {
        Self::Protocol { what: what.into() }
    }
}

/// Pebble's summary of the failure, then the log lines of the tasks, which hold the last output of a service
/// that would not start.
fn change_text(summary: &str, err: &str, logs: &[String]) -> String {
    let mut text = if err.is_empty() { format!("{summary} failed") } else { err.to_owned() };
    if !logs.is_empty() {
        text.push_str("\nlog:\n");
        text.push_str(&logs.join("\n"));
    }
    text
}
