//! The run of an exec: waits for the websockets, spawns, moves bytes, and ends the way Pebble does.
//!
//! It is given a settled command and its handle. What a client can see is kept exactly: `control` is dropped without a close
//! frame when the process ends, `stdio` and `stderr` get an "end" text and are then left open, only the direct child is
//! killed, and the change waits for everyone who holds the output.

use std::{os::fd::OwnedFd, process::Stdio, sync::Arc, time::Duration};

use axum::extract::ws::{Message, WebSocket};
use futures_util::{
    FutureExt as _, SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::unix::pipe,
    process::Child,
    sync::{mpsc, watch},
    task::unconstrained,
};

use super::{Handle, Job};
use crate::{
    daemon::Daemon,
    process::{self, Program, Streams, exit_code},
};

const CONNECT: Duration = Duration::from_secs(5);
/// Go's collector closes the connections that Pebble leaves open after about two minutes.
const LEFT_OPEN: Duration = Duration::from_secs(120);
const END: &str = "{\"command\":\"end\"}";

/// Where stdout or stderr comes from and goes to.
struct Output {
    sink: SplitSink<WebSocket, Message>,
    from: OwnedFd,
}

/// Runs a command to its end and finishes its task.
pub(super) async fn run(daemon: &Arc<Daemon>, job: &Job, handle: &Arc<Handle>) {
    let mut aborted = daemon.changes.aborted(job.change);
    if !daemon.changes.begin(job.task) {
        return;
    }
    let sockets = async {
        handle.connected("stdio").await;
        if job.split_stderr {
            handle.connected("stderr").await;
        }
        (
            handle.socket("stdio").await,
            if job.split_stderr { Some(handle.socket("stderr").await) } else { None },
        )
    };
    let connected = tokio::select! {
        sockets = tokio::time::timeout(CONNECT, sockets) => sockets.map_err(|_| "context deadline exceeded"),
        _ = aborted.wait_for(|aborted| *aborted) => Err("context canceled"),
    };
    let (stdio, stderr) = match connected {
        Ok(sockets) => sockets,
        Err(reason) => {
            // Those that did connect are left open, as Pebble leaves them.
            let handle = Arc::clone(handle);
            tokio::spawn(async move {
                tokio::time::sleep(LEFT_OPEN).await;
                drop(handle);
            });
            let message = format!("exec {}: timeout waiting for websocket connections: {reason}", job.task);
            return daemon.changes.finish(job.task, &Err(message));
        }
    };
    let (code, result) = match streams(stdio, stderr) {
        Ok((sides, input, outputs)) => attend(daemon, job, handle, sides, input, outputs).await,
        Err(error) => (-1, Err(process::system_words(&error))),
    };
    daemon.changes.set_data(job.task, "exit-code", code.into());
    daemon.changes.finish(job.task, &result);
}

/// Where stdin comes from and goes to.
struct Input {
    stream: SplitStream<WebSocket>,
    to: OwnedFd,
}

/// Makes the pipes: the child's sides, and ours joined to their websockets.
fn streams(stdio: WebSocket, stderr: Option<WebSocket>) -> std::io::Result<(Streams, Input, Vec<Output>)> {
    let (stdin_reader, stdin_writer) = std::io::pipe()?;
    let (stdout_reader, stdout_writer) = std::io::pipe()?;
    let (sink, stream) = stdio.split();
    let mut outputs = vec![Output { sink, from: stdout_reader.into() }];
    let error_writer = match stderr {
        Some(socket) => {
            let (reader, writer) = std::io::pipe()?;
            outputs.push(Output { sink: socket.split().0, from: reader.into() });
            writer
        }
        None => stdout_writer.try_clone()?,
    };
    let sides = Streams {
        stdin: stdin_reader.into(),
        stdout: stdout_writer.into(),
        stderr: Stdio::from(error_writer),
    };
    Ok((sides, Input { stream, to: stdin_writer.into() }, outputs))
}

/// Spawns and attends the process until it and its output have ended; gives the exit code and the result of the task.
async fn attend(
    daemon: &Arc<Daemon>,
    job: &Job,
    handle: &Arc<Handle>,
    sides: Streams,
    input: Input,
    outputs: Vec<Output>,
) -> (i32, Result<(), String>) {
    let reaped = watch::Sender::new(false);
    let pumps: Vec<_> =
        outputs.into_iter().map(|output| tokio::spawn(send(output, reaped.subscribe()))).collect();
    let reading = tokio::spawn(receive(input));
    let (orders, ordered) = mpsc::unbounded_channel();
    let control = {
        let handle = Arc::clone(handle);
        tokio::spawn(async move { listen(handle.socket("control").await, orders).await })
    };
    let late = job.timeout.filter(|timeout| timeout.0 < 0);
    let program = Program {
        words: &job.words,
        environment: &job.environment,
        directory: &job.directory,
        identity: job.identity.as_ref(),
    };
    let child = match late {
        Some(_) => {
            drop(sides);
            Err(String::new())
        }
        None => process::spawn(&program, daemon.search_path(), sides),
    };
    let (code, result) = match child {
        Err(error) => (-1, Err(error)),
        Ok(child) => control_child(daemon, job, child, ordered).await,
    };
    let result = match late {
        Some(timeout) => Err(timed_out(&timeout)),
        None => result,
    };
    // Dropping the socket ends its connection without a close frame.
    control.abort();
    reading.abort();
    reaped.send_replace(true);
    for pump in pumps {
        if let Ok(sink) = pump.await {
            tokio::spawn(async move {
                tokio::time::sleep(LEFT_OPEN).await;
                drop(sink);
            });
        }
    }
    (code, result)
}

/// Sends a child the signals it is ordered, and the last one at its limit or when it is given up; gives its exit code and the
/// result of the task.
async fn control_child(
    daemon: &Arc<Daemon>,
    job: &Job,
    mut child: Child,
    mut ordered: mpsc::UnboundedReceiver<Signal>,
) -> (i32, Result<(), String>) {
    if let Some(group) = child.id() {
        daemon.remember_group(group);
    }
    let mut aborted = daemon.changes.aborted(job.change);
    let mut stopping = daemon.killing();
    let clock = tokio::time::sleep(job.timeout.map_or(Duration::MAX, |timeout| timeout.to_std()));
    tokio::pin!(clock);
    let (mut expired, mut killed, mut hung_up) = (false, false, false);
    let status = loop {
        let id = child.id();
        let order = tokio::select! {
            status = child.wait() => break status,
            () = &mut clock, if job.timeout.is_some() && !expired => {
                expired = true;
                Signal::SIGKILL
            }
            _ = aborted.wait_for(|aborted| *aborted), if !killed => {
                killed = true;
                Signal::SIGKILL
            }
            _ = stopping.wait_for(|stopping| *stopping), if !killed => {
                killed = true;
                Signal::SIGKILL
            }
            order = ordered.recv(), if !hung_up => match order {
                Some(signal) => signal,
                None => {
                    hung_up = true;
                    continue;
                }
            },
        };
        if let Some(id) = id {
            process::signal_process(id, order);
        }
    };
    let expired = expired.then_some(job.timeout).flatten();
    match (expired, status) {
        (Some(timeout), _) => (-1, Err(timed_out(&timeout))),
        (None, Ok(status)) => (exit_code(status), Ok(())),
        (None, Err(error)) => (-1, Err(process::system_words(&error))),
    }
}

fn timed_out(timeout: &crate::duration::GoDuration) -> String {
    format!("timed out after {timeout}: context deadline exceeded")
}

/// Sends output as binary frames until nobody holds the pipe and the process is reaped, then the "end". A write that fails
/// closes the pipe, so that the process dies of SIGPIPE if it goes on writing.
async fn send(output: Output, mut reaped: watch::Receiver<bool>) -> SplitSink<WebSocket, Message> {
    let Output { mut sink, from } = output;
    let mut good = true;
    if let Ok(mut from) = pipe::Receiver::from_owned_fd(from) {
        let mut chunk = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut chunk).await {
            if sink.send(Message::Binary(chunk[..count].to_vec().into())).await.is_err() {
                good = false;
                break;
            }
        }
    }
    let _ = reaped.wait_for(|reaped| *reaped).await;
    if good {
        let _ = sink.send(Message::Text(END.into())).await;
    }
    sink
}

/// Writes what comes as binary frames to stdin until the "end", a close, or a process that does not read any more.
async fn receive(input: Input) -> SplitStream<WebSocket> {
    let Input { mut stream, to } = input;
    let Ok(mut to) = pipe::Sender::from_owned_fd(to) else { return stream };
    let mut read_ahead = None;
    loop {
        let next = match read_ahead.take() {
            Some(next) => next,
            None => stream.next().await,
        };
        match next {
            Some(Ok(Message::Binary(bytes))) => {
                // Pebble answers a close frame that came together with the bytes before the process can echo them, and
                // sends no output after its answer.
                read_ahead = unconstrained(stream.next()).now_or_never();
                let closes = matches!(read_ahead, Some(Some(Ok(Message::Close(_)))));
                if closes {
                    answer_close(&mut stream).await;
                }
                if to.write_all(&bytes).await.is_err() || closes {
                    break;
                }
            }
            Some(Ok(Message::Text(text))) => match command(text.as_bytes()).as_deref() {
                Some("end") => break,
                _ => tracing::warn!("ignored text on stdio: {text:?}"),
            },
            Some(Ok(Message::Close(_))) => {
                drop(to);
                answer_close(&mut stream).await;
                break;
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Err(_)) | None => break,
        }
    }
    stream
}

/// Sends the close frame back, which the websocket does when it is read on.
async fn answer_close(stream: &mut SplitStream<WebSocket>) {
    let _ = stream.next().await;
}

fn command(text: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(text).ok()?;
    value.get("command")?.as_str().map(str::to_owned)
}

/// Obeys the control websocket; a connection lost without a close frame is an order to kill.
async fn listen(mut socket: WebSocket, orders: mpsc::UnboundedSender<Signal>) {
    loop {
        let bytes = match socket.recv().await {
            Some(Ok(Message::Text(text))) => text.as_bytes().to_vec(),
            Some(Ok(Message::Binary(bytes))) => bytes.to_vec(),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Close(_))) => {
                let _ = socket.recv().await;
                // The command goes on; the connection stays until it ends.
                return std::future::pending().await;
            }
            Some(Err(_)) | None => {
                let _ = orders.send(Signal::SIGKILL);
                return;
            }
        };
        let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let name = value.pointer("/signal/name").and_then(Value::as_str).unwrap_or_default();
        match (command(&bytes).as_deref(), process::signal_named(name)) {
            (Some("signal"), Some(signal)) => {
                let _ = orders.send(signal);
            }
            _ => tracing::warn!("ignored control message {:?}", String::from_utf8_lossy(&bytes)),
        }
    }
}
