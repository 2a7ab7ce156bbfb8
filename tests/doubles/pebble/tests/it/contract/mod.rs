//! A daemon of its own for each contract test: a real Pebble when PEBBLE_BIN names one, else the sandbox's
//! double.

mod daemon;
#[path = "../../../../../it/pebble/ended.rs"]
mod ended;
mod exec;
mod files;

use kratos_operator::pebble::{Change, ChangeId, Client, Error, ExecRequest, Layer};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Ample for a machine that is busy; nothing in the tests waits that long on a good day.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A daemon that runs in a directory of its own; it is stopped, and its services with it, when this is
/// dropped.
pub struct Daemon {
    pub client: Client,
    child: Child,
    dir: tempfile::TempDir,
}

impl Daemon {
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let child = spawn(&dir.path().join("pebble"));
        let daemon = Self { client: Client::new(dir.path().join("pebble/.pebble.socket")), child, dir };
        daemon.ready().await;
        daemon
    }

    async fn ready(&self) {
        until("the daemon answers", || async { self.client.plan().await.is_ok() }).await;
    }

    /// Starts it again in the same directory after it ended.
    pub async fn restart(&mut self) {
        self.child.wait().unwrap();
        self.child = spawn(&self.dir.path().join("pebble"));
        self.ready().await;
    }

    /// A directory for the test's own files.
    pub fn files(&self) -> PathBuf {
        let files = self.dir.path().join("files");
        std::fs::create_dir_all(&files).unwrap();
        files
    }

    /// The path of one of the test's own files.
    pub fn file(&self, name: &str) -> String {
        self.files().join(name).to_str().unwrap().to_owned()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap())
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Waits until the daemon's process has ended.
    pub async fn ended(&mut self) {
        let start = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < PATIENCE, "the daemon does not end");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub async fn add(&self, label: &str, yaml: &str) {
        let layer: Layer = serde_yaml::from_str(yaml).unwrap();
        self.client.add_layer(label, &layer, true).await.unwrap();
    }

    pub async fn wait(&self, id: ChangeId) -> Result<Change, Error> {
        self.client.wait_change(&id, PATIENCE).await
    }

    /// The status word of a service.
    pub async fn current(&self, name: &str) -> String {
        self.client.services(&[name]).await.unwrap()[0].current.to_string()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let pid = self.pid();
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = kill(pid, Signal::SIGTERM);
            let start = Instant::now();
            while start.elapsed() < Duration::from_secs(15) {
                if self.child.try_wait().is_ok_and(|status| status.is_some()) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

fn spawn(dir: &Path) -> Child {
    let binary = std::env::var_os("PEBBLE_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_pebble-double").into());
    Command::new(&binary)
        .args(["run", "--create-dirs", "--hold"])
        .env("PEBBLE", dir)
        // The default directory of commands must exist for any user who runs the tests.
        .env("HOME", "/tmp")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {}: {error}", binary.display()))
}

/// A command that is run by a shell.
pub fn sh(script: &str) -> ExecRequest {
    ExecRequest::new(["/bin/sh", "-c", script])
}

/// Polls a condition until it holds.
pub async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whether a process runs; a zombie does not.
pub fn alive(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| !rest.trim_start().starts_with('Z')))
}

/// A process that a test started outside the daemon's reach; it is killed when this is dropped.
pub struct Stray(pub i32);

impl Drop for Stray {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.0), Signal::SIGKILL);
    }
}
