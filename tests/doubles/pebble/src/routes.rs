//! The table of the API: which path takes which method from whom, and who answers.
//!
//! It is given a request and the user at the other end; a user other than root or the daemon's own may only look.

use std::sync::Arc;

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{ConnectInfo, State},
    http::{Method, Request, Version, header},
    response::Response,
};
use nix::unistd::Uid;
use serde_json::{Value, json};

use super::{
    VERSION,
    body::Fields,
    checks::{self, Checks},
    daemon::{Daemon, Peer},
    exec, files, lock,
    plan::Addition,
    query::Query,
    respond::{Answer, Failure, bad, internal, raw, refuse, sync},
    services,
};

/// Answers a request.
pub async fn dispatch(
    State(daemon): State<Arc<Daemon>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request<Body>,
) -> Response {
    // Go's server asks for this before anybody else sees the request.
    if request.version() == Version::HTTP_11 && !request.headers().contains_key(header::HOST) {
        return raw(400, "text/plain; charset=utf-8", "400 Bad Request: missing required Host header");
    }
    answer(&daemon, peer, request).await.unwrap_or_else(|failure| refuse(&failure))
}

/// Methods of a path, and for each whether any user may use it.
fn methods(path: &[&str]) -> Option<&'static [(Method, bool)]> {
    const READ: (Method, bool) = (Method::GET, true);
    const ADMIN_READ: (Method, bool) = (Method::GET, false);
    const WRITE: (Method, bool) = (Method::POST, false);
    Some(match path {
        ["system-info" | "health" | "changes"] | ["changes", _, "wait"] | ["notices", _] => &[READ],
        ["services" | "checks"] | ["services" | "changes", _] => &[READ, WRITE],
        ["notices"] => &[READ, (Method::POST, true)],
        ["plan" | "logs" | "metrics"] | ["tasks", _, "websocket", _] => &[ADMIN_READ],
        ["layers" | "exec" | "signals"] | ["checks", "refresh"] => &[WRITE],
        ["files" | "identities"] => &[ADMIN_READ, WRITE],
        _ => return None,
    })
}

async fn answer(daemon: &Arc<Daemon>, peer: Peer, request: Request<Body>) -> Answer {
    let upgrade = request.uri().path().contains("/websocket/");
    let (parts, body) = request.into_parts();
    // The whole body is taken before anything is refused, as Go's server does with small ones.
    let body = if upgrade {
        Bytes::new()
    } else {
        to_bytes(body, usize::MAX).await.map_err(|error| bad(format!("cannot read request body: {error}")))?
    };
    let decoded = percent_encoding::percent_decode_str(parts.uri.path()).decode_utf8_lossy().into_owned();
    let unknown = || Failure::new(404, "invalid API endpoint requested");
    let path: Vec<&str> = decoded.strip_prefix("/v1/").ok_or_else(unknown)?.split('/').collect();
    if path.iter().any(|part| part.is_empty()) {
        return Err(unknown());
    }
    let methods = methods(&path).ok_or_else(unknown)?;
    let method = parts.method.clone();
    let allowed = methods.iter().find(|(known, _)| *known == method);
    let (_, open) =
        allowed.ok_or_else(|| Failure::new(405, format!("method {:?} not allowed", method.as_str())))?;
    let uid = peer.uid.unwrap_or(u32::MAX);
    if !open && uid != 0 && uid != Uid::effective().as_raw() {
        return Err(Failure::new(401, "access denied").kind("login-required"));
    }
    let query = Query::read(parts.uri.query().unwrap_or_default());
    if let ["tasks", task, "websocket", channel] = path[..] {
        return exec::connect(daemon, task, channel, parts).await;
    }
    if method == Method::POST {
        post(daemon, uid, &path, &parts.headers, &body).await
    } else {
        get(daemon, uid, &path, &parts.headers, &query).await
    }
}

async fn get(
    daemon: &Arc<Daemon>,
    uid: u32,
    path: &[&str],
    headers: &axum::http::HeaderMap,
    query: &Query,
) -> Answer {
    match path {
        ["system-info"] => sync(json!({"boot-id": daemon.boot_id, "version": VERSION})),
        ["health"] => checks::api::health(daemon, query),
        ["checks"] => checks::api::get(daemon, query),
        ["services"] => {
            let plan = lock(&daemon.plan);
            sync(daemon.services.json(&plan.sections().services, &query.list("names")))
        }
        ["services", _] => Err(bad("not implemented")),
        ["plan"] => match query.text("format") {
            "yaml" => sync(lock(&daemon.plan).render().into()),
            other => Err(bad(format!("invalid format {other:?}"))),
        },
        ["changes"] => changes(daemon, query),
        ["changes", id] => change(daemon, id),
        ["changes", id, "wait"] => wait(daemon, id, query).await,
        ["logs"] => logs(daemon, query),
        ["notices"] => daemon.notices.get(uid, query).await,
        ["notices", id] => daemon.notices.one(id),
        ["files"] => files::get(query, headers),
        other => Err(left_out(other)),
    }
}

async fn post(
    daemon: &Arc<Daemon>,
    uid: u32,
    path: &[&str],
    headers: &axum::http::HeaderMap,
    body: &[u8],
) -> Answer {
    match path {
        ["services"] => services::actions::post(daemon, body),
        ["services", _] => Err(bad("not implemented")),
        ["layers"] => layers(daemon, body),
        ["changes", id] => abort(daemon, id, body),
        ["checks"] => checks::api::post(daemon, body),
        ["checks", "refresh"] => checks::api::refresh(daemon, body).await,
        ["exec"] => exec::post(daemon, body),
        ["files"] => files::post(headers, body),
        ["notices"] => daemon.notices.post(uid, body),
        ["signals"] => signals(daemon, body),
        other => Err(left_out(other)),
    }
}

fn left_out(path: &[&str]) -> Failure {
    internal(format!("this double of Pebble does not have /v1/{}", path.join("/")))
}

fn layers(daemon: &Arc<Daemon>, body: &[u8]) -> Answer {
    let fields = Fields::read(body, "cannot decode request body", "")?;
    let (action, label, format) = (fields.text("action")?, fields.text("label")?, fields.text("format")?);
    let (text, combine, inner) = (fields.text("layer")?, fields.flag("combine")?, fields.flag("inner")?);
    if action != "add" {
        return Err(bad(format!("invalid action {action:?}")));
    }
    if label.is_empty() {
        return Err(bad("label must be set"));
    }
    if format != "yaml" {
        return Err(bad(format!("invalid format {format:?}")));
    }
    lock(&daemon.plan).add(&Addition { label: &label, text: &text, combine, inner })?;
    Checks::plan_changed(daemon);
    sync(true.into())
}

fn changes(daemon: &Daemon, query: &Query) -> Answer {
    let ready = match query.text("select") {
        "" | "in-progress" => Some(false),
        "ready" => Some(true),
        "all" => None,
        _ => return Err(bad("select should be one of: all,in-progress,ready")),
    };
    sync(Value::Array(daemon.changes.list(ready, query.text("for"))))
}

fn unknown_change(id: &str) -> Failure {
    Failure::new(404, format!("cannot find change with id {id:?}"))
}

fn change(daemon: &Daemon, id: &str) -> Answer {
    id.parse()
        .ok()
        .and_then(|number| daemon.changes.json(number))
        .map_or_else(|| Err(unknown_change(id)), sync)
}

async fn wait(daemon: &Daemon, id: &str, query: &Query) -> Answer {
    let number = id.parse().ok().filter(|number| daemon.changes.json(*number).is_some());
    let number = number.ok_or_else(|| unknown_change(id))?;
    let timeout = query.duration("timeout")?.filter(|timeout| timeout.0 != 0);
    let ready = daemon.changes.wait(number, timeout.map(super::duration::GoDuration::to_std)).await;
    match (ready, timeout) {
        (Some(false), Some(timeout)) => {
            Err(Failure::new(504, format!("timed out waiting for change after {timeout}")))
        }
        _ => change(daemon, id),
    }
}

fn abort(daemon: &Daemon, id: &str, body: &[u8]) -> Answer {
    let number: u64 = id
        .parse()
        .ok()
        .filter(|number| daemon.changes.json(*number).is_some())
        .ok_or_else(|| unknown_change(id))?;
    let action = Fields::read(body, "cannot decode data from request body", "")?.text("action")?;
    if action != "abort" {
        return Err(bad(format!("invalid action {action:?}")));
    }
    match daemon.changes.abort(number) {
        Some(true) => change(daemon, id),
        Some(false) => Err(bad(format!("cannot abort change {id} with nothing pending"))),
        None => Err(unknown_change(id)),
    }
}

fn logs(daemon: &Daemon, query: &Query) -> Answer {
    match query.text("follow") {
        "" | "false" => {}
        "true" => return Err(internal("this double of Pebble does not follow logs")),
        _ => return Err(bad("follow parameter must be \"true\" or \"false\"")),
    }
    let count = match query.text("n") {
        "" => Some(30),
        "-1" => None,
        text => Some(text.parse().map_err(|_| bad("n must be -1, 0, or a positive integer"))?),
    };
    Ok(raw(200, "application/x-ndjson", daemon.logs.ndjson(&query.list("services"), count)))
}

/// Signals the services one by one; those that can be signalled are, whatever becomes of the others.
fn signals(daemon: &Daemon, body: &[u8]) -> Answer {
    let fields = Fields::read(body, "cannot decode request body", "")?;
    let (signal, names) = (fields.text("signal")?, fields.list("services")?);
    if names.is_empty() {
        return Err(bad("must specify one or more services"));
    }
    let errors: Vec<String> =
        names.iter().filter_map(|name| daemon.services.signal(name, &signal).err()).collect();
    if errors.is_empty() { sync(true.into()) } else { Err(internal(errors.join("; "))) }
}
