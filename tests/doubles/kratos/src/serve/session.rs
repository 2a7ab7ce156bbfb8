//! Signing in with a password by the API flow, and the sessions that come of it.

use super::answer::{Answer, Failure, json_with, nothing, ok, with};
use super::app::App;
use super::identity::{Detail, is_uuid, moment, one, stamp};
use super::write::hash;
use axum::http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use tokio_postgres::{Client, Row};

const NOW: &str = "(now() AT TIME ZONE 'utc')";

/// `GET /self-service/login/api`: a flow.
pub async fn start(app: &App, client: &Client) -> Answer {
    let insert = format!(
        "INSERT INTO selfservice_login_flows (id, nid, request_url, active_method, csrf_token, internal_context, issued_at, \
         expires_at, created_at, updated_at) VALUES (gen_random_uuid(), $1::text::uuid, '', '', '', '{{}}', {NOW}, \
         {NOW} + interval '1 hour', {NOW}, {NOW}) RETURNING id::text, {}, {}",
        moment("issued_at"),
        moment("expires_at")
    );
    let row = client.query_one(&insert, &[&app.nid]).await?;
    let id: String = row.get(0);
    let base = app.config().base_url("public");
    let action = format!("{base}/self-service/login?flow={id}");
    Ok(ok(&json!({
        "id": id,
        "type": "api",
        "issued_at": stamp(row.get(1)),
        "expires_at": stamp(row.get(2)),
        "request_url": format!("{base}/self-service/login/api"),
        "ui": { "action": action, "method": "POST", "nodes": [] },
        "state": "choose_method",
    })))
}

/// `POST /self-service/login?flow=ID` with `method`, `identifier`, `password`.
pub async fn login(app: &App, client: &mut Client, flow: &str, body: &Value, headers: &HeaderMap) -> Answer {
    let known = "SELECT 1 FROM selfservice_login_flows WHERE nid = $1::text::uuid AND id = $2::text::uuid";
    if !is_uuid(flow) || client.query_opt(known, &[&app.nid, &flow]).await?.is_none() {
        return Err(Failure::absent());
    }
    let name = body["identifier"].as_str().unwrap_or_default().trim().to_lowercase();
    let find = "SELECT c.identity_id::text, s.state FROM identity_credentials c \
        JOIN identity_credential_types t ON t.id = c.identity_credential_type_id AND t.name = 'password' \
        JOIN identity_credential_identifiers i ON i.identity_credential_id = c.id JOIN identities s ON s.id = c.identity_id \
        WHERE c.nid = $1::text::uuid AND i.identifier = $2 AND c.config ->> 'hashed_password' = $3";
    let hashed = hash(body["password"].as_str().unwrap_or_default());
    let Some(user) = client.query_opt(find, &[&app.nid, &name, &hashed]).await? else {
        let text = "The provided credentials are invalid, check for spelling mistakes in your password or username, email address, or phone number.";
        let message = json!({ "id": 4_000_006, "text": text, "type": "error" });
        return Ok(json_with(
            StatusCode::BAD_REQUEST,
            &json!({ "id": flow, "type": "api", "ui": { "messages": [message] } }),
        ));
    };
    if user.get::<_, String>(1) != "active" {
        return Err(Failure::new(
            StatusCode::UNAUTHORIZED,
            "identity is disabled",
            "The request could not be authorized",
        ));
    }
    let identity: String = user.get(0);
    let token = issue(app, client, &identity, headers).await.map_err(|error| {
        // The original answers a failed insertion with status 400 around the code 500.
        let internal = error.code == StatusCode::INTERNAL_SERVER_ERROR;
        let message = format!("named insert: {}", error.message);
        if internal { Failure { status: StatusCode::BAD_REQUEST, message, ..error } } else { error }
    })?;
    let session = by_token(app, client, &token).await?.ok_or_else(Failure::absent)?;
    Ok(ok(&json!({ "session_token": token, "session": session, "continue_with": null })))
}

async fn issue(
    app: &App,
    client: &mut Client,
    identity: &str,
    headers: &HeaderMap,
) -> Result<String, Failure> {
    let transaction = client.transaction().await?;
    let methods = format!(
        "jsonb_build_array(jsonb_build_object('method', 'password', 'aal', 'aal1', 'completed_at', {} || 'Z'))",
        moment(NOW)
    );
    let insert = format!(
        "INSERT INTO sessions (id, nid, identity_id, token, logout_token, active, aal, authentication_methods, issued_at, \
         authenticated_at, expires_at, created_at, updated_at) VALUES (gen_random_uuid(), $1::text::uuid, $2::text::uuid, \
         'ory_st_' || replace(gen_random_uuid()::text, '-', ''), 'ory_lo_' || replace(gen_random_uuid()::text, '-', ''), true, \
         'aal1', {methods}, {NOW}, {NOW}, {NOW} + interval '24 hours', {NOW}, {NOW}) RETURNING id::text, token"
    );
    let row = transaction.query_one(&insert, &[&app.nid, &identity]).await?;
    let (session, token): (String, String) = (row.get(0), row.get(1));
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let (column, value) =
        if app.release.writes_identity_id() { (", identity_id", ", s.identity_id") } else { ("", "") };
    let insert = format!(
        "INSERT INTO session_devices (id, nid, session_id, ip_address, user_agent, location, created_at, updated_at{column}) \
         SELECT gen_random_uuid(), s.nid, s.id, '127.0.0.1', $2, '', {NOW}, {NOW}{value} FROM sessions s WHERE s.id = $1::text::uuid"
    );
    transaction.execute(&insert, &[&session, &agent]).await?;
    transaction.commit().await?;
    Ok(token)
}

fn columns() -> String {
    let times = ["s.expires_at", "s.authenticated_at", "s.issued_at"].map(moment).join(", ");
    format!(
        "s.id::text, s.active AND s.expires_at > {NOW}, {times}, s.aal, s.authentication_methods::text, s.identity_id::text"
    )
}

async fn assemble(app: &App, client: &Client, row: &Row, whole: bool) -> Result<Value, Failure> {
    let methods: Option<Value> = serde_json::from_str(row.get(6)).ok();
    let (mut identity, mut devices) = (Value::Null, Value::Null);
    if whole {
        let detail = Detail { public: true, ..Detail::default() };
        identity = one(app, client, row.get(7), &detail).await?;
        let sql = "SELECT id::text, ip_address, user_agent, location FROM session_devices WHERE session_id = $1::text::uuid";
        let rows = client.query(sql, &[&row.get::<_, String>(0)]).await?;
        let device = |row: &Row| {
            let field = |at: usize| row.get::<_, Option<String>>(at).unwrap_or_default();
            json!({ "id": field(0), "ip_address": field(1), "user_agent": field(2), "location": field(3) })
        };
        devices = rows.iter().map(device).collect();
    }
    Ok(json!({
        "id": row.get::<_, String>(0),
        "active": row.get::<_, bool>(1),
        "expires_at": stamp(row.get(2)),
        "authenticated_at": stamp(row.get(3)),
        "authenticator_assurance_level": row.get::<_, String>(5),
        "authentication_methods": methods,
        "issued_at": stamp(row.get(4)),
        "identity": identity,
        "devices": devices,
    }))
}

async fn by_token(app: &App, client: &Client, token: &str) -> Result<Option<Value>, Failure> {
    let sql = format!("SELECT {} FROM sessions s WHERE s.nid = $1::text::uuid AND s.token = $2", columns());
    match client.query_opt(&sql, &[&app.nid, &token]).await? {
        Some(row) => assemble(app, client, &row, true).await.map(Some),
        None => Ok(None),
    }
}

/// `GET /sessions/whoami`
pub async fn whoami(app: &App, client: &Client, token: Option<&str>) -> Answer {
    let found = match token {
        Some(token) => by_token(app, client, token).await?.filter(|session| session["active"] == true),
        None => None,
    };
    let Some(session) = found else {
        return Err(Failure::new(
            StatusCode::UNAUTHORIZED,
            "No valid session credentials found in the request.",
            "The request could not be authorized",
        ));
    };
    let mut response = ok(&session);
    let id = session["identity"]["id"].as_str().unwrap_or_default();
    with(&mut response, header::HeaderName::from_static("x-kratos-authenticated-identity-id"), id);
    Ok(response)
}

/// `GET /admin/identities/ID/sessions` and, without an identity, `GET /admin/sessions`.
pub async fn list(app: &App, client: &Client, identity: Option<&str>, active: Option<bool>) -> Answer {
    if identity.is_some_and(|id| !is_uuid(id)) {
        return Err(Failure::absent());
    }
    let sql = format!(
        "SELECT {} FROM sessions s WHERE s.nid = $1::text::uuid AND ($2::text IS NULL OR s.identity_id = $2::text::uuid) \
         AND ($3::bool IS NULL OR (s.active AND s.expires_at > {NOW}) = $3::bool) ORDER BY s.created_at DESC, s.id LIMIT 250",
        columns()
    );
    let mut sessions = Vec::new();
    for row in client.query(&sql, &[&app.nid, &identity, &active]).await? {
        sessions.push(assemble(app, client, &row, identity.is_some()).await?);
    }
    Ok(ok(&sessions.into()))
}

/// `DELETE /admin/identities/ID/sessions`: 404 when there are none.
pub async fn end_all(app: &App, client: &Client, identity: &str) -> Answer {
    if !is_uuid(identity) {
        return Err(Failure::absent());
    }
    let delete = "DELETE FROM sessions WHERE nid = $1::text::uuid AND identity_id = $2::text::uuid";
    match client.execute(delete, &[&app.nid, &identity]).await? {
        0 => Err(Failure::absent()),
        _ => Ok(nothing()),
    }
}
