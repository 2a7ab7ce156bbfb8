//! Checks: which run, how often they failed, and the changes that stand for them.
//!
//! It is given the plan after every layer and the results of the runs; it starts, stops and counts. A check that runs is an
//! unfinished `perform-check` change; one that is down is a `recover-check` change.

pub mod api;
mod probe;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::Instant,
};

use super::{
    changes::New,
    daemon::Daemon,
    lock,
    plan::{Check, Sections},
    services::Services,
};

type Result = std::result::Result<(), String>;

/// A loop that runs a check, and the change that stands for it.
struct Runner {
    task: JoinHandle<()>,
    refresh: mpsc::UnboundedSender<oneshot::Sender<Result>>,
    change: u64,
    step: u64,
    down: bool,
}

struct Record {
    /// The configuration it runs with (or would show while it does not).
    config: Check,
    successes: u64,
    failures: u64,
    previous: Option<u64>,
    runner: Option<Runner>,
}

/// All checks of the plan.
#[derive(Default)]
pub struct Checks {
    records: Mutex<BTreeMap<String, Record>>,
}

impl Record {
    fn idle(config: Check) -> Self {
        Self { config, successes: 0, failures: 0, previous: None, runner: None }
    }

    fn json(&self, name: &str) -> Value {
        let mut item = json!({"name": name});
        if !self.config.level.is_empty() {
            item["level"] = self.config.level.clone().into();
        }
        item["startup"] = if self.config.enabled() { "enabled" } else { "disabled" }.into();
        item["status"] = match &self.runner {
            None => "inactive",
            Some(runner) if runner.down => "down",
            Some(_) => "up",
        }
        .into();
        item["successes"] = self.successes.into();
        if self.failures > 0 {
            item["failures"] = self.failures.into();
        }
        item["threshold"] = self.config.threshold().into();
        if let Some(runner) = &self.runner {
            item["change-id"] = runner.change.to_string().into();
        }
        if let Some(previous) = self.previous {
            item["prev-change-id"] = previous.to_string().into();
        }
        item
    }
}

/// The configuration of a check with what its service context lends it.
fn with_context(check: &Check, plan: &Sections) -> Check {
    let mut check = check.clone();
    if let Some(exec) = &mut check.exec
        && let Some(service) = plan.services.get(&exec.service_context)
    {
        let own = std::mem::replace(&mut exec.context, service.context.clone());
        exec.context.merge(&own);
    }
    check
}

fn change_for(daemon: &Daemon, name: &str, config: &Check, kind: &str, verb: &str) -> (u64, u64) {
    let summary = format!("{verb} {} check {name:?}", config.type_name());
    let tasks = vec![(kind.to_owned(), summary.clone())];
    let (change, steps) =
        daemon.changes.create(New { kind: kind.into(), summary, services: Vec::new(), tasks });
    let step = steps.first().copied().unwrap_or_default();
    daemon.changes.begin(step);
    (change, step)
}

/// Starts a check from nothing; `records` is held by the caller.
fn start(daemon: &Arc<Daemon>, records: &mut BTreeMap<String, Record>, name: &str, config: Check) {
    let (change, step) = change_for(daemon, name, &config, "perform-check", "Perform");
    let (refresh, refreshes) = mpsc::unbounded_channel();
    let task = tokio::spawn(keep_running(Arc::clone(daemon), name.to_owned(), config.clone(), refreshes));
    let runner = Some(Runner { task, refresh, change, step, down: false });
    records.insert(name.to_owned(), Record { runner, ..Record::idle(config) });
}

fn stop(daemon: &Daemon, record: &mut Record) -> bool {
    let Some(runner) = record.runner.take() else { return false };
    runner.task.abort();
    daemon.changes.finish(runner.step, &Ok(()));
    true
}

/// Runs a check once a period, and whenever it is asked to; the first run is one period away.
async fn keep_running(
    daemon: Arc<Daemon>,
    name: String,
    config: Check,
    mut refreshes: mpsc::UnboundedReceiver<oneshot::Sender<Result>>,
) {
    let period = config.period().to_std();
    let mut next = Instant::now() + period;
    loop {
        let waiting = tokio::select! {
            () = tokio::time::sleep_until(next) => None,
            asked = refreshes.recv() => match asked {
                Some(asked) => Some(asked),
                None => return,
            },
        };
        let begun = Instant::now();
        let result = probe::run(&daemon, &config).await;
        next = if waiting.is_some() { Instant::now() + period } else { (next + period).max(begun) };
        count(&daemon, &name, &result);
        if let Some(waiting) = waiting {
            let _ = waiting.send(result);
        }
    }
}

/// Counts the result of a run and turns the check up or down.
fn count(daemon: &Arc<Daemon>, name: &str, result: &Result) {
    let mut failed = false;
    {
        let mut records = lock(&daemon.checks.records);
        let Some(record) = records.get_mut(name) else { return };
        let Some(runner) = record.runner.as_mut() else { return };
        match result {
            Ok(()) => {
                record.failures = 0;
                record.successes += 1;
                if runner.down {
                    daemon.changes.finish(runner.step, &Ok(()));
                    record.previous = Some(runner.change);
                    record.successes = 1;
                    runner.down = false;
                    (runner.change, runner.step) =
                        change_for(daemon, name, &record.config, "perform-check", "Perform");
                }
            }
            Err(error) => {
                record.failures += 1;
                daemon.changes.log(runner.step, "ERROR", error);
                if !runner.down
                    && i64::try_from(record.failures).unwrap_or(i64::MAX) >= record.config.threshold()
                {
                    daemon.changes.fail(runner.step);
                    record.previous = Some(runner.change);
                    runner.down = true;
                    failed = true;
                    (runner.change, runner.step) =
                        change_for(daemon, name, &record.config, "recover-check", "Recover");
                }
            }
        }
    }
    if failed {
        Services::check_failed(daemon, name);
    }
}

impl Checks {
    /// Follows a changed plan: new checks start, changed ones start anew, stopped ones that are enabled start again.
    pub fn plan_changed(daemon: &Arc<Daemon>) {
        let plan = lock(&daemon.plan).sections().clone();
        let mut records = lock(&daemon.checks.records);
        for (name, check) in &plan.checks {
            let new = with_context(check, &plan);
            let begin = match records.get_mut(name) {
                None => new.enabled(),
                Some(record) if record.runner.is_none() => {
                    record.config = new.clone();
                    new.enabled()
                }
                Some(record) if record.config == new => continue,
                // Pebble lets a check that was disabled meanwhile run on as it was.
                Some(record) if record.config.enabled() && !new.enabled() => continue,
                Some(record) => stop(daemon, record),
            };
            if begin {
                start(daemon, &mut records, name, new);
            } else {
                records.entry(name.clone()).or_insert_with(|| Record::idle(new));
            }
        }
    }

    /// Starts the enabled checks that are stopped, as a replan does. Pebble forgets the service context here.
    pub fn start_enabled(daemon: &Arc<Daemon>) {
        let plan = lock(&daemon.plan).sections().checks.clone();
        let mut records = lock(&daemon.checks.records);
        for (name, check) in plan.into_iter().filter(|(_, check)| check.enabled()) {
            if records.get(&name).is_none_or(|record| record.runner.is_none()) {
                start(daemon, &mut records, &name, check);
            }
        }
    }

    /// Stops all runs, when the daemon ends.
    pub fn stop_all(&self) {
        for record in lock(&self.records).values_mut() {
            if let Some(runner) = record.runner.take() {
                runner.task.abort();
            }
        }
    }
}
