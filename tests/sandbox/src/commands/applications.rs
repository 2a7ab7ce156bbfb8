//! add-model, config, trust, remove-application.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::{Done, Fault, Session, deploy};
use crate::model::{Kind, is_application_name};

pub(super) fn add_model(session: &mut Session<'_>) -> Done {
    let name = session.required(0, "model name")?;
    session.at_most(1)?;
    let mut state = session.engine.state();
    if !is_application_name(&name) {
        return Err(Fault::Failed(format!(
            "\"{name}\" is not a valid name: model names may only contain lowercase letters, digits and hyphens"
        )));
    }
    if !state.model.applications.is_empty() {
        return Err(Fault::Failed(format!(
            "cannot add model \"{name}\": the sandbox has one model, and it is in use"
        )));
    }
    state.model.name.clone_from(&name);
    drop(state);
    session
        .info(&format!("Added '{name}' model on sandbox/local with credential 'sandbox' for user 'admin'"));
    Ok(())
}

pub(super) async fn config(session: &mut Session<'_>) -> Done {
    let app = session.required(0, "application name")?;
    session.engine.state().model.application(&app)?;
    let rest: Vec<String> = session.args.iter().skip(1).cloned().collect();
    let resets: Vec<String> = session
        .flags
        .all("reset")
        .iter()
        .flat_map(|text| text.split(','))
        .map(|key| key.trim().to_owned())
        .collect();
    let file = session.flags.get("file").map(str::to_owned);
    let mut values = BTreeMap::new();
    for word in rest.iter().filter(|word| word.contains('=')) {
        if let Some((key, value)) = word.split_once('=') {
            values.insert(key.to_owned(), from_file(value)?);
        }
    }
    let keys: Vec<&String> = rest.iter().filter(|word| !word.contains('=')).collect();
    if values.is_empty() && resets.is_empty() && file.is_none() {
        return match keys.as_slice() {
            [] => show(session, &app),
            [key] => show_one(session, &app, key),
            _ => Err(Fault::Usage("can only retrieve a single value, or all values".into())),
        };
    }
    if !keys.is_empty() {
        return Err(Fault::Usage("cannot set and retrieve values simultaneously".into()));
    }
    if let Some(key) = resets.iter().find(|key| values.contains_key(*key)) {
        return Err(Fault::Usage(format!("key \"{key}\" cannot be both set and reset in the same command")));
    }
    if let Some(file) = file {
        for (key, value) in deploy::config_file(Path::new(&file), &app)? {
            values.entry(key).or_insert(value);
        }
    }
    {
        let mut state = session.engine.state();
        let app = state.model.application_mut(&app)?;
        app.set_config(&values)?;
        app.reset_config(&resets)?;
    }
    session.settle().await;
    Ok(())
}

// `@FILE` stands for a file's content.
fn from_file(value: &str) -> Result<String, Fault> {
    match value.strip_prefix('@') {
        None => Ok(value.to_owned()),
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| Fault::Failed(format!("cannot read option from file \"{path}\": {error}"))),
    }
}

fn show_one(session: &mut Session<'_>, app: &str, key: &str) -> Done {
    let all = session.engine.state().model.application(app)?.config_all();
    let value = all.get(key).cloned().ok_or_else(|| {
        Fault::Failed(format!("key \"{key}\" not found in \"{app}\" application config or charm settings."))
    })?;
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    };
    session.out(&format!("{text}\n"));
    Ok(())
}

fn show(session: &mut Session<'_>, name: &str) -> Done {
    let format = session.format(&["yaml", "json"])?;
    let value = {
        let state = session.engine.state();
        let app = state.model.application(name)?;
        let mut settings = Map::new();
        for (key, value) in app.config_all() {
            let option = &app.charm.options[&key];
            let source = if app.config.contains_key(&key) { "user" } else { "default" };
            let kind = match option.kind {
                Kind::String => "string",
                Kind::Int => "int",
                Kind::Float => "float",
                Kind::Boolean => "boolean",
                Kind::Secret => "secret",
            };
            let mut entry = json!({"description": option.description, "source": source, "type": kind});
            if let Some(default) = &option.default {
                entry["default"] = default.clone();
            } else if value.is_null() {
                entry["source"] = json!("unset");
            }
            if !value.is_null() {
                entry["value"] = value;
            }
            settings.insert(key, entry);
        }
        let trust = json!({
            "trust": {
                "default": false,
                "description": "Does this application have access to trusted credentials",
                "source": if app.trust { "user" } else { "default" },
                "type": "bool",
                "value": app.trust,
            }
        });
        json!({"application": name, "charm": app.charm.name, "application-config": trust, "settings": settings})
    };
    session.print(&value, &format);
    Ok(())
}

pub(super) async fn trust(session: &mut Session<'_>) -> Done {
    let name = session.required(0, "application name")?;
    session.at_most(1)?;
    let wanted = !session.flags.has("remove");
    if wanted && session.flags.get("scope").is_some_and(|scope| scope != "cluster") {
        return Err(Fault::Usage("scope must be set to 'cluster'".into()));
    }
    {
        let mut state = session.engine.state();
        let app = state.model.application_mut(&name)?;
        if app.trust != wanted {
            app.trust = wanted;
            // Trust is a part of the application's configuration.
            app.config_version += 1;
        }
    }
    session.settle().await;
    Ok(())
}

pub(super) async fn remove(session: &mut Session<'_>) -> Done {
    if session.args.is_empty() {
        return Err(Fault::Usage("no application specified".into()));
    }
    for name in session.args.clone() {
        let units: Vec<u32> =
            session.engine.state().model.application(&name)?.units.keys().copied().collect();
        session.info(&format!("will remove application {name}"));
        for number in units {
            session.info(&format!("- will remove unit {name}/{number}"));
        }
        session.engine.state().model.remove_application(&name)?;
    }
    session.settle().await;
    Ok(())
}
