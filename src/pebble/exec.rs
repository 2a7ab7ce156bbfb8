//! Running a command in the workload: the request and the three websockets.

use super::client::{Client, root_cause};
use super::error::Error;
use super::files::Owner;
use super::process::{Process, Sockets, WebSocket};
use super::values::{ChangeId, go_duration};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::time::timeout;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::tungstenite::error::ProtocolError;

/// Pebble gives up on a command whose websockets are not there after 5 s, so waiting longer is of no use.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// After a failed handshake the change ends within Pebble's own 5 s.
const AFTERMATH: Duration = Duration::from_secs(6);

/// A command to run; it has no input. `Debug` shows the program and the names of the environment, but no arguments and no
/// values.
#[derive(Clone)]
pub struct ExecRequest {
    /// The program, looked up in the daemon's own PATH, and its arguments. No shell is involved.
    pub command: Vec<String>,
    /// Added to the daemon's and the service context's environment.
    pub environment: BTreeMap<String, String>,
    /// Default: the user's home. Give it together with a user whose home may be missing.
    pub working_dir: Option<String>,
    /// Take environment, user and working directory of this service.
    pub service_context: Option<String>,
    pub user: Owner,
    /// After this time Pebble kills the direct child with SIGKILL. A process that the child started lives on,
    /// and as long as it holds the output the command does not end: the waiting side needs a limit of its
    /// own.
    pub timeout: Option<Duration>,
    /// Whether stderr comes apart from stdout (default) or mixed into it.
    pub split_stderr: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Started {
    task_id: String,
}

impl ExecRequest {
    /// A command with nothing special: no timeout, stderr apart.
    pub fn new<S: Into<String>>(command: impl IntoIterator<Item = S>) -> Self {
        Self {
            command: command.into_iter().map(Into::into).collect(),
            environment: BTreeMap::new(),
            working_dir: None,
            service_context: None,
            user: Owner::default(),
            timeout: None,
            split_stderr: true,
        }
    }

    fn program(&self) -> String {
        self.command.first().cloned().unwrap_or_default()
    }

    fn body(&self) -> serde_json::Value {
        json!({
            "command": self.command,
            "environment": self.environment,
            "working-dir": self.working_dir,
            "service-context": self.service_context,
            "user-id": self.user.user_id,
            "user": self.user.user,
            "group-id": self.user.group_id,
            "group": self.user.group,
            "timeout": self.timeout.map(go_duration),
            "split-stderr": self.split_stderr,
        })
    }
}

impl fmt::Debug for ExecRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecRequest")
            .field("program", &self.program())
            .field("environment", &self.environment.keys())
            .field("working_dir", &self.working_dir)
            .field("service_context", &self.service_context)
            .field("user", &self.user)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Starts a command. What Pebble refuses at once (no such program or directory, unknown user) is an API
    /// error; what it finds out when it starts the process is [`Error::Change`] from [`Process::wait`].
    pub async fn exec(&self, request: ExecRequest) -> Result<Process, Error> {
        let (change, result) = self.post("/v1/exec", &request.body()).await?.change()?;
        let started = Started::deserialize(result)
            .map_err(|error| Error::protocol(format!("the answer to an exec: {error}")))?;
        match self.connect(&started.task_id, request.split_stderr).await {
            Ok(sockets) => Ok(Process::start(self.clone(), change, request.program(), sockets)),
            Err(error) => Err(self.aftermath(&change, error).await),
        }
    }

    /// The control websocket comes first: the process starts when the others are there, and a fast one may be
    /// over by then.
    async fn connect(&self, task: &str, split_stderr: bool) -> Result<Sockets, Error> {
        Ok(Sockets {
            control: self.websocket(task, "control").await?,
            stdio: self.websocket(task, "stdio").await?,
            stderr: if split_stderr { Some(self.websocket(task, "stderr").await?) } else { None },
        })
    }

    async fn websocket(&self, task: &str, channel: &str) -> Result<WebSocket, Error> {
        let open = async {
            let stream =
                UnixStream::connect(self.socket()).await.map_err(|error| self.connection_error(error))?;
            let url = format!("ws://pebble/v1/tasks/{task}/websocket/{channel}");
            let (socket, _) =
                client_async(url, stream).await.map_err(|error| self.ws_error(error, channel))?;
            Ok(socket)
        };
        timeout(HANDSHAKE, open).await.unwrap_or_else(|_| Err(self.no_answer(HANDSHAKE)))
    }

    fn ws_error(&self, error: WsError, channel: &str) -> Error {
        match error {
            WsError::Http(answer) => Error::Api {
                code: answer.status().as_u16(),
                kind: None,
                message: format!("the {channel} websocket of a command was refused"),
            },
            WsError::Io(_) | WsError::ConnectionClosed | WsError::AlreadyClosed => {
                self.connection_error(root_cause(&error))
            }
            WsError::Protocol(
                ProtocolError::HandshakeIncomplete | ProtocolError::ResetWithoutClosingHandshake,
            ) => self.connection_error(io::Error::new(io::ErrorKind::UnexpectedEof, error.to_string())),
            other => Error::protocol(format!("{channel} websocket: {other}")),
        }
    }

    /// Why a handshake failed is written in the change, if anywhere.
    async fn aftermath(&self, change: &ChangeId, error: Error) -> Error {
        match self.wait_change(change, AFTERMATH).await {
            Err(reason @ Error::Change { .. }) => reason,
            _ => error,
        }
    }
}
