//! The agent socket: Juju's hook-command protocol, both ends of it.
//!
//! Given a listening unix socket and a [`Handler`], [`serve`] answers hook commands as a Juju unit agent does (Go's
//! net/rpc with gob, service method `Jujuc.Main`); [`Client`] is the other end, which the program `hook-command` uses.
//! The charm under test brings its own client, so that the two implementations check each other.

mod client;
mod commands;
mod server;
mod wire;

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

pub use client::Client;
pub use commands::{COMMANDS, tools_dir};
pub use server::serve;

/// The error with which Juju asks for a second call that carries standard input.
pub const STDIN_NEEDED: &str = "hook tool requires stdin, none supplied";

/// One hook command, as it came over the socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// JUJU_CONTEXT_ID of the caller.
    pub context_id: String,
    /// The caller's working directory, absolute.
    pub dir: String,
    /// The command's name, for example `relation-get`.
    pub command: String,
    pub args: Vec<String>,
    /// `None`: not sent (yet); a command that needs it answers [`Reply::stdin_needed`].
    pub stdin: Option<Vec<u8>>,
}

/// What comes back: the end of a command that ran, or an error of the call itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Exit { code: i64, stdout: Vec<u8>, stderr: Vec<u8> },
    Rpc(String),
}

impl Reply {
    /// The request for a second call with standard input.
    pub fn stdin_needed() -> Self {
        Self::Rpc(STDIN_NEEDED.to_owned())
    }
}

/// What runs the commands. [`serve`] calls it for one command at a time, as Juju does.
pub trait Handler: Send + Sync + 'static {
    /// What each command takes before its turn comes, beside the others'.
    fn delay(&self) -> Duration {
        Duration::ZERO
    }

    /// Runs one command. An unknown context or command is a [`Reply::Rpc`] that starts with `bad request: `.
    fn call(&self, request: Request) -> impl Future<Output = Reply> + Send;
}

/// Why the agent could not be asked, or the tools not be laid out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot reach the agent at {path}")]
    Connect { path: PathBuf, source: io::Error },
    #[error("connection to the agent lost")]
    Lost(#[from] io::Error),
    #[error("the agent closed the connection without an answer")]
    Closed,
    #[error("cannot read the agent's answer")]
    Gob(#[from] crate::gob::Error),
    #[error("the agent answered call {got} instead of {expected}")]
    Sequence { expected: u64, got: u64 },
    #[error("cannot make {path}")]
    Tools { path: PathBuf, source: io::Error },
}

impl Error {
    /// A stable label for tests and logs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "connect",
            Self::Lost(_) => "lost",
            Self::Closed => "closed",
            Self::Gob(_) => "gob",
            Self::Sequence { .. } => "sequence",
            Self::Tools { .. } => "tools",
        }
    }
}
