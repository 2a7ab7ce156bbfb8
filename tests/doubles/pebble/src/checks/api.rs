//! The requests about checks and health.
//!
//! It is given queries and bodies and answers from the records of [`super::Checks`].

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{probe, start, stop};
use crate::{
    body::Fields,
    daemon::Daemon,
    lock,
    query::Query,
    respond::{Answer, Failure, bad, sync, sync_status},
};

fn level(query: &Query) -> Result<&str, Failure> {
    match query.text("level") {
        level @ ("" | "alive" | "ready") => Ok(level),
        _ => Err(bad("level must be \"alive\" or \"ready\"")),
    }
}

/// `GET /v1/checks`.
///
/// # Errors
/// 400 for a bad level.
pub fn get(daemon: &Daemon, query: &Query) -> Answer {
    let (level, names) = (level(query)?, query.list("names"));
    let records = lock(&daemon.checks.records);
    sync(
        records
            .iter()
            .filter(|(_, record)| level.is_empty() || record.config.level == level)
            .filter(|(name, _)| names.is_empty() || names.contains(name))
            .map(|(name, record)| record.json(name))
            .collect(),
    )
}

/// `GET /v1/health`: 502 (of type sync) when a check that counts is down.
///
/// # Errors
/// 400 for a bad level.
pub fn health(daemon: &Daemon, query: &Query) -> Answer {
    let (level, names) = (level(query)?, query.list("names"));
    let records = lock(&daemon.checks.records);
    let healthy = records
        .iter()
        .filter(|(name, _)| names.is_empty() || names.contains(name))
        .filter(|(_, record)| match level {
            "alive" => record.config.level == "alive",
            "ready" => !record.config.level.is_empty(),
            _ => true,
        })
        .all(|(_, record)| record.runner.as_ref().is_none_or(|runner| !runner.down));
    sync_status(if healthy { 200 } else { 502 }, json!({"healthy": healthy}))
}

/// `POST /v1/checks`: starts or stops the named checks and tells which of them really changed.
///
/// # Errors
/// 400 for a bad action, no names, or unknown ones.
pub fn post(daemon: &Arc<Daemon>, body: &[u8]) -> Answer {
    let fields = Fields::read(body, "cannot decode data from request body", "")?;
    let (action, mut names) = (fields.text("action")?, fields.list("checks")?);
    if !["start", "stop"].contains(&action.as_str()) {
        return Err(bad(format!("invalid action {action:?}")));
    }
    if names.is_empty() {
        return Err(bad(format!("must specify checks for {action} action")));
    }
    names.sort();
    names.dedup();
    let plan = lock(&daemon.plan).sections().checks.clone();
    let unknown: Vec<&str> =
        names.iter().filter(|name| !plan.contains_key(*name)).map(String::as_str).collect();
    if !unknown.is_empty() {
        return Err(bad(format!(
            "cannot {action} checks: cannot find checks in plan: {}",
            unknown.join(", ")
        )));
    }
    let mut records = lock(&daemon.checks.records);
    let mut changed = Vec::new();
    for name in names {
        let runs = records.get(&name).is_some_and(|record| record.runner.is_some());
        let done = match (action.as_str(), runs) {
            ("start", false) => {
                if let Some(config) = plan.get(&name) {
                    start(daemon, &mut records, &name, config.clone());
                }
                true
            }
            ("stop", true) => records.get_mut(&name).is_some_and(|record| stop(daemon, record)),
            _ => false,
        };
        if done {
            changed.push(Value::from(name));
        }
    }
    sync(json!({"changed": changed}))
}

/// `POST /v1/checks/refresh`: runs a check now. One that is not active is run too, but nothing is counted.
///
/// # Errors
/// 400 without a name, 404 for an unknown check.
pub async fn refresh(daemon: &Arc<Daemon>, body: &[u8]) -> Answer {
    let name = Fields::read(body, "cannot decode data from request body", "")?.text("name")?;
    if name.is_empty() {
        return Err(bad("must specify check name"));
    }
    let config = lock(&daemon.plan).sections().checks.get(&name).cloned();
    let config = config.ok_or_else(|| Failure::new(404, format!("cannot find check with name {name:?}")))?;
    let running = lock(&daemon.checks.records).get(&name).and_then(|record| {
        let (sender, result) = oneshot::channel();
        record.runner.as_ref()?.refresh.send(sender).ok().map(|()| result)
    });
    let result = match running {
        Some(result) => result.await.unwrap_or_else(|_| Err("check was stopped".into())),
        None => probe::run(daemon, &config).await,
    };
    let info = lock(&daemon.checks.records).get(&name).map(|record| record.json(&name)).unwrap_or_default();
    match result {
        Ok(()) => sync(json!({"info": info})),
        Err(error) => sync(json!({"info": info, "error": error})),
    }
}
