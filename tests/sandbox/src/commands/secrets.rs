//! secrets and show-secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::status::table;
use super::{Done, Fault, Session};
use crate::hooks::output::timestamp;
use crate::model::{Content, ModelError, Secret};

pub(super) fn list(session: &mut Session<'_>) -> Done {
    session.at_most(0)?;
    let format = session.format(&["tabular", "yaml", "json"])?;
    let owner = session
        .flags
        .get("owner")
        .map(|owner| owner.trim_start_matches("application-").trim_start_matches("unit-").to_owned());
    let secrets: Vec<Secret> = {
        let state = session.engine.state();
        let wanted = |secret: &&Secret| owner.as_ref().is_none_or(|owner| secret.owner.name() == owner);
        state.model.secrets.values().filter(wanted).cloned().collect()
    };
    if format != "tabular" {
        let map: Map<String, Value> =
            secrets.iter().map(|secret| (secret.id.clone(), describe(secret, false))).collect();
        session.print(&Value::Object(map), &format);
        return Ok(());
    }
    if secrets.is_empty() {
        session.info("No secrets to display.");
        return Ok(());
    }
    let mut rows =
        vec![["ID", "Name", "Owner", "Rotation", "Revision", "Last updated"].map(str::to_owned).to_vec()];
    for secret in &secrets {
        let updated = secret.revisions.values().next_back().map(|revision| timestamp(revision.created));
        rows.push(vec![
            secret.id.clone(),
            "-".to_owned(),
            secret.owner.name().to_owned(),
            secret.rotate.clone().unwrap_or_else(|| "never".to_owned()),
            secret.latest().to_string(),
            updated.unwrap_or_default(),
        ]);
    }
    let text = table(&rows, &[4]);
    session.out(&text);
    Ok(())
}

fn describe(secret: &Secret, with_revisions: bool) -> Value {
    let time = |revision: Option<&crate::model::Revision>| revision.map(|it| timestamp(it.created));
    let mut info = json!({
        "revision": secret.latest(),
        "owner": secret.owner.name(),
        "created": time(secret.revisions.values().next()),
        "updated": time(secret.revisions.values().next_back()),
    });
    for (name, value) in [
        ("label", &secret.label),
        ("description", &secret.description),
        ("rotation", &secret.rotate),
        ("expires", &secret.expire),
    ] {
        if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
            info[name] = json!(value);
        }
    }
    if with_revisions {
        let each = secret
            .revisions
            .iter()
            .map(|(number, revision)| json!({"revision": number, "created": timestamp(revision.created)}));
        info["revisions"] = each.collect();
    }
    info
}

pub(super) fn show(session: &mut Session<'_>) -> Done {
    let format = session.format(&["yaml", "json"])?;
    let wanted = session.required(0, "secret ID or name")?;
    session.at_most(1)?;
    let (reveal, revisions) = (session.flags.has("reveal"), session.flags.has("revisions"));
    if reveal && revisions {
        return Err(Fault::Usage("specify either --revisions or --reveal but not both".into()));
    }
    let secret = {
        let state = session.engine.state();
        let id = Secret::parse_uri(&wanted);
        let fits = |secret: &&Secret| match &id {
            Some(id) => secret.id == *id,
            None => secret.label.as_deref() == Some(&wanted),
        };
        let found = state.model.secrets.values().find(fits).cloned();
        found.ok_or(ModelError::NotFound { what: "secret", name: wanted.clone() })?
    };
    let mut info = describe(&secret, revisions);
    let number = match session.flags.get("r") {
        Some(text) => text.parse().map_err(|_| Fault::Usage(format!("revision \"{text}\" not valid")))?,
        None => secret.latest(),
    };
    if session.flags.get("r").is_some() || reveal {
        let revision = secret.revisions.get(&number).ok_or(ModelError::NotFound {
            what: "secret revision",
            name: format!("{}/{number}", secret.id),
        })?;
        info["revision"] = json!(number);
        if reveal {
            info["content"] = json!(decoded(&revision.content));
        }
    }
    session.print(&json!({ secret.id: info }), &format);
    Ok(())
}

// What is no text stays in base64.
fn decoded(content: &Content) -> Map<String, Value> {
    let text = |value: &String| {
        let bytes = STANDARD.decode(value).unwrap_or_default();
        String::from_utf8(bytes).unwrap_or_else(|_| value.clone())
    };
    content.iter().map(|(key, value)| (key.clone(), json!(text(value)))).collect()
}
