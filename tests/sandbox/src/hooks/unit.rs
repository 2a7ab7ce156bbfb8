//! Commands about the unit itself: config-get, is-leader, juju-log, resource-get and the like.

use serde_json::{Map, Value, json};

use super::{Call, Fault, LogLine, Outcome};

const LEVELS: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];

pub(super) fn config_get(call: &mut Call<'_>) -> Outcome {
    call.at_most(1)?;
    let all = call.flags.has("a");
    let config = call.model.application(call.app())?.config_all();
    let value = match call.arg(0) {
        Some(key) if all => {
            return Err(Fault::usage(format!("cannot use argument --all together with key \"{key}\"")));
        }
        Some(key) => config.get(key).cloned().unwrap_or(Value::Null),
        None => config.into_iter().filter(|(_, value)| all || !value.is_null()).collect::<Map<_, _>>().into(),
    };
    call.print(&value)
}

pub(super) fn is_leader(call: &mut Call<'_>) -> Outcome {
    call.at_most(0)?;
    let leads = call.ctx.is_leader(call.model);
    call.print(&json!(leads))
}

pub(super) fn juju_log(call: &mut Call<'_>) -> Outcome {
    if call.args.is_empty() {
        return Err(Fault::usage("no message specified"));
    }
    let asked = call.flags.get("l").unwrap_or("INFO").to_uppercase();
    let known = LEVELS.contains(&asked.as_str());
    let mut line = |level: &str, text: String| {
        let line = LogLine {
            time: call.now,
            unit: call.ctx.unit.clone(),
            level: level.to_owned(),
            module: format!("unit.{}.juju-log", call.ctx.unit),
            text,
        };
        call.ctx.log.push(line);
    };
    if !known {
        line("WARNING", format!("Specified log level of \"{asked}\" is not valid"));
    }
    let level = match (known, call.flags.has("debug")) {
        (true, false) => asked.as_str(),
        (_, true) => "DEBUG",
        (false, false) => "INFO",
    };
    let prefix = match &call.ctx.event {
        crate::model::Event::Relation { endpoint, id, .. } => format!("{endpoint}:{id}: "),
        _ => String::new(),
    };
    let text = format!("{prefix}{}", call.args.join(" "));
    line(level, text);
    Ok(String::new())
}

pub(super) fn version_set(call: &mut Call<'_>) -> Outcome {
    call.at_most(1)?;
    let version = call.arg(0).ok_or_else(|| Fault::usage("no version specified"))?.to_owned();
    let app = call.app().to_owned();
    call.model.application_mut(&app)?.workload_version = version;
    Ok(String::new())
}

pub(super) fn unit_get(call: &mut Call<'_>) -> Outcome {
    call.at_most(1)?;
    match call.arg(0) {
        Some("private-address" | "public-address") => {
            let address = call.model.unit(&call.ctx.unit)?.address.clone();
            call.print(&json!(address))
        }
        Some(other) => Err(Fault::usage(format!("unknown setting \"{other}\""))),
        None => Err(Fault::usage("no setting specified")),
    }
}

pub(super) fn resource_get(call: &mut Call<'_>) -> Outcome {
    call.at_most(1)?;
    let name = call.arg(0).ok_or_else(|| Fault::usage("missing required resource name"))?.to_owned();
    let app = call.model.application(call.app())?;
    let failed = |reason: String| Fault::failed(format!("could not download resource: {reason}"));
    let kind =
        &app.charm.resources.get(&name).ok_or_else(|| failed(format!("resource \"{name}\" not found")))?.kind;
    let value =
        app.resources.get(&name).ok_or_else(|| failed(format!("resource \"{name}\" has no value")))?;
    if kind != "oci-image" {
        return Ok(value.clone());
    }
    let dir = call.ctx.resources.join(&name);
    let file = dir.join("content.yaml");
    std::fs::create_dir_all(&dir)
        .and_then(|()| std::fs::write(&file, super::output::yaml(&json!({ "registrypath": value }))))
        .map_err(|error| failed(error.to_string()))?;
    Ok(file.to_string_lossy().into_owned())
}

pub(super) fn credential_get(call: &mut Call<'_>) -> Outcome {
    call.at_most(0)?;
    let why = if call.model.application(call.app())?.trust {
        "there is no cloud here"
    } else {
        "permission denied"
    };
    Err(Fault::failed(format!("cannot access cloud credentials: {why}")))
}

pub(super) fn reboot(call: &mut Call<'_>) -> Outcome {
    let why = if call.ctx.action.is_some() { "from an action" } else { "a unit on Kubernetes" };
    Err(Fault::failed(format!("juju-reboot is not supported when running {why}")))
}

pub(super) fn storage_list(call: &mut Call<'_>) -> Outcome {
    call.at_most(1)?;
    call.print(&json!([]))
}

pub(super) fn no_storage(call: &mut Call<'_>) -> Outcome {
    let name = call.arg(0).or(call.flags.get("s")).unwrap_or_default();
    Err(Fault::failed(format!("storage \"{name}\" not found")))
}
