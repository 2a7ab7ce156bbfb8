//! The daemon: its directory, its socket, its beginning and its end.
//!
//! It is given options and serves until a signal or a service asks it to stop; then everything that it started is ended and
//! the socket removed.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::connect_info::Connected, serve::IncomingStream};
use nix::sys::signal::Signal;
use tokio::{
    net::UnixListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use super::{
    changes::Changes,
    checks::Checks,
    exec::Execs,
    lock,
    logs::Logs,
    notices::Notices,
    plan::{Context, Plan},
    process::{group_lives, signal_group},
    routes,
    services::{self, Services},
    users::Identity,
};

/// Why the daemon could not begin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `PEBBLE` is not set.
    #[error("PEBBLE is not set: it must name the directory of the daemon")]
    NoDirectory,
    /// The directory is missing.
    #[error("directory {0:?} does not exist (--create-dirs makes it)")]
    Missing(PathBuf),
    /// A layer or the state cannot be read.
    #[error("{0}")]
    Content(String),
    /// Another daemon listens.
    #[error("socket {0:?} is in use by another daemon")]
    InUse(PathBuf),
    /// The system refused.
    #[error("cannot {0}: {1}")]
    System(String, std::io::Error),
}

impl Error {
    /// A stable word for the kind of error.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NoDirectory => "no-directory",
            Self::Missing(_) => "missing",
            Self::Content(_) => "content",
            Self::InUse(_) => "in-use",
            Self::System(..) => "system",
        }
    }
}

fn system(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Error {
    |error| Error::System(what.into(), error)
}

/// What the daemon is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory `$PEBBLE`.
    pub directory: PathBuf,
    /// The socket: `$PEBBLE_SOCKET`, or `.pebble.socket` in the directory.
    pub socket: PathBuf,
    /// Make the directory if it is missing.
    pub create_dirs: bool,
    /// Do not start the services that are enabled.
    pub hold: bool,
}

impl Options {
    /// Reads `PEBBLE` and `PEBBLE_SOCKET`.
    ///
    /// # Errors
    /// When `PEBBLE` is not set.
    pub fn from_environment(create_dirs: bool, hold: bool) -> Result<Self, Error> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let directory = set("PEBBLE").ok_or(Error::NoDirectory)?;
        let socket = set("PEBBLE_SOCKET").unwrap_or_else(|| directory.join(".pebble.socket"));
        Ok(Self { directory, socket, create_dirs, hold })
    }
}

/// Everything that the handlers share.
pub struct Daemon {
    /// The daemon's own environment, which every child gets.
    pub environment: BTreeMap<String, String>,
    /// The boot id of the machine.
    pub boot_id: String,
    /// The layers.
    pub plan: Mutex<Plan>,
    /// The changes.
    pub changes: Changes,
    /// The services.
    pub services: Services,
    /// Their output.
    pub logs: Logs,
    /// The execs.
    pub execs: Execs,
    /// The checks.
    pub checks: Checks,
    /// The notices.
    pub notices: Notices,
    groups: Mutex<BTreeSet<u32>>,
    stop: watch::Sender<Option<u8>>,
    kill: watch::Sender<bool>,
}

impl Daemon {
    /// Where programs are looked up.
    #[must_use]
    pub fn search_path(&self) -> &str {
        self.environment.get("PATH").map_or("", String::as_str)
    }

    /// The environment of a service's or check's command: the daemon's own, `HOME` and `USER` of another user, and what
    /// its configuration sets.
    #[must_use]
    pub fn environment_for(
        &self,
        context: &Context,
        identity: Option<&Identity>,
    ) -> BTreeMap<String, String> {
        let mut environment = self.environment.clone();
        if let Some((user, home)) = identity.and_then(|identity| identity.known.clone()) {
            environment.extend([("HOME".to_owned(), home), ("USER".to_owned(), user)]);
        }
        environment.extend(context.environment.clone().unwrap_or_default());
        environment
    }

    /// Asks the daemon to end with an exit code; the first one counts.
    pub fn request_stop(&self, code: u8) {
        self.stop.send_if_modified(|stop| {
            let first = stop.is_none();
            stop.get_or_insert(code);
            first
        });
    }

    /// Becomes true when commands shall be killed because the daemon ends.
    #[must_use]
    pub fn killing(&self) -> watch::Receiver<bool> {
        self.kill.subscribe()
    }

    /// Keeps a process group in mind, so that nothing of it is left when the daemon ends.
    pub fn remember_group(&self, group: u32) {
        let mut groups = lock(&self.groups);
        groups.retain(|group| group_lives(*group));
        groups.insert(group);
    }
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The user id, if the system told it.
    pub uid: Option<u32>,
}

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self { uid: stream.io().peer_cred().ok().map(|peer| peer.uid()) }
    }
}

/// Runs the daemon until a signal or a service asks it to stop; gives the exit code.
///
/// # Errors
/// When it cannot begin.
pub fn run(options: &Options) -> Result<u8, Error> {
    let _ = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::WARN)
        .try_init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(system("make a runtime"))?;
    let code = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(system("catch SIGTERM"))?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(system("catch SIGINT"))?;
        let asked = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        serve(options, asked).await
    });
    // Connections that are left open on purpose must not hold the end up.
    runtime.shutdown_background();
    code
}

/// Serves inside this process until `asked` is ready or a service asks it to stop; gives the exit code.
///
/// # Errors
/// When it cannot begin.
pub async fn serve(options: &Options, asked: impl Future<Output = ()>) -> Result<u8, Error> {
    let directory = &options.directory;
    if options.create_dirs {
        std::fs::create_dir_all(directory.join("layers")).map_err(system(format!("make {directory:?}")))?;
    }
    if !directory.is_dir() {
        return Err(Error::Missing(directory.clone()));
    }
    let mut plan = Plan::default();
    plan.load(&directory.join("layers")).map_err(Error::Content)?;
    let text = |value: std::ffi::OsString| value.into_string().ok();
    let mut environment: BTreeMap<String, String> =
        std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?))).collect();
    environment.insert("PEBBLE".into(), directory.to_string_lossy().into_owned());
    let boot_id =
        std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned();
    let daemon = Arc::new(Daemon {
        environment,
        boot_id,
        plan: Mutex::new(plan),
        changes: Changes::open(directory.join(".pebble.state")).map_err(Error::Content)?,
        services: Services::default(),
        logs: Logs::default(),
        execs: Execs::default(),
        checks: Checks::default(),
        notices: Notices::default(),
        groups: Mutex::default(),
        stop: watch::Sender::new(None),
        kill: watch::Sender::new(false),
    });
    let listener = listen(&options.socket).await?;
    Checks::plan_changed(&daemon);
    if !options.hold {
        services::actions::autostart(&daemon);
    }
    let closing = watch::Sender::new(false);
    let mut closed = closing.subscribe();
    let app = Router::new().fallback(routes::dispatch).with_state(Arc::clone(&daemon));
    let server = axum::serve(listener, app.into_make_service_with_connect_info::<Peer>())
        .with_graceful_shutdown(async move {
            let _ = closed.wait_for(|closing| *closing).await;
        });
    let server = tokio::spawn(async move { server.await });
    let mut stop = daemon.stop.subscribe();
    tokio::select! {
        () = asked => daemon.request_stop(0),
        _ = stop.wait_for(Option::is_some) => {}
    }
    let code = daemon.stop.borrow().unwrap_or_default();
    let in_time = end(&daemon, &closing, server).await;
    let _ = std::fs::remove_file(&options.socket);
    Ok(if in_time || code != 0 { code } else { 1 })
}

/// Ends everything in Pebble's order: services, then (a second for requests that are open) the server, then commands.
/// False when requests were still open.
async fn end(
    daemon: &Arc<Daemon>,
    closing: &watch::Sender<bool>,
    server: tokio::task::JoinHandle<std::io::Result<()>>,
) -> bool {
    daemon.checks.stop_all();
    if let Some(change) = services::actions::stop_all(daemon) {
        daemon.changes.wait(change, Some(Duration::from_secs(30))).await;
    }
    closing.send_replace(true);
    let stop = server.abort_handle();
    let in_time = tokio::time::timeout(Duration::from_secs(1), server).await.is_ok();
    daemon.kill.send_replace(true);
    daemon.execs.drained(Duration::from_secs(1)).await;
    // A descendant that holds on to an output is ended with the daemon.
    for group in lock(&daemon.groups).iter() {
        signal_group(*group, Signal::SIGKILL);
    }
    daemon.execs.drained(Duration::from_secs(1)).await;
    stop.abort();
    in_time
}

/// Binds the socket, over one that nobody listens on any more.
async fn listen(path: &PathBuf) -> Result<UnixListener, Error> {
    if tokio::net::UnixStream::connect(path).await.is_ok() {
        return Err(Error::InUse(path.clone()));
    }
    let _ = std::fs::remove_file(path);
    let listener = UnixListener::bind(path).map_err(system(format!("bind {path:?}")))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))
        .map_err(system(format!("open {path:?} to everyone")))?;
    Ok(listener)
}
