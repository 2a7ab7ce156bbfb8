//! The agent's own socket.
//!
//! One connection serves the whole dispatch. Whatever is unexpected before the first answer, as from a Juju that speaks
//! another protocol, hands the dispatch over to the tools, once. Afterwards a lost connection is an error: the command that
//! was under way may have run, and would run a second time.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;

use super::connection::{AgentReply, Connection, Request};
use super::exec::ExecTransport;
use super::{Call, CommandOutput, Transport, silent};
use crate::juju::Environment;

/// How long the agent may take to accept a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Where the agent listens, and for which hook.
pub struct Address {
    /// The path of the socket (JUJU_AGENT_SOCKET_ADDRESS).
    pub socket: PathBuf,
    /// The hook's context (JUJU_CONTEXT_ID).
    pub context_id: String,
    /// The directory of this process, from which the agent resolves relative names of files.
    pub dir: String,
}

impl Address {
    /// The address that Juju names in `environment`; `None` if that is no unix socket with a path.
    pub fn from_environment(environment: &Environment) -> Option<Self> {
        if environment.get("JUJU_AGENT_SOCKET_NETWORK") != Some("unix") {
            return None;
        }
        let socket = environment.get("JUJU_AGENT_SOCKET_ADDRESS").filter(|path| path.starts_with('/'))?;
        let context_id = environment.get("JUJU_CONTEXT_ID")?.to_owned();
        let dir = std::env::current_dir().ok()?.into_os_string().into_string().ok()?;
        Some(Self { socket: socket.into(), context_id, dir })
    }
}

/// Sends hook commands over the agent's unix socket.
pub struct SocketTransport {
    address: Address,
    deadline: Duration,
    /// What takes over before the first answer; `None`: nothing does.
    fallback: Option<ExecTransport>,
    state: Mutex<State>,
    answered: AtomicBool,
}

enum State {
    /// Not connected: nothing was asked yet, or the caller of the last command stopped waiting.
    Idle,
    Connected(Box<Connection>),
    /// The tools have taken over.
    HandedOver,
    /// The agent is gone, for the reason in the text.
    Lost(io::ErrorKind, String),
}

impl SocketTransport {
    /// The transport to the agent at `address`, which may take `deadline` for each command.
    pub fn new(address: Address, deadline: Duration) -> Self {
        let state = Mutex::new(State::Idle);
        Self { address, deadline, fallback: None, state, answered: AtomicBool::new(false) }
    }

    /// This transport, with `tools` to take over should the socket not be usable.
    pub fn or_else(self, tools: ExecTransport) -> Self {
        Self { fallback: Some(tools), ..self }
    }

    async fn run(&self, command: &str, args: &[&str], stdin: Option<&[u8]>) -> io::Result<CommandOutput> {
        let mut state = self.state.lock().await;
        // A caller that stops waiting leaves `Idle` behind: the next command gets a connection of its own.
        match std::mem::replace(&mut *state, State::Idle) {
            State::Idle => match self.connect().await {
                Ok(connection) => self.ask(&mut state, connection, command, args, stdin).await,
                Err(error) => match &self.fallback {
                    Some(tools) if !self.has_answered() => {
                        hand_over(&mut state, &error.to_string());
                        drop(state);
                        tools.call(command, args, stdin).await
                    }
                    _ => Err(lost(&mut state, error)),
                },
            },
            State::Connected(connection) => self.ask(&mut state, connection, command, args, stdin).await,
            State::HandedOver => {
                *state = State::HandedOver;
                drop(state);
                match &self.fallback {
                    Some(tools) => tools.call(command, args, stdin).await,
                    None => Err(io::ErrorKind::NotConnected.into()),
                }
            }
            State::Lost(kind, text) => Err(lost(&mut state, io::Error::new(kind, text))),
        }
    }

    async fn connect(&self) -> io::Result<Box<Connection>> {
        match tokio::time::timeout(CONNECT_LIMIT, Connection::open(&self.address.socket)).await {
            Ok(connection) => connection.map(Box::new),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    async fn ask(
        &self,
        state: &mut State,
        mut connection: Box<Connection>,
        command: &str,
        args: &[&str],
        stdin: Option<&[u8]>,
    ) -> io::Result<CommandOutput> {
        let Address { context_id, dir, .. } = &self.address;
        let request = Request { context_id, dir, command, args, stdin };
        let unexpected = match tokio::time::timeout(self.deadline, connection.call(&request)).await {
            // A tool would hang as well.
            Err(_) => return Err(lost(state, silent(command, self.deadline))),
            Ok(Ok(AgentReply::Refused(text))) if is_of_the_envelope(&text) && !self.has_answered() => text,
            Ok(Ok(reply)) => {
                self.answered.store(true, Ordering::Relaxed);
                *state = State::Connected(connection);
                return Ok(output(reply));
            }
            Ok(Err(error)) if self.has_answered() || !is_read(command) => return Err(lost(state, error)),
            Ok(Err(error)) => error.to_string(),
        };
        match &self.fallback {
            Some(tools) => {
                hand_over(state, &unexpected);
                tools.call(command, args, stdin).await
            }
            None => Err(lost(state, io::Error::other(unexpected))),
        }
    }

    fn has_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }
}

impl Transport for SocketTransport {
    fn call<'a>(&'a self, command: &'a str, args: &'a [&'a str], stdin: Option<&'a [u8]>) -> Call<'a> {
        Box::pin(self.run(command, args, stdin))
    }

    fn hides_arguments(&self) -> bool {
        self.has_answered() || self.fallback.is_none()
    }
}

/// Leaves the dispatch to the tools.
fn hand_over(state: &mut State, reason: &str) {
    tracing::debug!("hook commands run as tools: the agent's socket is not usable: {reason}");
    *state = State::HandedOver;
}

/// Leaves the agent lost, for the reason of `error`.
fn lost(state: &mut State, error: io::Error) -> io::Error {
    *state = State::Lost(error.kind(), error.to_string());
    error
}

/// Whether a refusal concerns the protocol: the command was not looked at.
fn is_of_the_envelope(text: &str) -> bool {
    ["gob:", "rpc: can't find", "bad request: token"].iter().any(|start| text.starts_with(start))
}

/// Whether a command may run twice without another effect than running once.
fn is_read(command: &str) -> bool {
    command.ends_with("-get")
        || matches!(
            command,
            "is-leader" | "relation-ids" | "relation-list" | "goal-state" | "opened-ports" | "secret-ids"
        )
}

/// The output as the tool would print it. The tool's exit code is the low byte of the command's.
fn output(reply: AgentReply) -> CommandOutput {
    match reply {
        AgentReply::Exit { code, stdout, stderr } => {
            CommandOutput { code: code.to_le_bytes()[0].into(), stdout, stderr }
        }
        AgentReply::Refused(text) => {
            CommandOutput { code: 1, stdout: Vec::new(), stderr: format!("ERROR {text}").into_bytes() }
        }
    }
}
