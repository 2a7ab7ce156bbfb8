//! status: Juju's table, or the same as YAML or JSON.

use std::time::SystemTime;

use serde_json::{Map, Value, json};

use super::show::charm_url;
use super::{Done, Session};
use crate::hooks::output::{date_and_clock, timestamp};
use crate::juju::{JUJU_VERSION, State};
use crate::model::{Application, Life, Model, Status, Unit};

pub(super) fn status(session: &mut Session<'_>) -> Done {
    let wanted = session.args.clone();
    let format = session.format(&["tabular", "yaml", "json"])?;
    let text = {
        let state = session.engine.state();
        match format.as_str() {
            "tabular" => tabular(&state, &wanted, session.flags.has("relations")),
            format => crate::hooks::output::render(&structured(&state, &wanted), format),
        }
    };
    session.out(&text);
    Ok(())
}

/// The applications that were asked for by name, or by the name of a unit; all of them without a name.
fn selected<'a>(model: &'a Model, wanted: &'a [String]) -> impl Iterator<Item = &'a Application> {
    let names = |word: &String, app: &str| word.split('/').next() == Some(app);
    model
        .applications
        .values()
        .filter(move |app| wanted.is_empty() || wanted.iter().any(|it| names(it, &app.name)))
}

/// Columns as Juju pads them: two blanks between, the last one open; `right` are aligned right.
pub(super) fn table(rows: &[Vec<String>], right: &[usize]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let pad = " ".repeat(widths[column] - cell.chars().count());
            if right.contains(&column) { format!("{pad}{cell}") } else { format!("{cell}{pad}") }
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

fn tabular(state: &State, wanted: &[String], with_relations: bool) -> String {
    let model = &state.model;
    let clock = date_and_clock(SystemTime::now()).1 + "Z";
    let mut text = table(
        &[
            row(["Model", "Controller", "Cloud/Region", "Version", "SLA", "Timestamp"]),
            row([&model.name, "sandbox", "sandbox/local", JUJU_VERSION, "unsupported", &clock]),
        ],
        &[],
    );
    if model.applications.is_empty() {
        return text + "\nModel \"admin/" + &model.name + "\" is empty.\n";
    }
    if selected(model, wanted).next().is_none() {
        return "Nothing matched specified filter(s).\n".to_owned();
    }
    let mut apps = vec![row([
        "App", "Version", "Status", "Scale", "Charm", "Channel", "Rev", "Address", "Exposed", "Message",
    ])];
    let mut units = vec![row(["Unit", "Workload", "Agent", "Address", "Ports", "Message"])];
    for app in selected(model, wanted) {
        let status = app.shown_status();
        let address = app.units.values().next().map(|unit| unit.address.clone()).unwrap_or_default();
        apps.push(row([
            &app.name,
            app.workload_version.lines().next().unwrap_or_default(),
            &status.status,
            &app.units.len().to_string(),
            &app.charm.name,
            &app.origin.channel,
            &app.origin.revision.to_string(),
            &address,
            "no",
            &status.message,
        ]));
        for unit in app.units.values() {
            units.push(unit_row(state, app, unit));
        }
    }
    text.push('\n');
    text.push_str(&table(&apps, &[3, 6]));
    if units.len() > 1 {
        text.push('\n');
        text.push_str(&table(&units, &[]));
    }
    if with_relations && !model.relations.is_empty() {
        text.push('\n');
        text.push_str(&relations(model));
    }
    text
}

fn unit_row(state: &State, app: &Application, unit: &Unit) -> Vec<String> {
    let name = format!("{}/{}", app.name, unit.number);
    let status = unit.shown_status();
    let (agent, doing) = agent(state, &name);
    let doing = doing.map(|event| format!("({event}) ")).unwrap_or_default();
    let star = if app.leader == Some(unit.number) { "*" } else { "" };
    let ports: Vec<&str> = unit.ports.iter().map(String::as_str).collect();
    row([
        &format!("{name}{star}"),
        &status.status,
        agent,
        &unit.address,
        &ports.join(","),
        &format!("{doing}{}", status.message),
    ])
}

// What a unit's agent does: allocating until its pod is up, executing a hook or an action, idle.
fn agent<'a>(state: &'a State, unit: &str) -> (&'static str, Option<&'a str>) {
    match state.running.get(unit) {
        Some(running) => ("executing", Some(&running.event)),
        None if state.model.unit(unit).is_ok_and(|unit| !unit.installed) => ("allocating", None),
        None => ("idle", None),
    }
}

fn relations(model: &Model) -> String {
    let mut rows: Vec<Vec<String>> = model
        .relations
        .values()
        .map(|relation| {
            let text = |side: &crate::model::Side| format!("{}:{}", side.app, side.endpoint);
            let requirer = relation.requirer.as_ref().unwrap_or(&relation.provider);
            let kind = if relation.is_peer() { "peer" } else { "regular" };
            let message = if relation.life == Life::Dying { "removing" } else { "" };
            row([&text(&relation.provider), &text(requirer), &relation.interface, kind, message])
        })
        .collect();
    rows.sort();
    rows.insert(0, row(["Integration provider", "Requirer", "Interface", "Type", "Message"]));
    table(&rows, &[])
}

fn structured(state: &State, wanted: &[String]) -> Value {
    let model = &state.model;
    let applications: Map<String, Value> =
        selected(model, wanted).map(|app| (app.name.clone(), application(state, app))).collect();
    json!({
        "model": {
            "name": model.name,
            "type": "caas",
            "controller": "sandbox",
            "cloud": "sandbox",
            "region": "local",
            "version": JUJU_VERSION,
            "model-status": {"current": "available"},
            "sla": "unsupported",
        },
        "machines": {},
        "applications": applications,
        "storage": {},
        "controller": {"timestamp": date_and_clock(SystemTime::now()).1 + "Z"},
    })
}

fn info(status: &Status) -> Value {
    let mut info = json!({"current": status.status, "since": timestamp(status.since)});
    if !status.message.is_empty() {
        info["message"] = json!(status.message);
    }
    info
}

fn application(state: &State, app: &Application) -> Value {
    let mut relations: Map<String, Value> = Map::new();
    for relation in state.model.relations.values() {
        let (Some(side), Some(remote)) = (relation.side(&app.name), relation.remote(&app.name)) else {
            continue;
        };
        let entry = json!({
            "related-application": remote.app,
            "interface": relation.interface,
            "scope": "global",
        });
        if let Value::Array(list) = relations.entry(side.endpoint.clone()).or_insert_with(|| json!([])) {
            list.push(entry);
        }
    }
    let units: Map<String, Value> = app
        .units
        .values()
        .map(|unit| {
            let name = format!("{}/{}", app.name, unit.number);
            let (word, doing) = agent(state, &name);
            let mut juju =
                json!({"current": word, "version": JUJU_VERSION, "since": timestamp(unit.status.since)});
            if let Some(event) = doing {
                let action = state.running.get(&name).is_some_and(|running| running.action);
                juju["message"] = json!(if action {
                    format!("running action {event}")
                } else {
                    format!("running {event} hook")
                });
            }
            let mut value = json!({
                "workload-status": info(&unit.shown_status()),
                "juju-status": juju,
                "address": unit.address,
                "provider-id": name.replace('/', "-"),
            });
            if app.leader == Some(unit.number) {
                value["leader"] = json!(true);
            }
            if !unit.ports.is_empty() {
                value["open-ports"] = json!(unit.ports);
            }
            (name, value)
        })
        .collect();
    let mut value = json!({
        "charm": charm_url(&app.charm.name, &app.origin.channel, app.origin.revision),
        "charm-name": app.charm.name,
        "charm-rev": app.origin.revision,
        "charm-origin": if app.origin.channel.is_empty() { "local" } else { "charmhub" },
        "base": {"name": "ubuntu", "channel": "24.04"},
        "scale": app.units.len(),
        "exposed": false,
        "application-status": info(&app.shown_status()),
        "relations": relations,
        "units": units,
    });
    for (name, text) in [("charm-channel", &app.origin.channel), ("version", &app.workload_version)] {
        if !text.is_empty() {
            value[name] = json!(text);
        }
    }
    if app.life == Life::Dying {
        value["life"] = json!("dying");
    }
    value
}
