//! A stand-in for the PostgreSQL charm: the `dispatch` of a charm that provides `postgresql_client`.
//!
//! Given Juju's hook environment, the hook commands on the PATH and a superuser's connection string in
//! `SANDBOX_POSTGRESQL`, it answers every relation of the endpoint `database` with a role and a database of a real
//! server. It keeps the habits of Canonical's PostgreSQL charms that a requirer has to live with, the bad ones too:
//! names that are never answered, hook errors at malformed or changed requests, plain text when no secrets were asked
//! for in time.

#![allow(clippy::disallowed_methods, reason = "Juju tells a hook by the environment")]

mod answer;
mod database;

use std::collections::BTreeMap;
use std::env;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use answer::{Answer, Offer, Refusal, Request};
use database::Server;
use stand_ins::{self as hooks, Bag};

const ENDPOINT: &str = "database";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ERROR {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let hook = env::var("JUJU_HOOK_NAME").unwrap_or_default();
    if hook.is_empty() || ["stop", "remove"].contains(&hook.as_str()) {
        return Ok(());
    }
    if !hooks::is_leader()? {
        return hooks::set_status("active", "");
    }
    let dsn = env::var("SANDBOX_POSTGRESQL").context("SANDBOX_POSTGRESQL not set")?;
    let server = Server::connect(&dsn).await?;
    hooks::set_version(server.version())?;
    let broken = match hook.as_str() {
        "database-relation-broken" => Some(env::var("JUJU_RELATION_ID").context("JUJU_RELATION_ID not set")?),
        _ => None,
    };
    if let Some(relation) = &broken {
        server.drop_role(&role_of(relation)?).await?;
    }
    let mut refusals = Vec::new();
    for relation in hooks::relation_ids(ENDPOINT)? {
        if Some(&relation) != broken.as_ref() {
            refusals
                .extend(reconcile(&server, &relation).await.with_context(|| format!("relation {relation}"))?);
        }
    }
    match refusals.first() {
        None => hooks::set_status("active", ""),
        Some(refusal) => hooks::set_status("blocked", &refusal.to_string()),
    }
}

/// Brings one relation's role, database, secrets and databag up to date.
async fn reconcile(server: &Server, relation: &str) -> Result<Option<Refusal>> {
    let Some(remote_app) = hooks::remote_app(relation)? else { return Ok(None) };
    let asked = hooks::app_bag(relation, &remote_app)?;
    let own = hooks::app_bag(relation, &hooks::own_app()?)?;
    let request = match Request::parse(&asked, &own)? {
        None => return Ok(None),
        Some(Err(refusal)) => return Ok(Some(refusal)),
        Some(Ok(request)) => request,
    };
    let username = role_of(relation)?;
    let user_secret = own.get("secret-user").map(|uri| hooks::secret_content(uri)).transpose()?;
    let known =
        user_secret.as_ref().and_then(|content| content.get("password")).or_else(|| own.get("password"));
    let password = match known {
        Some(password) => password.clone(),
        None => answer::random_password()?,
    };
    server.ensure_role(&username, &password, known.is_none(), &request.attributes).await?;
    server.ensure_database(&request.database, &username).await?;

    let config = hooks::config()?;
    let text = |key: &str| config.get(key).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    let endpoints =
        Some(text("endpoints")).filter(|text| !text.is_empty()).unwrap_or_else(|| server.endpoint());
    let answer = Answer::new(
        &request,
        &Offer {
            username,
            password,
            endpoints,
            version: server.version().to_owned(),
            tls: config.get("tls").and_then(serde_json::Value::as_bool).unwrap_or_default(),
            tls_ca: text("tls-ca"),
        },
    );
    let mut bag = answer.bag;
    for (group, content) in answer.secrets {
        let key = format!("secret-{group}");
        let uri = publish(relation, group, own.get(&key), &content)?;
        bag.insert(key, uri);
    }
    bag.insert("data".into(), serde_json::to_string(&request.seen)?);
    hooks::set_app_bag(relation, &bag)?;
    Ok(None)
}

/// Adds a secret and grants it to the relation, or revises the one that is there when its content differs.
fn publish(relation: &str, group: &str, uri: Option<&String>, content: &Bag) -> Result<String> {
    let Some(uri) = uri else {
        let number = relation_number(relation)?;
        let uri = hooks::add_secret(&format!("{ENDPOINT}.{number}.{group}.secret"), content)?;
        hooks::grant_secret(&uri, relation)?;
        return Ok(uri);
    };
    let current: BTreeMap<String, String> = hooks::secret_content(uri)?;
    if current != *content {
        hooks::set_secret(uri, content)?;
    }
    Ok(uri.clone())
}

fn role_of(relation: &str) -> Result<String> {
    Ok(format!("relation_id_{}", relation_number(relation)?))
}

/// The number in `database:7`.
fn relation_number(relation: &str) -> Result<u64> {
    match relation.rsplit_once(':').map(|(_, number)| number.parse()) {
        Some(Ok(number)) => Ok(number),
        _ => bail!("`{relation}` is no relation id"),
    }
}
