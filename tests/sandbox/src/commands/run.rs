//! run: actions on units, with what juju prints while it waits.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{Done, Fault, Session, duration, tasks};
use crate::hooks::output::date_and_clock;
use crate::model::{is_key_name, split_unit};

const WAIT: Duration = Duration::from_secs(60);

pub(super) async fn run(session: &mut Session<'_>) -> Done {
    let format = session.format(&["plain", "yaml", "json"])?;
    let wait = match session.flags.get("wait") {
        Some(_) if session.flags.has("background") => {
            return Err(Fault::Usage("cannot specify both --wait and --background".into()));
        }
        Some(text) => duration::parse("wait", text)?,
        None => Some(WAIT),
    };
    let (units, action, params) = request(session)?;
    let now = std::time::SystemTime::now();
    let (operation, ids) = {
        let mut state = session.engine.state();
        let operation = state.model.enqueue(&units, &action, &params, now)?;
        let ids = state.model.operations[&operation].tasks.clone();
        (operation, ids)
    };
    if session.flags.has("background") {
        session.info("");
        match ids.as_slice() {
            [id] => {
                session.info(&format!("Scheduled operation {operation} with task {id}"));
                session.info(&format!("Check operation status with 'juju show-operation {operation}'"));
                session.info(&format!("Check task status with 'juju show-task {id}'"));
            }
            _ => {
                session.info(&format!("Scheduled operation {operation} with {} tasks", ids.len()));
                let map: Map<String, Value> = units
                    .iter()
                    .zip(&ids)
                    .map(|(unit, id)| (unit.clone(), json!({"id": id.to_string()})))
                    .collect();
                session.print(&Value::Object(map), "yaml");
                session.info(&format!("Check operation status with 'juju show-operation {operation}'"));
                session.info("Check task status with 'juju show-task <id>'");
            }
        }
        session.engine.settle().await;
        return Ok(());
    }
    let plural = if ids.len() > 1 { "s" } else { "" };
    session.info(&format!("Running operation {operation} with {} task{plural}", ids.len()));
    for (unit, id) in units.iter().zip(&ids) {
        session.info(&format!("  - task {id} on unit-{}", unit.replace('/', "-")));
    }
    session.info("");
    let engine = std::sync::Arc::clone(session.engine);
    let settling = tokio::spawn(async move { engine.settle().await });
    let waited = wait_for(session, &ids, &units, wait.map(|wait| Instant::now() + wait)).await;
    let _ = settling.await;
    waited?;
    session.engine.settle().await;
    report(session, &ids, &format)
}

async fn wait_for(
    session: &mut Session<'_>,
    ids: &[u32],
    units: &[String],
    deadline: Option<Instant>,
) -> Done {
    for (index, id) in ids.iter().enumerate() {
        session.info(&format!("Waiting for task {id}...\n"));
        // Only a single task's messages are shown as they come.
        if !follow(session, *id, ids.len() == 1, deadline).await? {
            let late: Vec<String> = units[index..].iter().map(|unit| format!("unit {unit}")).collect();
            return Err(Fault::Failed(format!("timed out waiting for results from: {}", late.join(", "))));
        }
    }
    Ok(())
}

/// Waits until a task is final, showing its messages; says whether it is.
pub(super) async fn follow(
    session: &mut Session<'_>,
    id: u32,
    show: bool,
    deadline: Option<Instant>,
) -> Result<bool, Fault> {
    let mut changes = session.engine.watch();
    let mut shown = 0;
    loop {
        changes.mark_unchanged();
        let (status, log) = {
            let state = session.engine.state();
            let task = state.model.task(id)?;
            (task.status, task.log.clone())
        };
        if show {
            for (time, message) in &log[shown.min(log.len())..] {
                session.info(&format!("{} {message}", date_and_clock(*time).1));
            }
            shown = log.len();
        }
        if status.is_final() {
            if shown > 0 {
                session.info("");
            }
            return Ok(true);
        }
        let change = changes.changed();
        let outcome = match deadline {
            Some(deadline) => tokio::time::timeout_at(deadline, change).await.is_ok(),
            None => change.await.is_ok(),
        };
        if !outcome {
            return Ok(false);
        }
    }
}

// Results, then the exit code: 1 if a task's own process returned something else than 0.
fn report(session: &mut Session<'_>, ids: &[u32], format: &str) -> Done {
    let mut info = Map::new();
    let mut failed = Vec::new();
    {
        let state = session.engine.state();
        for id in ids {
            let task = state.model.task(*id)?;
            let code = task.results.get("return-code").and_then(Value::as_i64).unwrap_or(0);
            if code >= 1 {
                failed.push(format!(" - id \"{id}\" with return code {code}"));
            }
            info.insert(task.unit.clone(), tasks::describe(task));
        }
    }
    if format == "plain" {
        let text = tasks::plain(&info);
        session.out(&text);
    } else {
        session.print(&Value::Object(info), format);
    }
    if failed.is_empty() {
        return Ok(());
    }
    let plural = if failed.len() > 1 { "s" } else { "" };
    Err(Fault::Failed(format!(
        "the following task{plural} failed:\n{}\n\nuse 'juju show-task' to inspect the failure{plural}\n",
        failed.join("\n")
    )))
}

/// Units, action, parameters.
type Request = (Vec<String>, String, Map<String, Value>);

// Units first, then the action, then its parameters.
fn request(session: &Session<'_>) -> Result<Request, Fault> {
    let mut units = Vec::new();
    let mut words = session.args.iter();
    let mut action = None;
    for word in words.by_ref() {
        if let Some(app) = word.strip_suffix("/leader") {
            let state = session.engine.state();
            let leader = state.model.application(app)?.leader;
            let number =
                leader.ok_or_else(|| Fault::Failed(format!("could not determine leader for \"{app}\"")))?;
            units.push(format!("{app}/{number}"));
        } else if split_unit(word).is_some() {
            units.push(word.clone());
        } else {
            action = Some(word.clone());
            break;
        }
    }
    if units.is_empty() {
        return Err(Fault::Usage("no unit specified".into()));
    }
    let action = action.ok_or_else(|| Fault::Usage("no action specified".into()))?;
    if !is_key_name(&action) {
        return Err(Fault::Usage(format!("invalid unit or action name \"{action}\"")));
    }
    let mut params = match session.flags.get("params") {
        Some(path) => params_file(path)?,
        None => Map::new(),
    };
    for word in words {
        let Some((key, text)) = word.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(Fault::Usage(format!(
                "argument \"{word}\" must be of the form key.key.key...=value"
            )));
        };
        let path: Vec<&str> = key.split('.').collect();
        if let Some(part) = path.iter().find(|part| !is_key_name(part)) {
            return Err(Fault::Usage(format!(
                "key \"{part}\" must start and end with lowercase alphanumeric, and contain only lowercase alphanumeric and hyphens"
            )));
        }
        let value = if session.flags.has("string-args") { json!(text) } else { yaml_value(text)? };
        put(&mut params, &path, value);
    }
    Ok((units, action, params))
}

fn params_file(path: &str) -> Result<Map<String, Value>, Fault> {
    let refused = |reason: String| Fault::Failed(format!("cannot read {path}: {reason}"));
    let text = std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
    serde_yaml::from_str(&text).map_err(|error| refused(error.to_string()))
}

// A parameter is YAML: `5` is a number, `"5"` a text.
fn yaml_value(text: &str) -> Result<Value, Fault> {
    serde_yaml::from_str(text).map_err(|error| Fault::Usage(format!("cannot read value \"{text}\": {error}")))
}

fn put(target: &mut Map<String, Value>, path: &[&str], value: Value) {
    match path {
        [] => {}
        [last] => {
            target.insert((*last).to_owned(), value);
        }
        [first, rest @ ..] => {
            let slot = target.entry((*first).to_owned()).or_insert_with(|| json!({}));
            if !slot.is_object() {
                *slot = json!({});
            }
            if let Value::Object(inner) = slot {
                put(inner, rest, value);
            }
        }
    }
}
