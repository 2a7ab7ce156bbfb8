//! The admin port: which request goes where.

use super::answer::{Answer, Failure, json_with, no_page, nothing, ok, redirect, with, wrong_method};
use super::app::App;
use super::http::Request;
use super::identity::{self, Detail};
use super::{credentials, health, patch, recovery, session, write};
use axum::http::{Method, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};
use tokio_postgres::Client;

/// The paths that stand below `/admin`; older releases redirect them when the prefix is left out.
const PREFIXED: &[&str] = &["identities", "sessions", "recovery", "courier", "health", "version", "metrics"];

/// Answers a request; `true` if its path was an admin path.
pub async fn answer(app: &App, request: &Request) -> Response {
    let segments = request.segments();
    let known = segments.first().is_some_and(|first| PREFIXED.contains(first));
    let rest = match segments.as_slice() {
        ["admin", rest @ ..] => rest,
        rest if known && app.release.answers_without_prefix() => rest,
        _ if known => return redirect(&format!("/admin{}", request.path_and_query())),
        ["schemas", ..] => {
            return redirect(&format!("{}{}", app.config().base_url("public"), request.path_and_query()));
        }
        _ => return no_page(),
    };
    route(app, request, rest).await.unwrap_or_else(|failure| super::http::failed(app, request, &failure))
}

async fn route(app: &App, request: &Request, path: &[&str]) -> Answer {
    let get = matches!(request.method, Method::GET | Method::HEAD);
    match path {
        ["health", "alive"] if get => return health::alive(),
        ["health", "ready"] if get => return health::ready(app).await,
        ["health", "config"] if get && app.release.has_revision() => return health::revision(app),
        ["version"] if get => return health::version(app),
        ["metrics", "prometheus"] if get => return health::metrics(),
        ["health" | "version" | "metrics", ..] => return Ok(no_page()),
        ["identities" | "sessions" | "recovery" | "courier", ..] => {}
        _ => return Ok(no_page()),
    }
    let mut client = app.pool.get().await?;
    let answer = with_database(app, request, path, &mut client).await;
    app.pool.put(client);
    answer
}

async fn with_database(app: &App, request: &Request, path: &[&str], client: &mut Client) -> Answer {
    match (request.method.as_str(), path) {
        ("GET" | "HEAD", ["identities"]) => list(app, client, request).await,
        ("POST", ["identities"]) => create(app, client, &request.json()?).await,
        ("PATCH", ["identities"]) => batch(app, client, &request.json()?).await,
        (_, ["identities"]) => Ok(wrong_method("GET, HEAD, PATCH, POST")),
        ("GET" | "HEAD", ["identities", "by", "external", name]) if app.release.has_external_id() => {
            Ok(ok(&identity::by_external_id(app, client, name, &detail(request, true)).await?))
        }
        ("GET" | "HEAD", ["identities", id]) => {
            Ok(ok(&identity::one(app, client, id, &detail(request, true)).await?))
        }
        ("PUT", ["identities", id]) => {
            let body = request.json()?;
            write::replace(app, client, id, &body).await?;
            Ok(ok(&written(app, client, id, &body, None).await?))
        }
        ("PATCH", ["identities", id]) => patched(app, client, id, &request.json()?).await,
        ("DELETE", ["identities", id]) => write::delete(app, client, id).await.map(|()| nothing()),
        (_, ["identities", _]) => Ok(wrong_method("DELETE, GET, HEAD, PATCH, PUT")),
        ("GET" | "HEAD", ["identities", id, "sessions"]) => {
            session::list(app, client, Some(id), request.flag("active")).await
        }
        ("DELETE", ["identities", id, "sessions"]) => session::end_all(app, client, id).await,
        ("DELETE", ["identities", id, "credentials", kind]) => {
            let identifier = request.parameter("identifier");
            credentials::remove(app, client, id, kind, identifier.as_deref()).await.map(|()| nothing())
        }
        ("GET" | "HEAD", ["sessions"]) => session::list(app, client, None, request.flag("active")).await,
        ("POST", ["recovery", "code"]) => recovery::code(app, client, &request.json()?).await,
        ("POST", ["recovery", "link"]) => recovery::link(app, client, &request.json()?).await,
        ("GET" | "HEAD", ["courier", "messages"]) => Ok(ok(&json!([]))),
        _ => Ok(no_page()),
    }
}

fn detail(request: &Request, credentials: bool) -> Detail {
    Detail { credentials, include: request.parameters("include_credential"), public: false }
}

async fn list(app: &App, client: &Client, request: &Request) -> Answer {
    let size = request.parameter("page_size").or_else(|| request.parameter("per_page"));
    let size = size.and_then(|size| size.parse::<i64>().ok()).unwrap_or(250).clamp(1, 1000);
    let first = "00000000-0000-0000-0000-000000000000";
    let mut link = Vec::new();
    let found = match request.parameter("credentials_identifier") {
        Some(name) => {
            let encoded =
                percent_encoding::utf8_percent_encode(&name, percent_encoding::NON_ALPHANUMERIC).to_string();
            let encoded = encoded.replace("%2E", ".").replace("%2D", "-").replace("%5F", "_");
            link.push(format!("credentials_identifier={encoded}"));
            identity::by_identifier(app, client, &name, &detail(request, true)).await?
        }
        None => {
            let token = request.parameter("page_token").filter(|token| !token.is_empty());
            let token = token.unwrap_or_else(|| first.into());
            if !identity::is_uuid(&token) {
                return Err(Failure::bad("The page token is invalid, do not craft your own page tokens"));
            }
            identity::page(app, client, &token, size + 1).await?
        }
    };
    link.push(format!("page_size={size}"));
    let line = |token: &str, rel: &str| {
        format!("</admin/identities?{}&page_token={token}>; rel=\"{rel}\"", link.join("&"))
    };
    let mut links = line(first, "first");
    let limit = usize::try_from(size).unwrap_or(usize::MAX);
    let more = found.len() > limit;
    let shown: Vec<Value> = found.into_iter().take(limit).collect();
    if let (true, Some(id)) = (more, shown.last().and_then(|last| last["id"].as_str())) {
        links = format!("{links},{}", line(id, "next"));
    }
    let mut response = ok(&shown.into());
    with(&mut response, header::LINK, &links);
    Ok(response)
}

async fn create(app: &App, client: &mut Client, body: &Value) -> Answer {
    let id = write::create(app, client, body).await?;
    let identity = written(app, client, &id, body, Some(())).await?;
    let mut response = json_with(StatusCode::CREATED, &identity);
    with(&mut response, header::LOCATION, &format!("{}/identities/{id}", app.config().base_url("admin")));
    Ok(response)
}

/// What the answer to a write shows: no `metadata_admin` that was not sent, and of what was made now no times of the
/// credentials.
async fn written(
    app: &App,
    client: &Client,
    id: &str,
    sent: &Value,
    new: Option<()>,
) -> Result<Value, Failure> {
    let detail = Detail { credentials: true, ..Detail::default() };
    let mut identity = identity::one(app, client, id, &detail).await?;
    if sent["metadata_admin"].is_null()
        && let Some(map) = identity.as_object_mut()
    {
        map.shift_remove("metadata_admin");
    }
    for (name, credential) in identity["credentials"].as_object_mut().into_iter().flatten() {
        if new.is_some() || !sent["credentials"][name].is_null() {
            credential["created_at"] = "0001-01-01T00:00:00Z".into();
            credential["updated_at"] = "0001-01-01T00:00:00Z".into();
        }
    }
    Ok(identity)
}

async fn patched(app: &App, client: &mut Client, id: &str, operations: &Value) -> Answer {
    let mut identity = identity::one(app, client, id, &Detail::default()).await?;
    patch::apply(&mut identity, operations)?;
    let body = json!({
        "schema_id": identity["schema_id"],
        "traits": identity["traits"],
        "state": identity["state"],
        "metadata_public": identity["metadata_public"],
        "metadata_admin": identity["metadata_admin"],
    });
    write::replace(app, client, id, &body).await?;
    let detail = Detail { credentials: true, ..Detail::default() };
    Ok(ok(&identity::one(app, client, id, &detail).await?))
}

async fn batch(app: &App, client: &mut Client, body: &Value) -> Answer {
    let mut results = Vec::new();
    for item in body["identities"].as_array().into_iter().flatten() {
        let mut result = match write::create(app, client, &item["create"]).await {
            Ok(id) => json!({ "action": "create", "identity": id }),
            Err(failure) => json!({
                "action": "error",
                "error": { "code": failure.code.as_u16(), "status": failure.code.canonical_reason(),
                    "reason": failure.reason, "message": failure.message },
            }),
        };
        if !item["patch_id"].is_null() {
            result["patch_id"] = item["patch_id"].clone();
        }
        results.push(result);
    }
    Ok(ok(&json!({ "identities": results })))
}
