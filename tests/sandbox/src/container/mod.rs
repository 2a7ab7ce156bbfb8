//! A workload container of a unit: a Pebble of its own over a root directory of its own.
//!
//! Given a directory, Pebble, a Kratos and environment variables, it runs `pebble run` as a pod's container does, with
//! Kratos as `kratos` on the PATH, and waits for Pebble's socket. A container's files are ephemeral: every start begins
//! with an empty root. Processes are told by a variable that all of a container's processes inherit, so that a stop
//! leaves none behind even when Pebble was killed.
//!
//! All functions block; call them from `tokio::task::spawn_blocking` inside a runtime.

mod processes;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::programs::{Kratos, Program, Tether};

/// Holds the container's directory in every process of the container.
pub const MARKER: &str = "SANDBOX_CONTAINER";

const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// Kubernetes' own grace period.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

/// Pebble ends its services itself; what outlives that is killed by the marker (`$2`).
const WHEN_ORPHANED: &str = r#"kill -TERM "$1"; i=0
while kill -0 "$1" 2>/dev/null && [ $i -lt 10 ]; do sleep 1; i=$((i+1)); done; kill -KILL "$1"
for process in /proc/[0-9]*; do
  tr '\0' '\n' <"$process/environ" 2>/dev/null | grep -qxF "$2" && kill -KILL "${process#/proc/}"
done"#;

/// What a container consists of.
#[derive(Debug, Clone)]
pub struct ContainerSpec {
    /// A directory for this container alone, created when missing; its path must be short, see [`Error::SocketPath`].
    pub dir: PathBuf,
    pub pebble: Program,
    /// The workload image.
    pub image: Kratos,
    /// Variables of the container beyond PATH, HOME and PEBBLE.
    pub environment: BTreeMap<String, String>,
}

/// Why a container does not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the socket {0} would exceed the 107 bytes of a unix socket's path; choose a shorter directory")]
    SocketPath(PathBuf),
    #[error("cannot use {path}")]
    File { path: PathBuf, source: io::Error },
    #[error("Pebble {program} did not start: {reason}; its log is {log}")]
    Pebble { program: PathBuf, reason: String, log: PathBuf },
}

impl Error {
    /// A stable label for tests and logs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::SocketPath(_) => "socket-path",
            Self::File { .. } => "file",
            Self::Pebble { .. } => "pebble",
        }
    }

    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

/// A container; dropping it stops it. Its directory stays.
#[derive(Debug)]
pub struct Container {
    spec: ContainerSpec,
    daemon: Option<Daemon>,
}

#[derive(Debug)]
struct Daemon {
    process: Child,
    _tether: Tether,
}

impl Container {
    /// Starts the container with an empty root and waits until Pebble's socket accepts connections.
    pub fn start(spec: ContainerSpec) -> Result<Self, Error> {
        fs::create_dir_all(&spec.dir).map_err(Error::file(&spec.dir))?;
        let dir = spec.dir.canonicalize().map_err(Error::file(&spec.dir))?;
        let mut container = Self { spec: ContainerSpec { dir, ..spec }, daemon: None };
        container.run()?;
        Ok(container)
    }

    /// Pebble's socket.
    pub fn socket(&self) -> PathBuf {
        self.spec.dir.join("pebble/.pebble.socket")
    }

    /// The directory that stands for the container's `/`.
    pub fn root(&self) -> PathBuf {
        self.spec.dir.join("root")
    }

    /// Where Pebble's own output goes.
    pub fn log(&self) -> PathBuf {
        self.spec.dir.join("pebble.log")
    }

    /// The image that runs, or ran last.
    pub fn image(&self) -> &Kratos {
        &self.spec.image
    }

    /// Pebble's process id; `None` when it was stopped or killed.
    pub fn pid(&self) -> Option<u32> {
        self.daemon.as_ref().map(|daemon| daemon.process.id())
    }

    /// Ends Pebble and its services in order, and kills what does not go by itself.
    pub fn stop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            processes::end(&mut daemon.process, STOP_TIMEOUT);
        }
        processes::kill_marked(&self.marker(), STOP_TIMEOUT);
    }

    /// Kills Pebble alone, as when the machine under it fails; its services stay until [`Container::stop`].
    pub fn kill(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.process.kill();
            let _ = daemon.process.wait();
        }
    }

    /// Stops the container and starts it from `image`, with an empty root.
    pub fn restart(&mut self, image: Kratos) -> Result<(), Error> {
        self.stop();
        self.spec.image = image;
        self.run()
    }

    fn run(&mut self) -> Result<(), Error> {
        let socket = self.socket();
        if socket.as_os_str().len() > 107 {
            return Err(Error::SocketPath(socket));
        }
        self.lay_out()?;
        let log = self.open_log()?;
        let log_too = log.try_clone().map_err(Error::file(&self.log()))?;
        let program = &self.spec.pebble.path;
        let mut process = Command::new(program)
            .args(["run", "--create-dirs", "--hold"])
            .current_dir(self.root())
            .env_clear()
            .envs(self.environment())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(log_too)
            .process_group(0)
            .spawn()
            .map_err(|error| self.failed(&error.to_string()))?;
        let marker = self.marker();
        match Tether::new(process.id(), WHEN_ORPHANED, &[&marker]) {
            Ok(tether) => self.daemon = Some(Daemon { process, _tether: tether }),
            Err(source) => {
                let _ = process.kill();
                let _ = process.wait();
                return Err(Error::File { path: "/bin/sh".into(), source });
            }
        }
        self.await_socket(&socket).inspect_err(|_| self.stop())
    }

    fn await_socket(&mut self, socket: &Path) -> Result<(), Error> {
        let deadline = Instant::now() + START_TIMEOUT;
        while UnixStream::connect(socket).is_err() {
            let ended = self.daemon.as_mut().and_then(|daemon| daemon.process.try_wait().ok().flatten());
            if let Some(status) = ended {
                return Err(self.failed(&format!("it ended with {status}")));
            }
            if Instant::now() >= deadline {
                return Err(self.failed(&format!("no socket after {} s", START_TIMEOUT.as_secs())));
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Fresh root and Pebble directories, and the link to the workload.
    fn lay_out(&self) -> Result<(), Error> {
        for name in ["root", "pebble", "bin"] {
            let path = self.spec.dir.join(name);
            match fs::remove_dir_all(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::file(&path)(error));
                }
                _ => fs::create_dir(&path).map_err(Error::file(&path))?,
            }
        }
        let link = self.spec.dir.join("bin/kratos");
        symlink(&self.spec.image.path, &link).map_err(Error::file(&link))
    }

    /// All of the container's environment; nothing of ours goes in, as nothing of a node's does.
    fn environment(&self) -> BTreeMap<String, String> {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let mut environment = self.spec.environment.clone();
        environment.insert("PATH".into(), format!("{}:{SYSTEM_PATH}", text(self.spec.dir.join("bin"))));
        environment.insert("HOME".into(), text(self.root()));
        environment.insert("PEBBLE".into(), text(self.spec.dir.join("pebble")));
        environment.insert(MARKER.into(), text(self.spec.dir.clone()));
        if self.spec.image.double {
            environment.insert("KRATOS_DOUBLE_VERSION".into(), self.spec.image.version.clone());
        }
        environment
    }

    /// The marker as it stands in a process' environment.
    fn marker(&self) -> String {
        format!("{MARKER}={}", self.spec.dir.to_string_lossy())
    }

    fn open_log(&self) -> Result<File, Error> {
        let path = self.log();
        OpenOptions::new().create(true).append(true).open(&path).map_err(Error::file(&path))
    }

    fn failed(&self, reason: &str) -> Error {
        Error::Pebble { program: self.spec.pebble.path.clone(), reason: reason.to_owned(), log: self.log() }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.stop();
    }
}
