//! How a hook command reaches the agent.
//!
//! Given a command's name, its arguments and perhaps an input, a [`Transport`] returns the output and the exit code of
//! the command. [`SocketTransport`] speaks the agent's own protocol over its unix socket: a call costs a fifth of a
//! millisecond, and no value ever stands in an argument list that other processes can read. The protocol is private to
//! Juju, so [`ExecTransport`], which runs the tools that Juju puts on `PATH`, takes over wherever the socket does not
//! behave as expected.

mod connection;
mod exec;
mod gob;
mod socket;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::environment::Environment;
use super::error::{Error, Result};

pub use exec::ExecTransport;
pub use socket::{Address, SocketTransport};

/// How long the agent may take for one command. It is a limit against an agent that is silent for ever: the slowest
/// commands ask Juju's controller, which answers within seconds or refuses.
pub const DEADLINE: Duration = Duration::from_secs(45);

/// Forces one transport, for a comparison or where the other one misbehaves: `socket` or `exec`.
const SWITCH: &str = "KRATOS_OPERATOR_HOOK_COMMANDS";

/// What a command left behind.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct CommandOutput {
    /// The exit code; 128 plus the signal's number for a tool that was killed.
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// Only sizes: the output may be the content of a secret.
impl std::fmt::Debug for CommandOutput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { code, stdout, stderr } = self;
        write!(f, "CommandOutput(code {code}, {} bytes of output, {} of errors)", stdout.len(), stderr.len())
    }
}

/// The answer of a transport, some time later.
pub type Call<'a> = Pin<Box<dyn Future<Output = io::Result<CommandOutput>> + Send + 'a>>;

/// A way to have the agent execute a hook command.
///
/// An error means that the agent was not reached; a command that ran and failed is an [`CommandOutput`].
pub trait Transport: Send + Sync {
    /// Runs `command` with `args`; `stdin` is what it may read.
    fn call<'a>(&'a self, command: &'a str, args: &'a [&'a str], stdin: Option<&'a [u8]>) -> Call<'a>;

    /// Whether only the agent sees the arguments of the next call.
    fn hides_arguments(&self) -> bool {
        false
    }
}

/// The transport for the hook that `environment` describes.
pub fn choose(environment: &Environment) -> Result<Arc<dyn Transport>> {
    let exec = || ExecTransport::new(environment.get("PATH").unwrap_or_default().as_ref(), DEADLINE);
    let socket = |address| SocketTransport::new(address, DEADLINE);
    match (environment.get(SWITCH), Address::from_environment(environment)) {
        (Some("exec"), _) | (None, None) => Ok(Arc::new(exec())),
        (None, Some(address)) => Ok(Arc::new(socket(address).or_else(exec()))),
        (Some("socket"), Some(address)) => Ok(Arc::new(socket(address))),
        (Some("socket"), None) => Err(Error::MissingVariable { name: "JUJU_AGENT_SOCKET_ADDRESS" }),
        (Some(other), _) => Err(Error::InvalidVariable {
            name: SWITCH,
            value: other.to_owned(),
            expected: "\"socket\" or \"exec\"",
        }),
    }
}

/// The error of an agent that did not answer in time.
fn silent(command: &str, limit: Duration) -> io::Error {
    let text = format!("the agent has not answered {command} for {} s", limit.as_secs());
    io::Error::new(io::ErrorKind::TimedOut, text)
}
