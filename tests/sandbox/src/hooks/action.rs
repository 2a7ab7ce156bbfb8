//! action-get, -set, -log, -fail.

use serde_json::{Map, Value, json};

use super::{ActionRun, Call, Fault, Outcome};
use crate::model::{Event, is_key_name};

const RESERVED: [&str; 4] = ["stdout", "stderr", "stdout-encoding", "stderr-encoding"];

impl Call<'_> {
    fn task(&self) -> Result<u32, Fault> {
        match self.ctx.event {
            Event::Action { task, .. } => Ok(task),
            _ => Err(Fault::failed("not running an action")),
        }
    }

    fn action(&mut self) -> Result<&mut ActionRun, Fault> {
        self.ctx.action.as_mut().ok_or_else(|| Fault::failed("not running an action"))
    }
}

pub(super) fn get(call: &mut Call<'_>) -> Outcome {
    call.at_most(1)?;
    let task = call.task()?;
    let params = Value::Object(call.model.task(task)?.params.clone());
    let value = match call.arg(0).filter(|key| !key.is_empty()) {
        None => Some(&params),
        Some(path) => path.split('.').try_fold(&params, |value, part| value.get(part)),
    };
    call.print(value.unwrap_or(&Value::Null))
}

pub(super) fn set(call: &mut Call<'_>) -> Outcome {
    let mut pairs = Vec::new();
    for arg in &call.args {
        let Some((key, value)) = arg.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(Fault::usage(format!("argument \"{arg}\" must be of the form key...=value")));
        };
        let parts: Vec<String> = key.split('.').map(str::to_owned).collect();
        for part in &parts {
            if RESERVED.contains(&part.as_str()) {
                return Err(Fault::usage(format!("cannot set reserved action key \"{part}\"")));
            }
            if !is_key_name(part) {
                return Err(Fault::usage(format!(
                    "key \"{key}\" must start and end with lowercase alphanumeric, and contain only lowercase alphanumeric, hyphens and periods"
                )));
            }
        }
        pairs.push((parts, value.to_owned()));
    }
    let action = call.action()?;
    for (parts, value) in pairs {
        put(&mut action.results, &parts, value);
    }
    Ok(String::new())
}

// Later values win; a text in the way of a path gives way to a map.
fn put(target: &mut Map<String, Value>, path: &[String], value: String) {
    match path {
        [] => {}
        [last] => {
            target.insert(last.clone(), json!(value));
        }
        [first, rest @ ..] => {
            let slot = target.entry(first.clone()).or_insert_with(|| json!({}));
            if !slot.is_object() {
                *slot = json!({});
            }
            if let Value::Object(inner) = slot {
                put(inner, rest, value);
            }
        }
    }
}

pub(super) fn log(call: &mut Call<'_>) -> Outcome {
    if call.args.is_empty() {
        return Err(Fault::usage("no message specified"));
    }
    let task = call.task()?;
    let message = call.args.join(" ");
    call.model.log_task(task, &message, call.now);
    Ok(String::new())
}

pub(super) fn fail(call: &mut Call<'_>) -> Outcome {
    call.at_most(1)?;
    let message =
        call.arg(0).unwrap_or("action failed without reason given, check action for errors").to_owned();
    call.action()?.failed = Some(message);
    Ok(String::new())
}
