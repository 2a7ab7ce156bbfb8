//! status-get, status-set, goal-state.

use serde_json::{Map, Value, json};

use super::{Call, Fault, Outcome};
use crate::model::{Life, ModelError, Status};

const WORDS: [&str; 4] = ["maintenance", "blocked", "waiting", "active"];

fn details(status: &Status, full: bool) -> Value {
    if full {
        json!({"status": status.status, "message": status.message, "status-data": {}})
    } else {
        json!({ "status": status.status })
    }
}

pub(super) fn get(call: &mut Call<'_>) -> Outcome {
    call.at_most(0)?;
    let full = call.flags.has("include-data");
    let value = if call.flags.has("application") {
        if !call.ctx.is_leader(call.model) {
            return Err(Fault::failed(format!("finding application status: {}", ModelError::NotLeader)));
        }
        let app = call.model.application(call.app())?;
        let units: Map<String, Value> = app
            .units
            .values()
            .map(|unit| (format!("{}/{}", app.name, unit.number), details(&unit.shown_status(), full)))
            .collect();
        let mut status = details(&app.shown_status(), full);
        status["units"] = json!(units);
        json!({ "application-status": status })
    } else {
        let status = call.model.unit(&call.ctx.unit)?.status.clone();
        if !full && call.flags.get("format").is_none_or(|format| format == "smart") {
            json!(status.status)
        } else {
            details(&status, full)
        }
    };
    call.print(&value)
}

pub(super) fn set(call: &mut Call<'_>) -> Outcome {
    let Some(status) = call.arg(0) else {
        return Err(Fault::usage("invalid args, require <status> [message]"));
    };
    if !WORDS.contains(&status) {
        let text = format!("invalid status \"{status}\", expected one of [{}]", WORDS.join(" "));
        return Err(Fault::Usage(text));
    }
    call.at_most(2)?;
    let status = Status::new(status, call.arg(1).unwrap_or_default(), call.now);
    if call.flags.has("application") {
        if !call.ctx.is_leader(call.model) {
            return Err(ModelError::NotLeader.into());
        }
        let app = call.app().to_owned();
        call.model.application_mut(&app)?.status = Some(status);
    } else {
        let unit = call.model.unit_mut(&call.ctx.unit)?;
        unit.status = status;
        unit.status_was_set = true;
    }
    Ok(String::new())
}

pub(super) fn goal_state(call: &mut Call<'_>) -> Outcome {
    call.at_most(0)?;
    let entry = |status: &Status, life: Life| {
        let word = if life == Life::Dying { "dying" } else { status.status.as_str() };
        json!({"status": word, "since": crate::hooks::output::timestamp(status.since)})
    };
    let app = call.model.application(call.app())?;
    let units_of = |name: &str| -> Map<String, Value> {
        let units = call.model.applications.get(name).into_iter().flat_map(|app| app.units.values());
        units.map(|unit| (format!("{name}/{}", unit.number), entry(&unit.status, unit.life))).collect()
    };
    let mut relations: Map<String, Value> = Map::new();
    for relation in call.model.relations.values().filter(|relation| !relation.is_peer()) {
        let (Some(side), Some(remote)) = (relation.side(&app.name), relation.remote(&app.name)) else {
            continue;
        };
        let status = Status::new("joined", "", call.now);
        let mut members = units_of(&remote.app);
        members.insert(remote.app.clone(), entry(&status, relation.life));
        let slot = relations.entry(side.endpoint.clone()).or_insert_with(|| json!({}));
        if let Value::Object(slot) = slot {
            slot.extend(members);
        }
    }
    let value = json!({"units": units_of(&app.name), "relations": relations});
    call.print_as(&value, "yaml")
}
