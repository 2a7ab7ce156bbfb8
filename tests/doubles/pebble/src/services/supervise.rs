//! Watches the processes of services: spawns them, notices their end, and does what the end asks for.
//!
//! It is given a record of a service under the lock and keeps it true: exited, in backoff, started again, or the whole
//! daemon asked to stop.

use std::{process::Stdio, sync::Arc, time::Duration};

use nix::sys::signal::Signal;

use super::{Early, Record, State};
use crate::{
    clock::Stamp,
    daemon::Daemon,
    duration::GoDuration,
    lock,
    process::{self, Program, Streams, exit_code, signal_group},
    users, words,
};

impl Record {
    /// The next delay before a restart: the first, then the last one times the factor, at most the limit.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "Pebble computes so")]
    pub(super) fn next_backoff(&mut self) -> GoDuration {
        let first = self.config.backoff_delay.unwrap_or(GoDuration::milliseconds(500));
        let limit = self.config.backoff_limit.unwrap_or(GoDuration::milliseconds(30_000));
        let factor = self.config.backoff_factor.unwrap_or(2.0);
        let ran_long = self.running_since.is_some_and(|since| Stamp::now().0 - since.0 >= limit.0);
        let delay = match self.backoff {
            Some(last) if !ran_long => GoDuration((last.0 as f64 * factor) as i64).min(limit),
            _ => first,
        };
        self.backoff = Some(delay);
        delay
    }

    /// What an exit with this code asks for.
    fn action(&self, code: i32) -> String {
        let action = if code == 0 { &self.config.on_success } else { &self.config.on_failure };
        if action.is_empty() { "restart".to_owned() } else { action.clone() }
    }
}

/// Spawns the process of a record (which the caller holds under the lock) and watches it.
///
/// # Errors
/// Why it could not be started.
pub(super) fn spawn(daemon: &Arc<Daemon>, name: &str, record: &mut Record) -> Result<(), String> {
    let config = &record.config;
    let words = words::service_command(name, &config.command)?;
    let identity = users::resolve(&config.context.wanted())?;
    let environment = daemon.environment_for(&config.context, identity.as_ref());
    let program = Program {
        words: &words,
        environment: &environment,
        directory: &config.context.working_dir,
        identity: identity.as_ref(),
    };
    let failed = |error: std::io::Error| format!("cannot start service: {}", process::system_words(&error));
    let (reader, writer) = std::io::pipe().map_err(failed)?;
    let stderr = writer.try_clone().map_err(failed)?;
    let streams = Streams { stdin: Stdio::null(), stdout: writer.into(), stderr: stderr.into() };
    let mut child = process::spawn(&program, daemon.search_path(), streams)
        .map_err(|error| format!("cannot start service: {error}"))?;
    record.generation += 1;
    record.pid = child.id();
    if let Some(group) = record.pid {
        daemon.remember_group(group);
    }
    record.restarting = false;
    record.running_since = Some(Stamp::now());
    let (daemon, name, generation) = (Arc::clone(daemon), name.to_owned(), record.generation);
    // A descendant that keeps the output open hides the end of the main process for so long.
    let patience = record.config.kill_delay().to_std().mul_f64(0.9);
    tokio::spawn(async move {
        let pump = {
            let (daemon, name) = (Arc::clone(&daemon), name.clone());
            tokio::spawn(async move { daemon.logs.pump(&name, reader.into()).await })
        };
        let code = child.wait().await.map_or(-1, exit_code);
        let stop = pump.abort_handle();
        if tokio::time::timeout(patience, pump).await.is_err() {
            stop.abort();
        }
        exited(&daemon, &name, generation, code);
    });
    Ok(())
}

/// The process of a generation has ended.
fn exited(daemon: &Arc<Daemon>, name: &str, generation: u64, code: i32) {
    let mut records = lock(&daemon.services.records);
    let Some(record) = records.get_mut(name).filter(|record| record.generation == generation) else { return };
    record.exit_code = code;
    record.pid = None;
    match record.state {
        State::Starting | State::Running => {
            let action = record.action(code);
            if let Some(starter) = record.starter.take() {
                let _ = starter.send(Early::Exited(code, action.clone()));
            }
            match action.as_str() {
                "restart" => {
                    let delay = record.next_backoff();
                    record.become_(State::Backoff);
                    start_later(daemon, name, generation, delay);
                }
                "ignore" => record.become_(State::Exited),
                action => {
                    record.become_(State::Exited);
                    let failure = action == "failure-shutdown" || action == "shutdown" && code != 0;
                    daemon.request_stop(if failure { 10 } else { 0 });
                }
            }
        }
        State::Terminating | State::Killing => {
            if let Some(starter) = record.starter.take() {
                let _ = starter.send(Early::Stopped);
            }
            if record.restarting {
                record.restarting = false;
                let delay = record.next_backoff();
                record.become_(State::Backoff);
                start_later(daemon, name, generation, delay);
            } else {
                record.become_(State::Stopped);
            }
            if let Some(stopper) = record.stopper.take() {
                let _ = stopper.send(());
            }
        }
        State::Initial | State::Stopped | State::Backoff | State::Exited => {}
    }
}

/// Starts a service again when its delay is over, if it still waits then; up to a tenth is added, so that services that
/// fell together do not rise together.
pub(super) fn start_later(daemon: &Arc<Daemon>, name: &str, generation: u64, delay: GoDuration) {
    let thousandths = u8::try_from((Stamp::now().0 / 1000).rem_euclid(100)).unwrap_or(0);
    let delay = delay.to_std().mul_f64(1.0 + f64::from(thousandths) / 1000.0);
    let (daemon, name) = (Arc::clone(daemon), name.to_owned());
    tokio::spawn(async move {
        tokio::time::sleep(delay).await;
        let mut records = lock(&daemon.services.records);
        let waits = |record: &&mut Record| record.generation == generation && record.state == State::Backoff;
        let Some(record) = records.get_mut(&name).filter(waits) else { return };
        match spawn(&daemon, &name, record) {
            Ok(()) => record.become_(State::Running),
            Err(error) => {
                tracing::error!("cannot restart service {name:?}: {error}");
                record.exit_code = -1;
                record.become_(State::Exited);
            }
        }
    });
}

/// Kills a service that a failed check stops, if SIGTERM was not enough.
pub(super) fn kill_later(daemon: &Arc<Daemon>, name: &str, generation: u64) {
    let (daemon, name) = (Arc::clone(daemon), name.to_owned());
    tokio::spawn(async move {
        let record = |records: &std::collections::BTreeMap<String, Record>| {
            let record =
                records.get(&name).filter(|r| r.generation == generation && r.state == State::Terminating)?;
            Some((record.pid?, record.config.kill_delay().to_std()))
        };
        let delay = record(&lock(&daemon.services.records)).map_or(Duration::ZERO, |(_, delay)| delay);
        tokio::time::sleep(delay).await;
        if let Some((pid, _)) = record(&lock(&daemon.services.records)) {
            signal_group(pid, Signal::SIGKILL);
        }
    });
}
