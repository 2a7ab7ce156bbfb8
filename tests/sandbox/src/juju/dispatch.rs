//! One dispatch: starts the charm's program for one event, answers its hook commands, and settles what it
//! wrote.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::UnixListener;
use tokio::process::{Child, Command};

use super::server::Server;
use super::{Engine, Running};
use crate::agent;
use crate::hooks::Context;
use crate::model::{Event, Status, TaskStatus};

/// How long Juju waits for pipes that a child of the charm holds open.
const PIPE_PATIENCE: Duration = Duration::from_millis(100);
/// Starts that are tried while another thread's fork still holds the freshly written program open.
const BUSY_ATTEMPTS: u32 = 50;

/// How a charm's process ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// There is nothing to run for this event: that is no failure.
    Skipped,
    /// It could not be started.
    NotStarted(String),
    /// It ran.
    Exited { status: ExitStatus, stdout: Vec<u8>, stderr: Vec<u8> },
}

impl Engine {
    /// Runs one event of one unit to its end. The caller has marked the unit as running.
    pub(super) async fn dispatch(self: &Arc<Self>, unit: &str, event: Event) {
        let postgres = self.postgres.lock().await.as_ref().map(|cluster| cluster.superuser_dsn("postgres"));
        let (context, pod) = {
            let mut state = self.state();
            let now = SystemTime::now();
            state.model.begin(unit, &event);
            begin_status(&mut state.model, unit, &event, now);
            let Some(pod) = state.pods.get(unit).cloned() else {
                state.running.remove(unit);
                return;
            };
            (Context::new(&mut state.model, unit, event.clone(), pod.dir().join("resources")), pod)
        };
        self.sync_kubernetes();
        let vars = self.environment(unit, &event, &context.id, postgres);
        let server = Arc::new(Server {
            engine: Arc::clone(self),
            unit: unit.to_owned(),
            event: event.name(),
            context_id: context.id.clone(),
            context: Mutex::new(Some(context)),
        });
        let ended = match listen(&pod.socket()) {
            Err(error) => Ended::NotStarted(format!("{}: {error}", pod.socket().display())),
            Ok(listener) => {
                let answering = tokio::spawn(agent::serve(listener, Arc::clone(&server)));
                let ended = match program(&pod.charm(), &event) {
                    Ok(Some(path)) => self.run_program(unit, &path, &pod.charm(), vars).await,
                    Ok(None) => Ended::Skipped,
                    Err(reason) => Ended::NotStarted(reason),
                };
                answering.abort();
                let _ = answering.await;
                ended
            }
        };
        if let Some(context) = server.take() {
            self.conclude(context, ended);
        }
        self.changed();
    }

    async fn run_program(
        &self,
        unit: &str,
        path: &Path,
        charm: &Path,
        vars: std::collections::BTreeMap<String, std::ffi::OsString>,
    ) -> Ended {
        let mut command = Command::new(path);
        command
            .current_dir(charm)
            .env_clear()
            .envs(vars)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let mut child = match start(&mut command).await {
            Ok(child) => child,
            Err(error) => return Ended::NotStarted(format!("fork/exec {}: {error}", path.display())),
        };
        let out = child.stdout.take().map(collect);
        let err = child.stderr.take().map(collect);
        if let Some(running) = self.state().running.get_mut(unit) {
            running.pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        }
        let status = child.wait().await;
        if let Some(running) = self.state().running.get_mut(unit) {
            running.pid = None;
        }
        let (stdout, stderr) = (settle(out).await, settle(err).await);
        match status {
            Ok(status) => Ended::Exited { status, stdout, stderr },
            Err(error) => Ended::NotStarted(error.to_string()),
        }
    }

    /// Marks a unit as running an event.
    pub(super) fn mark(&self, unit: &str, event: &Event) {
        let running = Running { event: event.name(), action: event.is_action(), ..Running::default() };
        self.state().running.insert(unit.to_owned(), running);
    }
}

// What Juju itself says in the unit's status.
fn begin_status(model: &mut crate::model::Model, unit: &str, event: &Event, now: SystemTime) {
    let text = match event {
        Event::Install => "installing charm software",
        Event::Stop => "stopping charm software",
        Event::Remove => "cleaning up prior to charm deletion",
        Event::Action { task, .. } => {
            if let Ok(task) = model.task_mut(*task) {
                (task.status, task.started) = (TaskStatus::Running, Some(now));
            }
            return;
        }
        _ => return,
    };
    if let Ok(unit) = model.unit_mut(unit) {
        unit.status = Status::new("maintenance", text, now);
    }
}

fn listen(socket: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(socket)?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o700))?;
    Ok(listener)
}

// `dispatch`, or without one the hook's or action's own file; none if there is nothing to run.
fn program(charm: &Path, event: &Event) -> Result<Option<PathBuf>, String> {
    if !charm.join("metadata.yaml").is_file() {
        return Err("charm missing from disk".into());
    }
    let folder = if event.is_action() { "actions" } else { "hooks" };
    for path in [charm.join("dispatch"), charm.join(folder).join(event.name())] {
        match path.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("{}: {error}", path.display())),
            Ok(meta) if meta.is_file() && meta.permissions().mode() & 0o111 != 0 => return Ok(Some(path)),
            Ok(_) => return Err(format!("exec: \"{}\": permission denied", path.display())),
        }
    }
    Ok(None)
}

// Another thread that forks while the program is being copied holds it open for writing until it execs.
async fn start(command: &mut Command) -> io::Result<Child> {
    for _ in 1..BUSY_ATTEMPTS {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            outcome => return outcome,
        }
    }
    command.spawn()
}

type Collected = (Arc<Mutex<Vec<u8>>>, tokio::task::JoinHandle<()>);

fn collect(mut pipe: impl AsyncRead + Unpin + Send + 'static) -> Collected {
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let target = Arc::clone(&bytes);
    let reading = tokio::spawn(async move {
        let mut chunk = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = pipe.read(&mut chunk).await {
            target.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&chunk[..count]);
        }
    });
    (bytes, reading)
}

async fn settle(collected: Option<Collected>) -> Vec<u8> {
    let Some((bytes, mut reading)) = collected else { return Vec::new() };
    if tokio::time::timeout(PIPE_PATIENCE, &mut reading).await.is_err() {
        reading.abort();
    }
    std::mem::take(&mut *bytes.lock().unwrap_or_else(PoisonError::into_inner))
}
