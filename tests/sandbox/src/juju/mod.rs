//! The engine: a model, its units' directories, containers and processes, and the queue that runs events.
//!
//! It is given changes of the model and runs what follows from them until nothing is left: each event starts
//! the unit's real charm program with Juju's environment and answers its hook commands. Events run one at a
//! time, so that a run is the same each time; only an action leaves the other units free to go on.

mod address;
mod dispatch;
mod environment;
mod finish;
mod leftovers;
mod pod;
mod queue;
mod server;
mod store;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::hooks::LogLine;
use crate::model::{Model, ModelError};
use crate::postgres::Cluster;
use crate::programs::{Programs, Tether};
use kubernetes_double::Kubernetes;

pub use pod::Pod;
pub(crate) use store::STAND_INS;
pub use store::{Found, Store, version_name};

/// Juju's version, as units see it.
pub const JUJU_VERSION: &str = "3.6.26";

/// Why the sandbox cannot do something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The model refuses it.
    #[error("{0}")]
    Model(#[from] ModelError),
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A charm cannot be found or used.
    #[error("{0}")]
    Charm(String),
    /// A program of the sandbox is missing.
    #[error("{0}")]
    Programs(String),
    /// A workload container does not start.
    #[error("{0}")]
    Container(#[from] crate::container::Error),
    /// PostgreSQL does not start.
    #[error("{0}")]
    Postgres(#[from] crate::postgres::Error),
    /// The hook commands cannot be laid out.
    #[error("{0}")]
    Agent(#[from] crate::agent::Error),
}

impl Error {
    /// A stable label: `model`, `file`, `charm`, `programs`, `container`, `postgres` or `agent`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Model(_) => "model",
            Self::File { .. } => "file",
            Self::Charm(_) => "charm",
            Self::Programs(_) => "programs",
            Self::Container(_) => "container",
            Self::Postgres(_) => "postgres",
            Self::Agent(_) => "agent",
        }
    }

    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

/// One hook command that a charm called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceEntry {
    /// The unit.
    pub unit: String,
    /// The hook or action that ran.
    pub event: String,
    /// The command.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its standard input, if it was sent.
    pub stdin: Option<Vec<u8>>,
    /// Its exit code; none for an error of the call itself, or if the charm was killed before it ran.
    pub code: Option<i64>,
    /// Whether it is a command that writes.
    pub write: bool,
}

/// When [`KillAtCall`] strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The command has come in and is not run.
    Before,
    /// The command has run; its answer is not sent.
    After,
}

/// A fault: kill the charm's process (SIGKILL) at a hook command. It strikes once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillAtCall {
    /// Only calls of this unit count; none: of all units.
    pub unit: Option<String>,
    /// The how manieth call, from 1, counted over all dispatches from now on.
    pub n: u64,
    /// Before or after the command runs.
    pub moment: Moment,
}

/// A charm's process that runs now.
#[derive(Debug, Clone, Default)]
pub struct Running {
    /// What it runs, for the status.
    pub event: String,
    /// Whether it is an action.
    pub action: bool,
    /// Its process; none before it started.
    pub pid: Option<i32>,
    /// The pod is going away under it.
    pub terminated: bool,
}

/// What the engine knows, behind one lock that is never held while something is awaited.
#[derive(Debug)]
pub struct State {
    /// The model.
    pub model: Model,
    /// The model's log.
    pub log: Vec<LogLine>,
    /// Every hook command.
    pub trace: Vec<TraceEntry>,
    /// What runs, by unit.
    pub running: BTreeMap<String, Running>,
    /// The fault to come and the calls that counted for it so far.
    pub fault: Option<(KillAtCall, u64)>,
    /// What every hook command takes longer than it would.
    pub command_delay: Duration,
    /// Pods by unit.
    pub pods: BTreeMap<String, Pod>,
    /// Where each application's present charm is laid out.
    pub charms: BTreeMap<String, PathBuf>,
    // The unit that ran last: the next one is asked first.
    last: Option<String>,
    stopping: bool,
}

/// The engine of one sandbox.
#[derive(Debug)]
pub struct Engine {
    /// The sandbox's own directory; everything is below it.
    pub dir: PathBuf,
    /// Whether charms leave the agent's socket alone.
    tools_only: bool,
    /// Charms that can be deployed.
    pub store: Store,
    state: Mutex<State>,
    turn: tokio::sync::Mutex<()>,
    pub(crate) postgres: tokio::sync::Mutex<Option<Cluster>>,
    addresses: Mutex<address::Addresses>,
    // Counts finished dispatches and log lines of actions: whoever waits for one looks again at each.
    changes: watch::Sender<u64>,
    pub(crate) kubernetes: tokio::sync::OnceCell<Kubernetes>,
    _tether: Tether,
}

impl Engine {
    /// An engine in an empty directory.
    ///
    /// # Errors
    /// The program for hook commands is not built, or the directory cannot be written.
    pub fn new(dir: &Path, source: PathBuf, seed: u64, tools_only: bool) -> Result<Arc<Self>, Error> {
        let hook_command = hook_command()?;
        crate::agent::tools_dir(&dir.join("tools"), &hook_command)?;
        let tether = Tether::new(std::process::id(), leftovers::WHEN_ORPHANED, &[&dir.to_string_lossy()])
            .map_err(Error::file(Path::new("/bin/sh")))?;
        let programs = Programs::find().map_err(|error| error.to_string());
        let state = State {
            model: Model::new("sandbox", seed),
            log: Vec::new(),
            trace: Vec::new(),
            running: BTreeMap::new(),
            fault: None,
            command_delay: Duration::ZERO,
            pods: BTreeMap::new(),
            charms: BTreeMap::new(),
            last: None,
            stopping: false,
        };
        Ok(Arc::new(Self {
            dir: dir.to_owned(),
            tools_only,
            store: Store::new(dir.join("store"), source, programs),
            state: Mutex::new(state),
            turn: tokio::sync::Mutex::new(()),
            postgres: tokio::sync::Mutex::new(None),
            addresses: Mutex::new(address::Addresses::new(seed)),
            changes: watch::Sender::new(0),
            kubernetes: tokio::sync::OnceCell::new(),
            _tether: tether,
        }))
    }

    /// The state, locked. Never keep it over an await.
    pub fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the state whole: no rule of the model stops halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A receiver that is told after every finished dispatch and every answered hook command.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(crate) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// A loopback address that no other unit here has and that nobody listens on.
    ///
    /// # Errors
    /// No free address was found.
    pub fn free_address(&self) -> Result<String, Error> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Adds a line of Juju's own to the log.
    pub fn note(&self, unit: &str, level: &str, module: &str, text: &str) {
        let line = LogLine {
            time: std::time::SystemTime::now(),
            unit: unit.to_owned(),
            level: level.to_owned(),
            module: module.to_owned(),
            text: text.to_owned(),
        };
        self.state().log.push(line);
    }
}

// Beside this executable, or above it for a test in `deps`. Charms without our programs need only this one.
fn hook_command() -> Result<PathBuf, Error> {
    let here = std::env::current_exe().map_err(|error| Error::Programs(error.to_string()))?;
    let dir = here.parent().unwrap_or(Path::new("/"));
    let dir = if dir.ends_with("deps") { dir.parent().unwrap_or(dir) } else { dir };
    let path = dir.join("hook-command");
    if path.is_file() {
        return Ok(path);
    }
    Err(Error::Programs(format!(
        "hook-command is not in {}: `cargo build --workspace` builds it",
        dir.display()
    )))
}
