//! Services: what each one is doing, and the life of its process from start over backoff to stop.
//!
//! It is given the plan's configuration and the tasks of changes; it runs the processes, restarts them and tells what state
//! they are in. One lock guards all states; every process has a generation, so that late news of an earlier one is ignored.

pub mod actions;
mod supervise;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};

use super::{
    clock::Stamp,
    daemon::Daemon,
    duration::GoDuration,
    lock,
    plan::Service,
    process::{self, signal_group},
};
use nix::sys::signal::Signal;

/// What a service is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Initial,
    Starting,
    Running,
    Terminating,
    Killing,
    Stopped,
    Backoff,
    Exited,
}

/// How an attempt to start ended early.
enum Early {
    /// The process exited with a code, and this action follows.
    Exited(i32, String),
    /// It was stopped meanwhile.
    Stopped,
}

struct Record {
    state: State,
    /// When the shown state last changed; none before the first attempt to start.
    since: Option<Stamp>,
    /// The configuration of the last start.
    config: Service,
    generation: u64,
    pid: Option<u32>,
    exit_code: i32,
    backoff: Option<GoDuration>,
    /// Stopped because of a failed check: to be started again.
    restarting: bool,
    starter: Option<oneshot::Sender<Early>>,
    stopper: Option<oneshot::Sender<()>>,
    running_since: Option<Stamp>,
}

impl Record {
    fn shown(&self) -> &'static str {
        match self.state {
            State::Starting | State::Running => "active",
            State::Backoff => "backoff",
            State::Exited if self.exit_code != 0 => "error",
            _ => "inactive",
        }
    }

    fn become_(&mut self, state: State) {
        let before = self.shown();
        self.state = state;
        if self.since.is_none() || before != self.shown() {
            self.since = Some(Stamp::now());
        }
    }
}

/// All services that were ever asked to start.
#[derive(Default)]
pub struct Services {
    records: Mutex<BTreeMap<String, Record>>,
}

/// A line for the task's log, or the reason of its failure.
pub type TaskResult = Result<Option<String>, String>;

impl Services {
    /// The JSON of `GET /v1/services`, sorted by name; `names` empty is all of them.
    #[must_use]
    pub fn json(&self, plan: &BTreeMap<String, Service>, names: &[String]) -> Value {
        let records = lock(&self.records);
        plan.iter()
            .filter(|(name, _)| names.is_empty() || names.contains(name))
            .map(|(name, config)| {
                let record = records.get(name);
                let startup = if config.enabled() { "enabled" } else { "disabled" };
                let current = record.map_or("inactive", Record::shown);
                let mut item = json!({"name": name, "startup": startup, "current": current});
                if let Some(since) = record.and_then(|record| record.since) {
                    item["current-since"] = since.to_string().into();
                }
                item
            })
            .collect()
    }

    /// The services that run (or are about to run again), for the stop of everything.
    #[must_use]
    pub fn running(&self) -> Vec<String> {
        let alive = [State::Starting, State::Running, State::Backoff, State::Terminating, State::Killing];
        lock(&self.records).iter().filter(|(_, r)| alive.contains(&r.state)).map(|(n, _)| n.clone()).collect()
    }

    /// The services whose configuration is not the one that they were last started with.
    #[must_use]
    pub fn changed(&self, plan: &BTreeMap<String, Service>) -> Vec<String> {
        let records = lock(&self.records);
        let started = records.iter().filter(|(_, record)| record.state != State::Initial);
        started
            .filter(|(name, record)| plan.get(*name).is_some_and(|config| *config != record.config))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Sends a signal to the main process of a service.
    ///
    /// # Errors
    /// When it does not run or there is no such signal.
    pub fn signal(&self, name: &str, signal: &str) -> Result<(), String> {
        let records = lock(&self.records);
        let alive = [State::Starting, State::Running, State::Terminating, State::Killing];
        let pid =
            records.get(name).filter(|record| alive.contains(&record.state)).and_then(|record| record.pid);
        let Some(pid) = pid else {
            return Err(format!("cannot send signal to {name:?}: service is not running"));
        };
        let Some(signal) = process::signal_named(signal) else {
            return Err(format!("cannot send signal to {name:?}: invalid signal name {signal:?}"));
        };
        process::signal_process(pid, signal);
        Ok(())
    }

    /// The services that a failed check concerns: `restart` stops and starts them, the other actions end the daemon.
    pub fn check_failed(daemon: &Arc<Daemon>, check: &str) {
        let mut to_start = Vec::new();
        let mut records = lock(&daemon.services.records);
        for (name, record) in records.iter_mut() {
            let action = record.config.on_check_failure.as_ref().and_then(|map| map.get(check)).cloned();
            match (action.as_deref(), record.state) {
                (None | Some("ignore"), _) => {}
                (Some("restart"), State::Running) => {
                    record.restarting = true;
                    record.become_(State::Terminating);
                    if let Some(pid) = record.pid {
                        signal_group(pid, Signal::SIGTERM);
                    }
                    to_start.push((name.clone(), record.generation));
                }
                (Some("restart"), State::Exited) => {
                    let delay = record.next_backoff();
                    record.become_(State::Backoff);
                    supervise::start_later(daemon, name, record.generation, delay);
                }
                (Some("success-shutdown"), State::Running | State::Backoff | State::Exited) => {
                    daemon.request_stop(0);
                }
                (Some("shutdown" | "failure-shutdown"), State::Running | State::Backoff | State::Exited) => {
                    daemon.request_stop(11);
                }
                _ => {}
            }
        }
        drop(records);
        for (name, generation) in to_start {
            supervise::kill_later(daemon, &name, generation);
        }
    }
}

/// Performs a start task: a service that runs already is left alone, others are spawned and watched for a second.
pub async fn start(
    daemon: &Arc<Daemon>,
    task: u64,
    name: &str,
    mut aborted: watch::Receiver<bool>,
) -> TaskResult {
    let (generation, early) = {
        let config = lock(&daemon.plan).sections().services.get(name).cloned();
        let config = config.ok_or_else(|| format!("cannot find service {name:?} in plan"))?;
        let mut records = lock(&daemon.services.records);
        let record = records.entry(name.to_owned()).or_insert_with(|| Record {
            state: State::Initial,
            since: None,
            config: config.clone(),
            generation: 0,
            pid: None,
            exit_code: 0,
            backoff: None,
            restarting: false,
            starter: None,
            stopper: None,
            running_since: None,
        });
        match record.state {
            State::Starting | State::Running => {
                return Ok(Some(format!("Service {name:?} already started.")));
            }
            State::Terminating | State::Killing => {
                return Err("cannot start service while terminating".into());
            }
            State::Initial | State::Stopped | State::Backoff | State::Exited => {}
        }
        record.config = config;
        record.backoff = None;
        supervise::spawn(daemon, name, record).inspect_err(|_| record.become_(State::Stopped))?;
        record.become_(State::Starting);
        let (sender, early) = oneshot::channel();
        record.starter = Some(sender);
        (record.generation, early)
    };
    let okay = tokio::time::sleep(std::time::Duration::from_secs(1));
    tokio::select! {
        early = early => {
            let message = match early {
                Ok(Early::Exited(code, action)) => format!("exited quickly with code {code}, will {action}"),
                Ok(Early::Stopped) | Err(_) => "stopped before the 1s okay delay".to_owned(),
            };
            let output = daemon.logs.tail(name);
            daemon.changes.log(task, "INFO", &format!("Most recent service output:\n{output}"));
            Err(format!("service start attempt: {message}"))
        }
        () = okay => {
            let mut records = lock(&daemon.services.records);
            if let Some(record) = records.get_mut(name).filter(|record| record.generation == generation) {
                record.starter = None;
                if record.state == State::Starting {
                    record.become_(State::Running);
                }
            }
            Ok(None)
        }
        _ = aborted.wait_for(|aborted| *aborted) => {
            let mut records = lock(&daemon.services.records);
            if let Some(record) = records.get_mut(name).filter(|record| record.generation == generation) {
                if let Some(pid) = record.pid {
                    signal_group(pid, Signal::SIGKILL);
                }
                record.starter = None;
                record.become_(State::Stopped);
            }
            Err("start aborted, sent SIGKILL to process".into())
        }
    }
}

/// Performs a stop task: SIGTERM to the group, SIGKILL after the kill delay, given up five seconds later.
pub async fn stop(daemon: &Arc<Daemon>, name: &str) -> TaskResult {
    let (pid, kill_delay, mut stopped) = {
        let mut records = lock(&daemon.services.records);
        let Some(record) = records.get_mut(name) else {
            return Ok(Some(format!("Service {name:?} has never been started.")));
        };
        match record.state {
            State::Initial => return Ok(Some(format!("Service {name:?} has never been started."))),
            State::Stopped => return Ok(Some(format!("Service {name:?} already stopped."))),
            State::Exited => {
                record.become_(State::Stopped);
                return Ok(Some(format!("Service {name:?} had already exited.")));
            }
            State::Backoff => {
                record.become_(State::Stopped);
                return Ok(None);
            }
            State::Terminating | State::Killing => {
                record.restarting = false;
                return Ok(Some(format!("Service {name:?} already stopping.")));
            }
            State::Starting | State::Running => {}
        }
        record.become_(State::Terminating);
        let (sender, stopped) = oneshot::channel();
        record.stopper = Some(sender);
        if let Some(pid) = record.pid {
            signal_group(pid, Signal::SIGTERM);
        }
        (record.pid, record.config.kill_delay(), stopped)
    };
    if tokio::time::timeout(kill_delay.to_std(), &mut stopped).await.is_ok() {
        return Ok(None);
    }
    if let Some(record) = lock(&daemon.services.records).get_mut(name).filter(|record| record.pid == pid) {
        record.become_(State::Killing);
    }
    if let Some(pid) = pid {
        signal_group(pid, Signal::SIGKILL);
    }
    match tokio::time::timeout(std::time::Duration::from_secs(5), stopped).await {
        Ok(_) => Ok(None),
        Err(_) => Err("process still running after SIGTERM and SIGKILL".into()),
    }
}
