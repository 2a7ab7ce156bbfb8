//! The tools that the agent put on `PATH`, which is Juju's only documented way.

#![expect(clippy::disallowed_methods, reason = "hook tools are processes, found by PATH")]

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::Semaphore;

use super::{Call, CommandOutput, Transport, silent};

/// So many tools run beside each other. The agent executes one command at a time, but most of a tool's time is its start; more
/// of them would only take memory.
const AT_ONCE: usize = 8;

/// Runs hook tools as child processes.
#[derive(Debug)]
pub struct ExecTransport {
    directories: Vec<PathBuf>,
    deadline: Duration,
    places: Semaphore,
    /// Set once a tool has not ended in time: the next one would wait as long.
    is_silent: AtomicBool,
}

impl ExecTransport {
    /// Looks for tools in the directories of `path`, a list in the form of the variable `PATH`. Each may take `deadline`.
    pub fn new(path: &OsStr, deadline: Duration) -> Self {
        Self {
            directories: std::env::split_paths(path).collect(),
            deadline,
            places: Semaphore::new(AT_ONCE),
            is_silent: AtomicBool::new(false),
        }
    }

    /// The first executable file of that name.
    fn find(&self, command: &str) -> io::Result<PathBuf> {
        let executable = |path: &PathBuf| {
            path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        };
        self.directories
            .iter()
            .map(|directory| directory.join(command))
            .find(executable)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no tool {command} on PATH")))
    }

    async fn run(&self, command: &str, args: &[&str], stdin: Option<&[u8]>) -> io::Result<CommandOutput> {
        let _place = self.places.acquire().await.map_err(io::Error::other)?;
        if self.is_silent.load(Ordering::Relaxed) {
            return Err(silent(command, self.deadline));
        }
        let mut child = Command::new(self.find(command)?)
            .args(args)
            .stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let pipe = child.stdin.take();
        let feed = async move {
            if let (Some(mut pipe), Some(bytes)) = (pipe, stdin) {
                // A tool that exits without reading all of it says more by its exit code than a broken pipe could.
                let _ = pipe.write_all(bytes).await;
            }
        };
        // Both at once: a tool may fill its output before it has read all of its input.
        let ended = async { tokio::join!(child.wait_with_output(), feed).0 };
        let Ok(output) = tokio::time::timeout(self.deadline, ended).await else {
            self.is_silent.store(true, Ordering::Relaxed);
            return Err(silent(command, self.deadline));
        };
        let output = output?;
        let code = output.status.code().or(output.status.signal().map(|signal| 128 + signal)).unwrap_or(-1);
        Ok(CommandOutput { code, stdout: output.stdout, stderr: output.stderr })
    }
}

impl Transport for ExecTransport {
    fn call<'a>(&'a self, command: &'a str, args: &'a [&'a str], stdin: Option<&'a [u8]>) -> Call<'a> {
        Box::pin(self.run(command, args, stdin))
    }
}
