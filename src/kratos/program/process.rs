//! A Kratos process that runs for a while: in the workload through Pebble, or as a child of this process.

#![expect(clippy::disallowed_methods, reason = "the Kratos program is a process on this host")]

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::pebble::{self, Output, Process};

/// The size of one read, and how many of them may wait.
const PIECE: usize = 16 * 1024;
const QUEUE: usize = 64;

/// The process. Dropping it kills it.
#[derive(Debug)]
pub enum KratosProcess {
    Workload(Process),
    Local(LocalProcess),
}

/// A child of this process.
#[derive(Debug)]
pub struct LocalProcess {
    child: Child,
    output: mpsc::Receiver<Output>,
}

/// Why the exit code of a process is not known.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    #[error(transparent)]
    Pebble(#[from] pebble::Error),
    #[error("it cannot be started: {0}")]
    Start(io::Error),
    #[error("the process cannot be waited for: {0}")]
    Wait(#[from] io::Error),
    #[error("the process has not ended within {0:?}")]
    Late(Duration),
}

impl KratosProcess {
    /// The next piece of output; `None` when it has ended.
    pub async fn next_output(&mut self) -> Option<Output> {
        match self {
            Self::Workload(process) => process.next_output().await,
            Self::Local(process) => process.output.recv().await,
        }
    }

    /// Sends `SIGTERM` or `SIGKILL` to the process, if it still runs.
    pub async fn end(&mut self, signal: EndSignal) {
        match self {
            // Both errors say that it has ended meanwhile.
            Self::Workload(process) => drop(process.send_signal(signal.name()).await),
            Self::Local(process) => drop(process.end(signal).await),
        }
    }

    /// Waits for the exit code; 128 and the signal's number if one ended it.
    pub async fn wait(&mut self, limit: Duration) -> Result<i64, ProcessError> {
        match self {
            Self::Workload(process) => Ok(process.wait(limit).await?),
            Self::Local(process) => process.wait(limit).await,
        }
    }
}

/// How a process is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndSignal {
    Terminate,
    Kill,
}

impl EndSignal {
    fn name(self) -> &'static str {
        match self {
            Self::Terminate => "SIGTERM",
            Self::Kill => "SIGKILL",
        }
    }
}

impl LocalProcess {
    /// Starts `program` with `environment` added to our own.
    pub fn start(program: &Path, arguments: &[&str], environment: &[(&str, String)]) -> io::Result<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            // A Ctrl-C at the terminal reaches a whole group, and a migration must not end before its statement.
            .process_group(0)
            .spawn()?;
        let (sender, output) = mpsc::channel(QUEUE);
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(forward(stdout, Output::Stdout, sender.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(forward(stderr, Output::Stderr, sender));
        }
        Ok(Self { child, output })
    }

    async fn end(&mut self, signal: EndSignal) -> io::Result<()> {
        match (signal, self.child.id()) {
            (EndSignal::Kill, _) => self.child.start_kill(),
            (EndSignal::Terminate, Some(pid)) => {
                // The standard library sends no signal but SIGKILL.
                let number = pid.to_string();
                Command::new("kill").args(["-TERM", &number]).stderr(Stdio::null()).status().await.map(drop)
            }
            (EndSignal::Terminate, None) => Ok(()),
        }
    }

    async fn wait(&mut self, limit: Duration) -> Result<i64, ProcessError> {
        use std::os::unix::process::ExitStatusExt;

        let waiting = async {
            while self.output.recv().await.is_some() {}
            self.child.wait().await
        };
        let status = timeout(limit, waiting).await.map_err(|_| ProcessError::Late(limit))??;
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
        Ok(code.unwrap_or(-1).into())
    }
}

async fn forward(mut pipe: impl AsyncRead + Unpin, wrap: fn(Bytes) -> Output, output: mpsc::Sender<Output>) {
    let mut buffer = BytesMut::with_capacity(PIECE);
    while let Ok(count) = pipe.read_buf(&mut buffer).await {
        if count == 0 || output.send(wrap(buffer.split().freeze())).await.is_err() {
            return;
        }
        buffer.reserve(PIECE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_child_is_read_signalled_and_waited_for() {
        let script = "echo out; echo err >&2; exec sleep 60";
        let child = LocalProcess::start(Path::new("/bin/sh"), &["-c", script], &[]).unwrap();
        let mut process = KratosProcess::Local(child);
        let mut seen = [process.next_output().await.unwrap(), process.next_output().await.unwrap()];
        seen.sort_by_key(|piece| matches!(piece, Output::Stderr(_)));
        assert_eq!(seen, [Output::Stdout("out\n".into()), Output::Stderr("err\n".into())]);
        assert!(matches!(process.wait(Duration::from_millis(50)).await, Err(ProcessError::Late(_))));
        process.end(EndSignal::Terminate).await;
        assert_eq!(process.wait(Duration::from_secs(10)).await.unwrap(), 143);
    }
}
