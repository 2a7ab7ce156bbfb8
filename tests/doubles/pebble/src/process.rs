//! Starting processes the way Pebble does: own process group, a resolved program, errors worded like Go's.
//!
//! It is given words, an environment, a directory and perhaps another user, and gives a running child. No shell is involved.

use std::{
    collections::BTreeMap,
    os::unix::{
        ffi::OsStrExt as _,
        process::{CommandExt as _, ExitStatusExt as _},
    },
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use nix::{
    sys::signal::{self, Signal},
    unistd::{AccessFlags, Pid, access},
};
use tokio::process::{Child, Command};

use super::users::Identity;

/// What to run.
pub struct Program<'a> {
    /// The words of the command; the first is looked up.
    pub words: &'a [String],
    /// The whole environment.
    pub environment: &'a BTreeMap<String, String>,
    /// The working directory; empty is the daemon's own.
    pub directory: &'a str,
    /// Another user.
    pub identity: Option<&'a Identity>,
}

/// The three standard streams.
pub struct Streams {
    /// Standard input.
    pub stdin: Stdio,
    /// Standard output.
    pub stdout: Stdio,
    /// Standard error.
    pub stderr: Stdio,
}

fn executable(path: &Path) -> bool {
    path.is_file() && access(path, AccessFlags::X_OK).is_ok()
}

/// Finds a program: a name with a slash must be executable itself, others are looked up in the daemon's own `PATH`.
#[must_use]
pub fn find(name: &str, search: &str) -> Option<PathBuf> {
    if name.contains('/') {
        let path = PathBuf::from(name);
        return executable(&path).then_some(path);
    }
    search
        .split(':')
        .filter(|dir| !dir.is_empty())
        .map(|dir| Path::new(dir).join(name))
        .find(|path| executable(path))
}

/// Go's words for an error of the system.
#[must_use]
pub fn system_words(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => {
            let text = nix::errno::Errno::from_raw(number).desc().to_owned();
            let mut characters = text.chars();
            characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or(text)
        }
        None => error.to_string(),
    }
}

/// Spawns a child in its own process group.
///
/// # Errors
/// Go's words, e.g. `fork/exec /no/such: no such file or directory`.
pub fn spawn(program: &Program<'_>, search: &str, streams: Streams) -> Result<Child, String> {
    let name = program.words.first().map(String::as_str).unwrap_or_default();
    let path = if name.contains('/') {
        PathBuf::from(name)
    } else {
        find(name, search).ok_or_else(|| format!("exec: {name:?}: executable file not found in $PATH"))?
    };
    let mut command = std::process::Command::new(&path);
    command.arg0(name).args(&program.words[1..]).env_clear().envs(program.environment).process_group(0);
    if !program.directory.is_empty() {
        command.current_dir(program.directory);
    }
    if let Some(identity) = program.identity {
        command.gid(identity.gid).uid(identity.uid);
    }
    command.stdin(streams.stdin).stdout(streams.stdout).stderr(streams.stderr);
    let path = String::from_utf8_lossy(path.as_os_str().as_bytes()).into_owned();
    Command::from(command).spawn().map_err(|error| format!("fork/exec {path}: {}", system_words(&error)))
}

/// The exit code as Pebble counts it: 128 plus the signal for a killed process.
#[must_use]
pub fn exit_code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}

fn pid(id: u32) -> Option<Pid> {
    i32::try_from(id).ok().filter(|id| *id > 1).map(Pid::from_raw)
}

/// Signals one process; one that is gone is none of our business.
pub fn signal_process(id: u32, signal: Signal) {
    if let Some(pid) = pid(id) {
        let _ = signal::kill(pid, signal);
    }
}

/// Signals a whole process group.
pub fn signal_group(id: u32, signal: Signal) {
    if let Some(pid) = pid(id) {
        let _ = signal::killpg(pid, signal);
    }
}

/// Whether a process group still has members.
#[must_use]
pub fn group_lives(id: u32) -> bool {
    pid(id).is_some_and(|pid| signal::killpg(pid, None) != Err(nix::errno::Errno::ESRCH))
}

/// A signal by its full name (`SIGHUP`).
#[must_use]
pub fn signal_named(name: &str) -> Option<Signal> {
    name.starts_with("SIG").then(|| name.parse().ok()).flatten()
}
