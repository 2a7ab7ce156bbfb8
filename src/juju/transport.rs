//! How a hook command reaches the agent.
//!
//! Given a command's name, its arguments and perhaps an input, a [`Transport`] returns what the command printed and its
//! exit code. [`ExecTransport`] runs the tool that the agent put on `PATH`, which is Juju's only documented way and
//! therefore the only one used.

#![expect(clippy::disallowed_methods, reason = "hook tools are processes, found by PATH")]

use std::ffi::OsStr;
use std::future::Future;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

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
}

/// Runs hook tools as child processes.
#[derive(Debug, Clone)]
pub struct ExecTransport {
    directories: Vec<PathBuf>,
}

impl ExecTransport {
    /// Looks for tools in the directories of `path`, a list in the form of the variable `PATH`.
    pub fn new(path: &OsStr) -> Self {
        Self { directories: std::env::split_paths(path).collect() }
    }

    /// Looks for tools where this process would.
    pub fn from_current_path() -> Self {
        Self::new(&std::env::var_os("PATH").unwrap_or_default())
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
        let (output, ()) = tokio::join!(child.wait_with_output(), feed);
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
