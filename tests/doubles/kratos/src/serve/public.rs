//! The public port: which request goes where.

use super::answer::{Answer, no_page, ok, redirect, with};
use super::app::App;
use super::http::Request;
use super::{health, session};
use axum::http::{Method, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Answers a request.
pub async fn answer(app: &App, request: &Request) -> Response {
    let segments = request.segments();
    if let ["admin", ..] = segments.as_slice() {
        return redirect(&format!("{}{}", app.config().base_url("admin"), request.path_and_query()));
    }
    let answer = route(app, request, &segments).await;
    let mut response = answer.unwrap_or_else(|failure| super::http::failed(app, request, &failure));
    if !matches!(segments.as_slice(), ["health", ..]) {
        with(&mut response, header::VARY, "Cookie");
    }
    response
}

async fn route(app: &App, request: &Request, path: &[&str]) -> Answer {
    let get = matches!(request.method, Method::GET | Method::HEAD);
    match path {
        ["health", "alive"] if get => return health::alive(),
        ["health", "ready"] if get => return health::ready_publicly(app).await,
        ["schemas"] if get => {
            let config = app.config();
            let all = config.schemas.iter().map(|(id, _, document)| json!({ "id": id, "schema": document }));
            return Ok(ok(&all.collect::<Value>()));
        }
        ["schemas", id] if get => return Ok(schema(app, id)),
        ["sessions", "whoami"] | ["self-service", "login", ..] => {}
        _ => return Ok(no_page()),
    }
    let mut client = app.pool.get().await?;
    let answer = match (request.method.as_str(), path) {
        ("GET" | "HEAD", ["sessions", "whoami"]) => {
            session::whoami(app, &client, token(request).as_deref()).await
        }
        ("GET", ["self-service", "login", "api"]) => session::start(app, &client).await,
        ("POST", ["self-service", "login"]) => {
            let flow = request.parameter("flow").unwrap_or_default();
            match request.json() {
                Ok(body) => session::login(app, &mut client, &flow, &body, &request.headers).await,
                Err(failure) => Err(failure),
            }
        }
        _ => Ok(no_page()),
    };
    app.pool.put(client);
    answer
}

fn token(request: &Request) -> Option<String> {
    let header =
        |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let bearer =
        || header("authorization").and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned));
    header("x-session-token").or_else(bearer)
}

/// An identity schema by its id, plain or as the base64 that `schema_url` carries.
fn schema(app: &App, id: &str) -> Response {
    let decoded = URL_SAFE_NO_PAD.decode(id).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let config = app.config();
    let mut all = config.schemas.iter();
    match all.find(|(known, _, _)| known == id || Some(known) == decoded.as_ref()) {
        Some((_, _, document)) => ok(document),
        None => no_page(),
    }
}
