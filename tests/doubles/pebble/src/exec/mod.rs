//! Exec: one-off commands whose streams go over websockets.
//!
//! It is given the body of `POST /v1/exec` and gives a change; the process starts when its websockets are there. Request
//! checks and defaults stand here, the connections in [`socket`], the run itself in [`run`].

mod run;
mod socket;

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::extract::ws::WebSocket;
use serde_json::json;
use tokio::sync::watch;

pub use socket::connect;

use super::{
    body::Fields,
    changes::New,
    daemon::Daemon,
    duration::GoDuration,
    lock,
    plan::Context,
    process,
    respond::{Answer, accepted, bad, internal},
    users,
};

/// One of the websockets of an exec.
enum Slot {
    /// This exec does not have it.
    Unused,
    /// Not connected yet.
    Free,
    /// A handshake is under way or done, and perhaps the exec has taken it.
    Taken(Option<Box<WebSocket>>),
}

/// An exec that waits for its websockets or runs.
pub(super) struct Handle {
    slots: Mutex<HashMap<&'static str, Slot>>,
    connected: watch::Sender<u64>,
}

/// All execs that are not finished, by task.
#[derive(Default)]
pub struct Execs {
    handles: Mutex<HashMap<u64, Arc<Handle>>>,
}

/// A command with everything around it settled.
struct Job {
    task: u64,
    change: u64,
    words: Vec<String>,
    environment: BTreeMap<String, String>,
    directory: String,
    identity: Option<users::Identity>,
    timeout: Option<GoDuration>,
    split_stderr: bool,
}

impl Execs {
    fn handle(&self, task: u64) -> Option<Arc<Handle>> {
        lock(&self.handles).get(&task).cloned()
    }

    /// Waits until every exec has finished, but not longer than `limit`.
    pub async fn drained(&self, limit: Duration) {
        let end = tokio::time::Instant::now() + limit;
        while !lock(&self.handles).is_empty() && tokio::time::Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// `POST /v1/exec`.
///
/// # Errors
/// 400 for what is wrong with the request, 500 for a working directory that cannot be used and for terminals, which this
/// double does not have.
pub fn post(daemon: &Arc<Daemon>, body: &[u8]) -> Answer {
    let fields = Fields::read(body, "cannot decode request body", "execPayload")?;
    let words = fields.list("command")?;
    let name = words.first().ok_or_else(|| bad("must specify command"))?;
    let environment = fields.map("environment")?;
    let timeout = fields.duration("timeout", "timeout")?.filter(|timeout| timeout.0 != 0);
    if process::find(name, daemon.search_path()).is_none() {
        return Err(bad(format!("cannot find executable {name:?}")));
    }
    let mut context = service_context(daemon, &fields.text("service-context")?)?;
    context.merge(&Context {
        environment: Some(environment),
        user_id: fields.number("user-id")?,
        user: fields.text("user")?,
        group_id: fields.number("group-id")?,
        group: fields.text("group")?,
        working_dir: fields.text("working-dir")?,
    });
    let identity = users::resolve(&context.wanted()).map_err(bad)?;
    let (terminal, interactive) = (fields.flag("terminal")?, fields.flag("interactive")?);
    let (environment, home) = environment_of(daemon, &context, identity.as_ref());
    if interactive && !terminal {
        return Err(internal("cannot call exec: cannot use interactive mode without a terminal"));
    }
    if terminal {
        return Err(internal("cannot call exec: this double of Pebble has no terminals"));
    }
    let directory = if context.working_dir.is_empty() { home } else { context.working_dir.clone() };
    let what = if context.working_dir.is_empty() { "home" } else { "working" };
    match Path::new(&directory).metadata() {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => {
            return Err(internal(format!(
                "cannot call exec: {what} directory {directory:?} not a directory"
            )));
        }
        Err(_) => {
            return Err(internal(format!("cannot call exec: {what} directory {directory:?} does not exist")));
        }
    }
    let summary = format!("Execute command {name:?}");
    let tasks = vec![("exec".to_owned(), summary.clone())];
    let split_stderr = fields.flag("split-stderr")?;
    let (change, ids) =
        daemon.changes.create(New { kind: "exec".into(), summary, services: Vec::new(), tasks });
    let task = ids.first().copied().unwrap_or_default();
    let handle = Arc::new(Handle {
        slots: Mutex::new(HashMap::from([
            ("control", Slot::Free),
            ("stdio", Slot::Free),
            ("stderr", if split_stderr { Slot::Free } else { Slot::Unused }),
        ])),
        connected: watch::Sender::new(0),
    });
    lock(&daemon.execs.handles).insert(task, Arc::clone(&handle));
    let result = json!({"environment": environment, "task-id": task.to_string(), "working-dir": directory});
    let job = Job { task, change, words, environment, directory, identity, timeout, split_stderr };
    let daemon = Arc::clone(daemon);
    tokio::spawn(async move {
        run::run(&daemon, &job, &handle).await;
        lock(&daemon.execs.handles).remove(&job.task);
    });
    accepted(change, result)
}

fn service_context(daemon: &Daemon, name: &str) -> Result<Context, super::respond::Failure> {
    if name.is_empty() {
        return Ok(Context::default());
    }
    let plan = lock(&daemon.plan);
    let service = plan.sections().services.get(name);
    service
        .map(|service| service.context.clone())
        .ok_or_else(|| bad(format!("context service {name:?} not found")))
}

/// The whole environment of a command, and the home directory that it starts in when no other was named.
pub(super) fn environment_of(
    daemon: &Daemon,
    context: &Context,
    identity: Option<&users::Identity>,
) -> (BTreeMap<String, String>, String) {
    let mut environment = daemon.environment.clone();
    let known = match identity {
        Some(identity) => {
            environment.remove("HOME");
            environment.remove("USER");
            identity.known.clone()
        }
        None => users::own(),
    };
    environment.extend(context.environment.clone().unwrap_or_default());
    let mut default = |name: &str, value: &str| {
        environment.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    };
    default("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    default("LANG", "C.UTF-8");
    if let Some((name, home)) = known {
        default("HOME", &home);
        default("USER", &name);
    }
    let home =
        environment.get("HOME").filter(|home| !home.is_empty()).cloned().unwrap_or_else(|| "/".to_owned());
    (environment, home)
}
