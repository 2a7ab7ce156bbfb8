//! A sandbox: one Juju model on this machine, to be used from a test or a prompt.
//!
//! It is given juju commands as text and answers as juju does, after everything that follows from them has
//! run. Beside that it lets a test see (trace, log, model) and do (fire events, write data by hand, kill)
//! what no operator can.

mod kubelet;
mod observe;
mod stand_in;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;

use crate::commands;
use crate::juju::{Engine, Error};

pub use crate::commands::Output;
pub use crate::juju::{KillAtCall, Moment, TraceEntry};
pub use kubelet::Kubelet;

/// What a sandbox may be started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The directory of the charm that the store calls `kratos`; the workspace's root unless said otherwise.
    pub source: PathBuf,
    /// What ids and addresses follow from; by chance if none.
    pub seed: Option<u64>,
    /// Whether charms run the tools for hook commands and leave the agent's socket alone.
    pub tools_only: bool,
}

impl Default for Options {
    fn default() -> Self {
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let source = here.ancestors().nth(2).map_or_else(|| here.clone(), PathBuf::from);
        Self { source, seed: None, tools_only: false }
    }
}

/// A running sandbox. Dropping it ends its processes and removes its directory; [`Sandbox::stop`] does so and
/// waits.
#[derive(Debug)]
pub struct Sandbox {
    engine: Arc<Engine>,
    // Removed after the engine has stopped.
    dir: Option<TempDir>,
}

impl Sandbox {
    /// Starts an empty model in a directory of its own.
    ///
    /// # Errors
    /// The directory cannot be made, or the hook commands' program is not built.
    pub fn start(options: Options) -> Result<Self, Error> {
        let parent = std::env::temp_dir();
        // Short, because unix sockets below it must fit into 107 bytes.
        let dir = tempfile::Builder::new().prefix("sbx").tempdir().map_err(Error::file(&parent))?;
        // PostgreSQL runs as a user of its own if this is root; it must get through.
        let mode = fs::Permissions::from_mode(0o711);
        fs::set_permissions(dir.path(), mode).map_err(Error::file(dir.path()))?;
        let seed = match options.seed {
            Some(seed) => seed,
            None => random()?,
        };
        let engine = Engine::new(dir.path(), options.source, seed, options.tools_only)?;
        Ok(Self { engine, dir: Some(dir) })
    }

    /// Runs one juju command, with or without the leading word `juju`; quotes work as in a shell. Returns
    /// when nothing is left to run, apart from actions that were started with `--background` or waited for
    /// too short a time.
    pub async fn juju(&self, line: &str) -> Output {
        match commands::words(line) {
            Ok(words) => commands::run(&self.engine, &words, false).await,
            Err(error) => Output { stdout: String::new(), stderr: format!("ERROR {error}\n"), code: 2 },
        }
    }

    /// The same for words, printing as it goes.
    pub async fn juju_live(&self, words: &[String]) -> Output {
        commands::run(&self.engine, words, true).await
    }

    /// Runs what is due, failed hooks (each up to five times) among it.
    pub async fn settle(&self) {
        self.engine.retry_failed();
        self.engine.settle().await;
    }

    /// Ends all processes and removes the directory.
    pub async fn stop(mut self) {
        self.engine.stop().await;
        drop(self.dir.take());
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if self.dir.is_some() {
            self.engine.stop_now();
        }
    }
}

fn random() -> Result<u64, Error> {
    use std::io::Read;
    let path = PathBuf::from("/dev/urandom");
    let mut bytes = [0; 8];
    fs::File::open(&path).and_then(|mut file| file.read_exact(&mut bytes)).map_err(Error::file(&path))?;
    Ok(u64::from_be_bytes(bytes))
}
