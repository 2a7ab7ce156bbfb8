//! Running a command in the workload: the request, the three websockets, and the shortcut that gathers the
//! output.

use super::changes::ChangeId;
use super::client::{Client, root_cause};
use super::error::Error;
use super::files::Owner;
use super::process::{Output, Process, WebSocket};
use super::values::go_duration;
use bytes::Bytes;
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
/// The most output that [`Client::exec_output`] gathers, both streams together: 64 MiB.
const OUTPUT_LIMIT: usize = 64 * 1024 * 1024;

/// A command to run. `Debug` shows the program and the names of the environment, but no arguments and no
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
    pub stdin: Stdin,
}

/// What the command reads.
#[derive(Clone, Default)]
pub enum Stdin {
    /// Nothing: the input ends at once.
    #[default]
    Empty,
    Bytes(Bytes),
    /// What [`Process::write_stdin`] brings, until [`Process::close_stdin`].
    Open,
}

/// What a command that ran to its end left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecOutput {
    /// 128 + N when signal N killed it, -1 when Pebble does not know.
    pub exit_code: i64,
    pub stdout: Vec<u8>,
    /// Empty unless `split_stderr`.
    pub stderr: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Started {
    task_id: String,
}

impl ExecRequest {
    /// A command with nothing special: no input, no timeout, stderr apart.
    pub fn new<S: Into<String>>(command: impl IntoIterator<Item = S>) -> Self {
        Self {
            command: command.into_iter().map(Into::into).collect(),
            environment: BTreeMap::new(),
            working_dir: None,
            service_context: None,
            user: Owner::default(),
            timeout: None,
            split_stderr: true,
            stdin: Stdin::Empty,
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
            Ok(sockets) => {
                Ok(Process::start(self.clone(), change, request.program(), sockets, request.stdin))
            }
            Err(error) => Err(self.aftermath(&change, error).await),
        }
    }

    /// Runs a command to its end and gathers its output, for at most `limit`, after which the command is
    /// killed.
    ///
    /// A command that exits with another code than 0 is a result, not an error.
    pub async fn exec_output(&self, request: ExecRequest, limit: Duration) -> Result<ExecOutput, Error> {
        let program = request.program();
        let run = async {
            let mut process = self.exec(request).await?;
            process.close_stdin().await;
            let mut output = ExecOutput { exit_code: -1, stdout: Vec::new(), stderr: Vec::new() };
            while let Some(piece) = process.next_output().await {
                match piece {
                    Output::Stdout(bytes) => output.stdout.extend_from_slice(&bytes),
                    Output::Stderr(bytes) => output.stderr.extend_from_slice(&bytes),
                }
                if output.stdout.len() + output.stderr.len() > OUTPUT_LIMIT {
                    let what = format!("the output of {program:?}");
                    return Err(Error::TooLarge { what, limit: OUTPUT_LIMIT as u64 });
                }
            }
            output.exit_code = process.wait(limit).await?;
            Ok(output)
        };
        let late = || Error::Timeout { what: format!("the command {program:?}"), after: limit };
        timeout(limit, run).await.unwrap_or_else(|_| Err(late()))
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

/// The connections of one command.
pub(super) struct Sockets {
    pub(super) control: WebSocket,
    pub(super) stdio: WebSocket,
    pub(super) stderr: Option<WebSocket>,
}
