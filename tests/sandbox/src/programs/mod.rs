//! Where the programs are that the sandbox runs.
//!
//! Ours stand beside the running executable, because Cargo puts all of a workspace's programs into one directory.
//! Pebble and Kratos are the real ones when the variables `PEBBLE_BIN`, `KRATOS_BIN` and `KRATOS_BIN_*` name them, and
//! our doubles otherwise. A variable that names an unusable program is an error: who sets it wants the real thing.

mod tether;

use std::env;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use tether::Tether;

/// The Kratos versions that the double plays.
pub const DOUBLE_VERSIONS: [&str; 3] = ["v1.3.1", "v25.4.0", "v26.2.0"];

/// How long a program may take to tell its version.
const VERSION_TIMEOUT: Duration = Duration::from_secs(20);

/// A program that is either the real one or our double of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    pub path: PathBuf,
    pub double: bool,
}

/// A Kratos of one version, which stands for a workload image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kratos {
    /// As the program tells it, for example `v26.2.0`.
    pub version: String,
    pub path: PathBuf,
    pub double: bool,
}

/// All programs that a sandbox needs.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The charm: `kratos-operator`.
    pub charm: PathBuf,
    /// The program behind every hook command.
    pub hook_command: PathBuf,
    /// The stand-in for the PostgreSQL charm.
    pub postgresql: PathBuf,
    pub pebble: Program,
    /// At least one, oldest version first.
    pub kratos: Vec<Kratos>,
}

/// Why the programs are not complete.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot tell where this program is")]
    Here(#[source] io::Error),
    #[error("{name} is not in {dir}: `cargo test --workspace` and `cargo build --workspace` build it")]
    NotBuilt { name: &'static str, dir: PathBuf },
    #[error("{variable} names {path}, which cannot be run: {reason}")]
    Unusable { variable: String, path: PathBuf, reason: String },
}

impl Error {
    /// A stable label for tests and logs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Here(_) => "here",
            Self::NotBuilt { .. } => "not-built",
            Self::Unusable { .. } => "unusable",
        }
    }
}

impl Programs {
    /// Looks beside the running executable and at this process' variables.
    pub fn find() -> Result<Self, Error> {
        let here = env::current_exe().map_err(Error::Here)?;
        Self::find_with(
            &here,
            env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into()))),
        )
    }

    /// The same for the executable `here` and the given variables.
    pub fn find_with(
        here: &Path,
        variables: impl IntoIterator<Item = (String, PathBuf)>,
    ) -> Result<Self, Error> {
        let mut pebble = None;
        let mut kratos = Vec::new();
        for (variable, path) in variables {
            if variable == "PEBBLE_BIN" {
                check(&variable, &path)?;
                pebble = Some(Program { path, double: false });
            } else if variable == "KRATOS_BIN" || variable.starts_with("KRATOS_BIN_") {
                check(&variable, &path)?;
                let version = version(&path).map_err(|reason| Error::Unusable {
                    variable,
                    path: path.clone(),
                    reason,
                })?;
                kratos.push(Kratos { version, path, double: false });
            }
        }
        if kratos.is_empty() {
            let path = built(here, "kratos-double")?;
            let double =
                |version: &str| Kratos { version: version.to_owned(), path: path.clone(), double: true };
            kratos.extend(DOUBLE_VERSIONS.map(double));
        }
        kratos.sort_by_key(|kratos| (numbers(&kratos.version), kratos.path.clone()));
        kratos.dedup();
        Ok(Self {
            charm: built(here, "kratos-operator")?,
            hook_command: built(here, "hook-command")?,
            postgresql: built(here, "postgresql-k8s")?,
            pebble: match pebble {
                Some(pebble) => pebble,
                None => Program { path: built(here, "pebble-double")?, double: true },
            },
            kratos,
        })
    }
}

/// A program of this workspace: in the directory of `here`, or above it when `here` is a test in `deps`.
fn built(here: &Path, name: &'static str) -> Result<PathBuf, Error> {
    let dir = here.parent().unwrap_or(Path::new("/"));
    let dir = if dir.ends_with("deps") { dir.parent().unwrap_or(dir) } else { dir };
    let path = dir.join(name);
    if path.is_file() { Ok(path) } else { Err(Error::NotBuilt { name, dir: dir.to_owned() }) }
}

fn check(variable: &str, path: &Path) -> Result<(), Error> {
    let reason = match path.metadata() {
        _ if !path.is_absolute() => "the path is not absolute".to_owned(),
        Err(error) => error.to_string(),
        Ok(metadata) if !metadata.is_file() => "it is no file".to_owned(),
        Ok(metadata) if metadata.permissions().mode() & 0o111 == 0 => "it is not executable".to_owned(),
        Ok(_) => return Ok(()),
    };
    Err(Error::Unusable { variable: variable.to_owned(), path: path.to_owned(), reason })
}

/// What `PROGRAM version` tells, or why it tells nothing.
fn version(path: &Path) -> Result<String, String> {
    let mut child = Command::new(path)
        .arg("version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let deadline = Instant::now() + VERSION_TIMEOUT;
    // Three short lines fit into the pipe, so the end can be awaited before they are read.
    let status = loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) => break status,
            None if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("`version` did not end within {} s", VERSION_TIMEOUT.as_secs()));
            }
        }
    };
    let mut output = Vec::new();
    if let Some(stdout) = child.stdout.as_mut() {
        stdout.take(64 * 1024).read_to_end(&mut output).map_err(|error| error.to_string())?;
    }
    let output = String::from_utf8_lossy(&output);
    let version = output.lines().find_map(|line| line.strip_prefix("Version:")).map(str::trim);
    match version {
        Some(version) if status.success() && !version.is_empty() => Ok(version.to_owned()),
        _ => Err(format!("`version` ended with {status} and told no version")),
    }
}

/// The numbers in a version, to order v1.3.1 before v25.4.0.
fn numbers(version: &str) -> Vec<u64> {
    version.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}
