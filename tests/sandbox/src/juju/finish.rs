//! What follows from how a charm's process ended: commit, error, or an action's result.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nix::sys::signal::Signal;
use serde_json::{Map, Value, json};

use super::dispatch::Ended;
use super::{Engine, State};
use crate::hooks::{Context, LogLine};
use crate::model::{Event, TaskStatus};

impl Engine {
    /// Commits or drops what a run wrote, and tells the model how its event ended.
    pub(super) fn conclude(&self, context: Context, ended: Ended) {
        let mut guard = self.state();
        let state = &mut *guard;
        let now = SystemTime::now();
        let terminated = state.running.remove(&context.unit).is_some_and(|running| running.terminated);
        match context.event {
            Event::Action { task, .. } => finish_action(state, context, task, ended, terminated, now),
            _ => finish_hook(state, &context, ended, now),
        }
    }
}

fn finish_hook(state: &mut State, context: &Context, ended: Ended, now: SystemTime) {
    let unit = &context.unit;
    let name = context.event.name();
    let outcome = match ended {
        Ended::Skipped => Ok(()),
        Ended::NotStarted(reason) => Err(reason),
        Ended::Exited { status, stdout, stderr } => {
            for (level, output) in [("DEBUG", stdout), ("WARNING", stderr)] {
                for line in String::from_utf8_lossy(&output).lines() {
                    log(state, unit, level, format!("unit.{unit}.{name}"), line.to_owned(), now);
                }
            }
            if status.success() { Ok(()) } else { Err(reason(status)) }
        }
    };
    let outcome = outcome
        .and_then(|()| state.model.commit(unit, &context.changes, now).map_err(|error| error.to_string()));
    match outcome {
        Ok(()) => {
            let text = format!("ran \"{name}\" hook (via hook dispatching script: dispatch)");
            log(state, unit, "INFO", "juju.worker.uniter.operation".into(), text, now);
            state.model.finish(unit, &context.event, now);
        }
        Err(reason) => {
            let text = format!("hook \"{name}\" (via hook dispatching script: dispatch) failed: {reason}");
            log(state, unit, "ERROR", "juju.worker.uniter.operation".into(), text, now);
            state.model.fail(unit, &context.event);
        }
    }
}

fn finish_action(
    state: &mut State,
    mut context: Context,
    id: u32,
    ended: Ended,
    terminated: bool,
    now: SystemTime,
) {
    let run = context.action.take().unwrap_or_default();
    let mut results = run.results;
    let (mut status, mut message) = match run.failed {
        Some(message) => (TaskStatus::Failed, message),
        None => (TaskStatus::Completed, String::new()),
    };
    let mut fail = |why: String| (status, message) = (TaskStatus::Failed, why);
    match ended {
        Ended::Skipped => fail("action not implemented on unit".into()),
        Ended::NotStarted(reason) => fail(reason),
        Ended::Exited { status, stdout, stderr } => {
            put_output(&mut results, "stdout", &stdout);
            put_output(&mut results, "stderr", &stderr);
            // Go's exit code of a process that a signal ended.
            let mut code = status.code().unwrap_or(-1);
            if !status.success() {
                // The text of action-fail is lost: the exit status takes its place.
                fail(if terminated { "action terminated".into() } else { reason(status) });
            } else if let Err(error) = state.model.commit(&context.unit, &context.changes, now) {
                code = 1;
                let before = results.get("stderr").and_then(Value::as_str).unwrap_or_default();
                results.insert("stderr".into(), json!(format!("{before}{error}")));
                fail(error.to_string());
            }
            results.insert("return-code".into(), json!(code));
        }
    }
    if let Ok(task) = state.model.task_mut(id) {
        if task.status == TaskStatus::Aborting {
            (status, message) = (TaskStatus::Aborted, "terminated".into());
        }
        (task.status, task.message, task.results) = (status, message, results);
        task.completed = Some(now);
    }
}

fn put_output(results: &mut Map<String, Value>, name: &str, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => results.insert(name.to_owned(), json!(text)),
        Err(_) => {
            results.insert(format!("{name}-encoding"), json!("base64"));
            results.insert(name.to_owned(), json!(STANDARD.encode(bytes)))
        }
    };
}

// Go's words for how a process ended.
fn reason(status: ExitStatus) -> String {
    match (status.code(), status.signal().map(Signal::try_from)) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(Ok(Signal::SIGKILL))) => "signal: killed".to_owned(),
        (None, Some(Ok(Signal::SIGTERM))) => "signal: terminated".to_owned(),
        (None, Some(Ok(signal))) => format!("signal: {}", signal.as_str()),
        _ => "signal: unknown".to_owned(),
    }
}

fn log(state: &mut State, unit: &str, level: &str, module: String, text: String, time: SystemTime) {
    state.log.push(LogLine { time, unit: unit.to_owned(), level: level.to_owned(), module, text });
}
