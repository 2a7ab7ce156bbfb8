//! show-task, show-operation, cancel-task, and how a task is printed.

use std::time::SystemTime;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{Done, Fault, Session, duration, run};
use crate::hooks::output::{date_and_clock, yaml};
use crate::model::{Task, TaskStatus};

// Juju's own keys, which plain output leaves out of the results.
const OWN_KEYS: [&str; 5] = ["return-code", "stdout", "stderr", "stdout-encoding", "stderr-encoding"];

/// A task as `--format yaml` shows it.
pub(super) fn describe(task: &Task) -> Value {
    let mut info = json!({"id": task.id.to_string(), "status": task.status.word(), "unit": task.unit});
    if !task.message.is_empty() {
        info["message"] = json!(task.message);
    }
    if !task.results.is_empty() {
        info["results"] = json!(task.results);
    }
    if !task.log.is_empty() {
        let line = |(time, message): &(SystemTime, String)| format!("{} {message}", zoned(*time));
        info["log"] = json!(task.log.iter().map(line).collect::<Vec<_>>());
    }
    info["timing"] = timing(task.enqueued, task.started, task.completed);
    info
}

fn timing(enqueued: SystemTime, started: Option<SystemTime>, completed: Option<SystemTime>) -> Value {
    let mut timing = json!({ "enqueued": zoned(enqueued) });
    for (name, time) in [("started", started), ("completed", completed)] {
        if let Some(time) = time {
            timing[name] = json!(zoned(time));
        }
    }
    timing
}

fn zoned(time: SystemTime) -> String {
    let (date, clock) = date_and_clock(time);
    format!("{date} {clock} +0000 UTC")
}

/// Tasks (by unit or id) as plain output shows them.
pub(super) fn plain(info: &Map<String, Value>) -> String {
    let one = |task: &Value| match task.get("results").and_then(Value::as_object) {
        None => format!("Task {} {}\n", word(task, "id"), word(task, "status")),
        Some(results) => {
            let shown: Map<String, Value> = results
                .iter()
                .filter(|(key, _)| !OWN_KEYS.contains(&key.as_str()))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            if shown.is_empty() { String::new() } else { yaml(&Value::Object(shown)) }
        }
    };
    if info.len() > 1 {
        let each = info.iter().map(|(key, task)| {
            let mut entry = json!({"id": task["id"], "output": one(task), "status": task["status"]});
            if let Some(message) = task.get("message") {
                entry["message"] = message.clone();
            }
            (key.clone(), entry)
        });
        return yaml(&Value::Object(each.collect()));
    }
    let mut text = String::new();
    for task in info.values() {
        if task["status"] == "failed" {
            text.push_str(&format!("Action id {} failed: {}\n", word(task, "id"), word(task, "message")));
        }
        text.push_str(&one(task));
        text.push('\n');
        for stream in ["stdout", "stderr"] {
            if let Some(output) =
                task["results"].get(stream).and_then(Value::as_str).filter(|it| !it.is_empty())
            {
                text.push_str(output.trim_matches('\n'));
                text.push('\n');
            }
        }
    }
    text
}

fn word<'a>(task: &'a Value, key: &str) -> &'a str {
    task.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn task_id(text: &str) -> Result<u32, Fault> {
    text.parse().map_err(|_| Fault::Usage(format!("task ID \"{text}\" not valid")))
}

pub(super) async fn show(session: &mut Session<'_>) -> Done {
    let format = session.format(&["plain", "yaml", "json"])?;
    let id = task_id(&session.required(0, "task ID")?)?;
    session.at_most(1)?;
    session.engine.state().model.task(id)?;
    let wait = match (session.flags.get("wait"), session.flags.has("watch")) {
        (Some(_), true) => return Err(Fault::Usage("specify either --watch or --wait but not both".into())),
        (Some(text), false) => duration::parse("wait", text)?.map(|wait| Some(Instant::now() + wait)),
        (None, true) => Some(None),
        (None, false) => None,
    };
    if let Some(deadline) = wait
        && !run::follow(session, id, true, deadline).await?
    {
        return Err(Fault::Failed("maximum wait time reached".into()));
    }
    let info = describe(session.engine.state().model.task(id)?);
    if format == "plain" {
        let text = plain(&Map::from_iter([(id.to_string(), info)]));
        session.out(&text);
    } else {
        session.print(&info, &format);
    }
    Ok(())
}

pub(super) fn show_operation(session: &mut Session<'_>) -> Done {
    let format = session.format(&["yaml", "json"])?;
    let text = session.required(0, "operation ID")?;
    session.at_most(1)?;
    let id: u32 = text.parse().map_err(|_| Fault::Usage(format!("operation ID \"{text}\" not valid")))?;
    let value = {
        let state = session.engine.state();
        let operation = state
            .model
            .operations
            .get(&id)
            .ok_or_else(|| Fault::Failed(format!("operation \"{id}\" not found")))?;
        let tasks: Vec<&Task> = operation.tasks.iter().filter_map(|id| state.model.tasks.get(id)).collect();
        let mut value = json!({"summary": operation.summary, "status": overall(&tasks)});
        if let Some(task) = tasks.first() {
            value["action"] = json!({"name": task.action, "parameters": task.params});
        }
        let started = tasks.iter().filter_map(|task| task.started).min();
        let done = tasks.iter().all(|task| task.status.is_final());
        let completed = tasks.iter().filter_map(|task| task.completed).max().filter(|_| done);
        value["timing"] = timing(operation.enqueued, started, completed);
        let each = tasks.iter().map(|task| {
            let mut info = describe(task);
            if let Value::Object(info) = &mut info {
                info.shift_remove("id");
                info.shift_remove("unit");
                info.insert("host".into(), json!(task.unit));
            }
            (task.id.to_string(), info)
        });
        value["tasks"] = Value::Object(each.collect());
        value
    };
    session.print(&value, &format);
    Ok(())
}

// An operation is as far as the task that is least far, and as bad as the worst one.
fn overall(tasks: &[&Task]) -> &'static str {
    use TaskStatus::{Aborted, Aborting, Cancelled, Completed, Failed, Pending, Running};
    let order = [Running, Aborting, Pending, Failed, Cancelled, Aborted, Completed];
    let found = order.into_iter().find(|status| tasks.iter().any(|task| task.status == *status));
    found.unwrap_or(Pending).word()
}

pub(super) async fn cancel(session: &mut Session<'_>) -> Done {
    let format = session.format(&["plain", "yaml", "json"])?;
    if session.args.is_empty() {
        return Err(Fault::Usage("no task IDs specified".into()));
    }
    let ids = session.args.iter().map(|text| task_id(text)).collect::<Result<Vec<_>, _>>()?;
    for id in &ids {
        session.engine.state().model.task(*id)?;
    }
    let mut info = Map::new();
    for id in ids {
        session.engine.cancel(id)?;
        // The kill is Juju's; that the process is gone shows a moment later.
        run::follow(session, id, false, None).await?;
        info.insert(id.to_string(), describe(session.engine.state().model.task(id)?));
    }
    session.engine.settle().await;
    if format == "plain" {
        let text = plain(&info);
        session.out(&text);
    } else {
        session.print(&Value::Object(info), &format);
    }
    Ok(())
}
