//! show-unit and debug-log.

use serde_json::{Map, Value, json};

use super::{Done, Fault, Session};
use crate::hooks::output::date_and_clock;
use crate::model::{Life, Model, Relation, application_of};

pub(super) fn unit(session: &mut Session<'_>) -> Done {
    let format = session.format(&["yaml", "json"])?;
    if session.args.is_empty() {
        return Err(Fault::Usage("an unit name must be supplied".into()));
    }
    let endpoint = session.flags.get("endpoint").map(str::to_owned);
    let app_only = session.flags.has("app");
    let mut all = Map::new();
    {
        let state = session.engine.state();
        for name in &session.args {
            all.insert(name.clone(), describe(&state.model, name, endpoint.as_deref(), app_only)?);
        }
    }
    session.print(&Value::Object(all), &format);
    Ok(())
}

fn describe(model: &Model, name: &str, endpoint: Option<&str>, app_only: bool) -> Result<Value, Fault> {
    let unit = model.unit(name)?;
    let app = model.application(application_of(name))?;
    let ours = |relation: &&Relation| {
        relation.side(&app.name).is_some_and(|side| endpoint.is_none_or(|only| side.endpoint == only))
    };
    let relations =
        model.relations.values().filter(ours).map(|relation| relation_info(model, relation, name, app_only));
    let mut info = json!({
        "charm": charm_url(&app.charm.name, &app.origin.channel, app.origin.revision),
        "leader": model.is_leader(name),
        "life": if unit.life == Life::Alive { "alive" } else { "dying" },
        "opened-ports": unit.ports,
        "relation-info": relations.collect::<Vec<_>>(),
        "provider-id": name.replace('/', "-"),
        "address": unit.address,
    });
    if !app.workload_version.is_empty() {
        info["workload-version"] = json!(app.workload_version);
    }
    Ok(info)
}

fn relation_info(model: &Model, relation: &Relation, unit: &str, app_only: bool) -> Value {
    let app = application_of(unit);
    let (side, remote) = (relation.side(app), relation.remote(app));
    let bag = |holder: &str| relation.unit_bags.get(holder).map(|bag| bag.data.clone()).unwrap_or_default();
    let remote_app = remote.map(|side| side.app.as_str()).unwrap_or_default();
    let mut info = json!({
        "relation-id": relation.id,
        "endpoint": side.map(|side| &side.endpoint),
        "related-endpoint": remote.map(|side| &side.endpoint),
        "application-data": relation.app_bags.get(remote_app).map(|bag| bag.data.clone()).unwrap_or_default(),
    });
    if !app_only {
        let scope = |holder: &str| relation.scope.contains(holder);
        info["local-unit"] = json!({"in-scope": scope(unit), "data": bag(unit)});
        let others = model.remote_units(relation.id, unit);
        let related: Map<String, Value> = others
            .keys()
            .map(|other| (other.clone(), json!({"in-scope": scope(other), "data": bag(other)})))
            .collect();
        if !related.is_empty() {
            info["related-units"] = Value::Object(related);
        }
    }
    info
}

/// A charm's URL: from the store if it has a channel, else local.
pub(super) fn charm_url(name: &str, channel: &str, revision: u32) -> String {
    if channel.is_empty() {
        format!("local:{name}-{revision}")
    } else {
        format!("ch:amd64/{name}-{revision}")
    }
}

pub(super) fn debug_log(session: &mut Session<'_>) -> Done {
    const LEVELS: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];
    session.at_most(0)?;
    let number = |name: &str| match session.flags.get(name) {
        Some(text) => {
            let number = text.parse::<usize>();
            number
                .map(Some)
                .map_err(|_| Fault::Usage(format!("invalid value \"{text}\" for option --{name}")))
        }
        None => Ok(None),
    };
    let limit = number("limit")?.or(number("n")?);
    let wanted = session.flags.get("l").unwrap_or("DEBUG").to_uppercase();
    let least = LEVELS.iter().position(|level| *level == wanted).ok_or_else(|| {
        Fault::Usage(format!("level value \"{wanted}\" is not one of {}", LEVELS.join(", ")))
    })?;
    let only = session.flags.all("i").to_vec();
    let lines: Vec<String> = {
        let state = session.engine.state();
        let shown = state.log.iter().filter(|line| {
            let level = LEVELS.iter().position(|level| *level == line.level).unwrap_or(least);
            let entity = format!("unit-{}", line.unit.replace('/', "-"));
            level >= least
                && (only.is_empty() || only.iter().any(|name| *name == line.unit || *name == entity))
        });
        shown
            .map(|line| {
                let entity = if line.unit.is_empty() {
                    "controller-0".to_owned()
                } else {
                    format!("unit-{}", line.unit.replace('/', "-"))
                };
                let clock = date_and_clock(line.time).1;
                format!("{entity}: {clock} {} {} {}\n", line.level, line.module, line.text)
            })
            .collect()
    };
    let skip = limit.map_or(0, |limit| lines.len().saturating_sub(limit));
    let text: String = lines.into_iter().skip(skip).collect();
    session.out(&text);
    Ok(())
}
