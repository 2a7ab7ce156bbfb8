//! A command that runs in the workload: its output as it comes, signals, and its end.
//!
//! One task per websocket moves the bytes. The output that is not fetched yet is bounded; a command that writes
//! on then waits, as it would before a full pipe.

use super::changes::{Change, deadline};
use super::client::{Client, root_cause};
use super::error::Error;
use super::values::ChangeId;
use bytes::Bytes;
use futures_util::stream::Stream;
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use std::io;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

pub(super) type WebSocket = WebSocketStream<UnixStream>;

const END: &str = r#"{"command":"end"}"#;
/// Messages on their way in each direction; an output message holds up to 64 KiB.
const QUEUE: usize = 16;
const CONTROL_TIMEOUT: Duration = Duration::from_secs(5);

/// The connections of one command.
pub(super) struct Sockets {
    pub(super) control: WebSocket,
    pub(super) stdio: WebSocket,
    pub(super) stderr: Option<WebSocket>,
}

/// A piece of output, cut anywhere, even inside a character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    Stdout(Bytes),
    Stderr(Bytes),
}

/// A running command.
///
/// Dropping it before its end drops the connections without a word of goodbye, on which Pebble kills the
/// direct child with SIGKILL; the same happens when this whole program dies. What the child started itself is
/// not killed.
#[derive(Debug)]
pub struct Process {
    client: Client,
    change: ChangeId,
    program: String,
    output: mpsc::Receiver<Arrival>,
    control: mpsc::Sender<String>,
    /// Why an output stream ended before its end.
    lost: Option<io::Error>,
    /// Owns the connections.
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
enum Arrival {
    Output(Output),
    Lost(io::Error),
}

impl Process {
    pub(super) fn start(client: Client, change: ChangeId, program: String, sockets: Sockets) -> Self {
        let mut tasks = JoinSet::new();
        let (sender, output) = mpsc::channel(QUEUE);
        let (control, commands) = mpsc::channel(QUEUE);
        tasks.spawn(serve_control(sockets.control, commands));
        if let Some(stderr) = sockets.stderr {
            tasks.spawn(forward(stderr, Output::Stderr, sender.clone()));
        }
        tasks.spawn(serve_stdio(sockets.stdio, sender));
        Self { client, change, program, output, control, lost: None, _tasks: tasks }
    }

    /// The change that stands for this command.
    pub fn change_id(&self) -> &ChangeId {
        &self.change
    }

    /// The next piece of output, or None when both streams have ended. Nothing is lost when the future is
    /// dropped.
    ///
    /// The end comes when the command and everything that inherited its output are gone, so put a limit
    /// around it.
    pub async fn next_output(&mut self) -> Option<Output> {
        loop {
            match self.output.recv().await? {
                Arrival::Output(output) => return Some(output),
                Arrival::Lost(reason) => {
                    self.lost.get_or_insert(reason);
                }
            }
        }
    }

    /// Sends a signal by its full name ("SIGTERM") to the command itself, not to what it started. Pebble does
    /// not say whether it arrived.
    pub async fn send_signal(&self, signal: &str) -> Result<(), Error> {
        if !signal.starts_with("SIG") {
            return Err(Error::Input { what: format!("{signal:?} is not the full name of a signal") });
        }
        let command = json!({"command": "signal", "signal": {"name": signal}}).to_string();
        self.control
            .send(command)
            .await
            .map_err(|_| Error::Exec { command: self.program.clone(), message: "it has ended".to_owned() })
    }

    /// Waits for at most `limit` until the command has ended and yields its exit code: 128 + N when signal N
    /// killed it, -1 when Pebble does not know. Output that was not fetched is thrown away.
    ///
    /// A command that could not be started, or ran into its own timeout, is [`Error::Change`]. After
    /// [`Error::Timeout`] the command still runs: send a signal, wait again, or drop it.
    pub async fn wait(&mut self, limit: Duration) -> Result<i64, Error> {
        let end = deadline(limit);
        let late = Error::Timeout { what: format!("the command {:?}", self.program), after: limit };
        let drain = async { while self.next_output().await.is_some() {} };
        if timeout_at(end, drain).await.is_err() {
            return Err(late);
        }
        let change = match self.client.wait_change(&self.change, end - Instant::now()).await {
            Err(Error::Timeout { .. }) => return Err(late),
            other => other?,
        };
        match self.lost.take() {
            Some(source) => Err(self.client.connection_error(source)),
            None => Ok(exit_code(&change)),
        }
    }
}

/// Sends commands until the connection ends, which Pebble does when the direct child has exited.
async fn serve_control(socket: WebSocket, mut commands: mpsc::Receiver<String>) {
    let (mut sink, mut stream) = socket.split();
    loop {
        tokio::select! {
            message = stream.next() => {
                if !matches!(message, Some(Ok(_))) {
                    break;
                }
            }
            Some(command) = commands.recv() => {
                let sent = timeout(CONTROL_TIMEOUT, sink.send(Message::text(command))).await;
                if !matches!(sent, Ok(Ok(()))) {
                    break;
                }
            }
        }
    }
}

/// Ends the input and moves the output out until it has ended.
async fn serve_stdio(socket: WebSocket, output: mpsc::Sender<Arrival>) {
    let (mut sink, stream) = socket.split();
    let input = async {
        // If its end cannot be sent the connection is gone, which ends the input too.
        let _sent = sink.send(Message::text(END)).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = forward(stream, Output::Stdout, output) => {}
        () = input => {}
    }
}

/// Hands on one stream of output until its end, or until nobody wants it any more.
async fn forward(
    mut stream: impl Stream<Item = Result<Message, WsError>> + Unpin,
    wrap: fn(Bytes) -> Output,
    output: mpsc::Sender<Arrival>,
) {
    let reason = loop {
        match stream.next().await {
            Some(Ok(Message::Binary(bytes))) => {
                if output.send(Arrival::Output(wrap(bytes))).await.is_err() {
                    return;
                }
            }
            Some(Ok(Message::Text(text))) if is_end(&text) => return,
            Some(Ok(_)) => {}
            Some(Err(error)) => break root_cause(&error),
            None => break io::Error::new(io::ErrorKind::UnexpectedEof, "the output of a command is cut off"),
        }
    };
    let _wanted = output.send(Arrival::Lost(reason)).await;
}

fn is_end(text: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(text).is_ok_and(|message| message["command"] == "end")
}

/// A change without an exit code is that of a command whose end nobody saw: a failure.
fn exit_code(change: &Change) -> i64 {
    change.tasks.first().and_then(|task| task.data.get("exit-code")?.as_i64()).unwrap_or(-1)
}
