//! The actions on services: which tasks a start, stop, restart, replan or autostart is made of, and their order.
//!
//! It is given the body of a request and the plan; it makes a change and works it off: all stops first, then the starts,
//! lane beside lane.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::Value;

use super::{TaskResult, start, stop};
use crate::{
    body::Fields,
    changes::New,
    checks::Checks,
    daemon::Daemon,
    lock,
    plan::order,
    respond::{Answer, Failure, accepted, bad},
};

type Lanes = Vec<Vec<String>>;

/// `POST /v1/services`.
///
/// # Errors
/// 400 for a bad action or bad names.
pub fn post(daemon: &Arc<Daemon>, body: &[u8]) -> Answer {
    let fields = Fields::read(body, "cannot decode data from request body", "")?;
    let (action, mut names) = (fields.text("action")?, fields.list("services")?);
    let services = lock(&daemon.plan).sections().services.clone();
    match action.as_str() {
        "replan" | "autostart" => {
            if !names.is_empty() {
                return Err(bad(format!("{action} accepts no service names")));
            }
        }
        "start" | "stop" | "restart" => {
            if names.is_empty() {
                return Err(bad(format!("must specify services for {action} action")));
            }
        }
        other => return Err(bad(format!("invalid action {other:?}"))),
    }
    if action == "autostart" {
        names = services.iter().filter(|(_, s)| s.enabled()).map(|(n, _)| n.clone()).collect();
        if names.is_empty() {
            return Err(bad("no default services").kind("no-default-services"));
        }
    }
    if let Some(unknown) = names.iter().find(|name| !services.contains_key(*name)) {
        return Err(bad(format!("cannot {action} services: service {unknown:?} does not exist")));
    }
    let failed = |error: String| Failure::new(400, format!("cannot {action} services: {error}"));
    let (stops, starts): (Lanes, Lanes) = match action.as_str() {
        "stop" => (order::stop(&services, &names).map_err(failed)?, Vec::new()),
        "restart" => (
            order::only(&services, &names).map_err(failed)?,
            order::start(&services, &names).map_err(failed)?,
        ),
        "replan" => {
            let changed = daemon.services.changed(&services);
            let enabled = services.iter().filter(|(_, s)| s.enabled()).map(|(n, _)| n.clone());
            let wanted: BTreeSet<String> = changed.iter().cloned().chain(enabled).collect();
            let wanted: Vec<String> = wanted.into_iter().collect();
            (
                order::stop(&services, &changed).map_err(failed)?,
                order::start(&services, &wanted).map_err(failed)?,
            )
        }
        _ => (Vec::new(), order::start(&services, &names).map_err(failed)?),
    };
    let all: BTreeSet<&String> = stops.iter().chain(&starts).flatten().collect();
    if action == "replan" {
        names = all.iter().map(|name| (*name).clone()).collect();
        Checks::start_enabled(daemon);
    }
    let summary = summary(&action, &names, all.len());
    let change =
        run(daemon, New { kind: action, summary, services: names, tasks: Vec::new() }, stops, starts);
    accepted(change, Value::Null)
}

fn summary(action: &str, names: &[String], count: usize) -> String {
    let mut verb = action.to_owned();
    if let Some(first) = verb.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    match (names.first(), count) {
        (None, _) => format!("{verb} - no services"),
        (Some(name), 0 | 1) => format!("{verb} service {name:?}"),
        (Some(name), count) => format!("{verb} service {name:?} and {} more", count - 1),
    }
}

/// Starts everything that is enabled, as the daemon does when it begins without `--hold`.
pub fn autostart(daemon: &Arc<Daemon>) {
    if let Err(failure) = post(daemon, br#"{"action":"autostart"}"#)
        && failure.kind.is_none()
    {
        tracing::error!("cannot start the default services: {failure}");
    }
}

/// Stops everything that runs; gives the change to wait for, if there is anything to stop.
pub fn stop_all(daemon: &Arc<Daemon>) -> Option<u64> {
    let running = daemon.services.running();
    if running.is_empty() {
        return None;
    }
    let lanes = order::only(&lock(&daemon.plan).sections().services, &running).ok()?;
    let summary = "Stop all running services".to_owned();
    Some(run(
        daemon,
        New { kind: "stop".into(), summary, services: running, tasks: Vec::new() },
        lanes,
        Vec::new(),
    ))
}

/// Makes the change and works it off in the background.
fn run(daemon: &Arc<Daemon>, mut new: New, stops: Lanes, starts: Lanes) -> u64 {
    let task = |verb: &str, name: &String| (verb.to_lowercase(), format!("{verb} service {name:?}"));
    new.tasks = stops.iter().flatten().map(|name| task("Stop", name)).collect();
    new.tasks.extend(starts.iter().flatten().map(|name| task("Start", name)));
    let (change, ids) = daemon.changes.create(new);
    let mut ids = ids.into_iter();
    let mut with_ids = |lanes: Lanes| -> Vec<Vec<(u64, String)>> {
        lanes.into_iter().map(|lane| ids.by_ref().take(lane.len()).zip(lane).collect()).collect()
    };
    let (stops, starts) = (with_ids(stops), with_ids(starts));
    let daemon = Arc::clone(daemon);
    tokio::spawn(async move {
        let stopped = lanes(&daemon, change, stops, false).await;
        if stopped {
            lanes(&daemon, change, starts, true).await;
        } else {
            starts.iter().flatten().for_each(|(task, _)| daemon.changes.hold(*task));
        }
    });
    change
}

/// Works off lanes beside each other; false when one failed.
async fn lanes(daemon: &Arc<Daemon>, change: u64, lanes: Vec<Vec<(u64, String)>>, starting: bool) -> bool {
    let running = lanes.into_iter().map(|tasks| lane(daemon, change, tasks, starting));
    futures_util::future::join_all(running).await.into_iter().all(|good| good)
}

/// Works off one lane in order; after a failure the rest is put on hold.
async fn lane(daemon: &Arc<Daemon>, change: u64, tasks: Vec<(u64, String)>, starting: bool) -> bool {
    let mut good = true;
    for (task, name) in tasks {
        if !good {
            daemon.changes.hold(task);
            continue;
        }
        // Asked for before the task begins, so that an abort right after is not missed.
        let aborted = daemon.changes.aborted(change);
        if !daemon.changes.begin(task) {
            good = false;
            continue;
        }
        let told: TaskResult =
            if starting { start(daemon, task, &name, aborted).await } else { stop(daemon, &name).await };
        let result = told.map(|line| {
            if let Some(line) = line {
                daemon.changes.log(task, "INFO", &line);
            }
        });
        good = result.is_ok();
        daemon.changes.finish(task, &result);
    }
    good
}
