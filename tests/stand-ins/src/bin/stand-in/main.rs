//! Stand-ins for the charms beside Kratos: the `dispatch` of every charm in `charms/` but PostgreSQL's.
//!
//! Given Juju's hook environment and the hook commands on the PATH, it looks its charm's name up in metadata.yaml and
//! answers the relations of that charm's endpoints. Like the real charms it writes only in the hooks in which they do,
//! and not in any hook; the configuration takes the place of what an administrator would do to the real ones.

#![allow(clippy::disallowed_methods, reason = "Juju tells a hook by the environment")]

mod certificates;
mod charms;
mod identity;
mod idp;
mod logging;
mod mail;
mod relation;
mod routes;
mod scrape;
mod tracing;
mod webhook;

use std::env;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde::Deserialize;
use stand_ins::{self as tools, Bag};

use charms::Endpoint;
use relation::{Answer, SharedSecret, State, View};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ERROR {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

fn run() -> Result<()> {
    let hook = env::var("JUJU_HOOK_NAME").unwrap_or_default();
    if hook.is_empty() || ["stop", "remove"].contains(&hook.as_str()) {
        return Ok(());
    }
    let metadata = std::fs::read_to_string("metadata.yaml").context("metadata.yaml")?;
    let Metadata { name } = serde_yaml::from_str(&metadata).context("metadata.yaml")?;
    let endpoints = charms::endpoints(&name).with_context(|| format!("{name} is not played here"))?;
    let leader = tools::is_leader()?;
    let config = tools::config()?;
    let current = env::var("JUJU_RELATION_ID").unwrap_or_default();
    let mut worst = State::Active(String::new());
    for endpoint in endpoints {
        // Juju no longer lists a relation that is being broken.
        if leader && hook.strip_suffix("-relation-broken") == Some(endpoint.name) {
            forget(endpoint, &current)?;
        }
        for relation in tools::relation_ids(endpoint.name)? {
            // The name of the hook without its endpoint, if it is this relation's.
            let step = hook
                .strip_prefix(endpoint.name)
                .and_then(|rest| rest.strip_prefix("-relation-"))
                .filter(|_| relation == current);
            let Some(view) = view(&relation, leader, config.clone())? else { continue };
            let answer = (endpoint.answer)(&view);
            let writes = match step {
                Some(step) => endpoint.steps.contains(&step),
                None => hook == "config-changed" || endpoint.steps.contains(&hook.as_str()),
            };
            if writes {
                publish(&view, &answer).with_context(|| format!("relation {relation}"))?;
            }
            worst = worst.max(answer.state);
        }
    }
    let (status, message) = worst.words();
    tools::set_status(status, message)
}

/// What this unit sees of a relation; none before Juju knows its other side.
fn view(
    relation: &str,
    leader: bool,
    config: serde_json::Map<String, serde_json::Value>,
) -> Result<Option<View>> {
    let Some(remote_app) = tools::remote_app(relation)? else { return Ok(None) };
    let (unit, app) = (tools::own_unit()?, tools::own_app()?);
    let mut remote_units = std::collections::BTreeMap::new();
    for unit in tools::remote_units(relation)? {
        let bag = tools::unit_bag(relation, &unit)?;
        remote_units.insert(unit, bag);
    }
    Ok(Some(View {
        id: relation.to_owned(),
        remote: tools::app_bag(relation, &remote_app)?,
        remote_units,
        model: env::var("JUJU_MODEL_NAME").unwrap_or_default(),
        config,
        library: std::fs::read_to_string("version").unwrap_or_default().trim().to_owned(),
        leader,
        unit,
        app,
    }))
}

/// Brings our bags to what the answer says; Juju sends only what differs.
fn publish(view: &View, answer: &Answer) -> Result<()> {
    if let Some(bag) = answer.unit.as_ref() {
        tools::set_unit_bag(&view.id, bag)?;
    }
    let (Some(bag), true) = (answer.app.as_ref(), view.leader) else { return Ok(()) };
    let mut bag = bag.clone();
    if let Some(secret) = &answer.secret {
        bag.insert(secret.key.to_owned(), share(secret, &view.id)?);
    }
    tools::set_app_bag(&view.id, &bag)
}

/// Adds the secret, or gives it new content if that differs, and grants it to the relation; its URI.
fn share(secret: &SharedSecret, relation: &str) -> Result<String> {
    let content: Bag = secret.content.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    let uri = match tools::secret_labelled(&secret.label)? {
        None => tools::add_secret(&secret.label, &content)?,
        Some(uri) => {
            if tools::secret_content(&uri)? != content {
                tools::set_secret(&uri, &content)?;
            }
            uri
        }
    };
    tools::grant_secret(&uri, relation)?;
    Ok(uri)
}

/// The secret that was made for a relation goes with it.
fn forget(endpoint: &Endpoint, relation: &str) -> Result<()> {
    let Some(label) = endpoint.own_secret else { return Ok(()) };
    if let Some(uri) = tools::secret_labelled(&label(relation))? {
        tools::remove_secret(&uri)?;
    }
    Ok(())
}
