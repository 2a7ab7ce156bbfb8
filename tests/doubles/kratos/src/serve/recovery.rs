//! The administrator's recovery codes and links: a flow and a code or token in the real tables.

use super::answer::{Answer, Failure, json_with};
use super::app::App;
use super::identity::{is_uuid, moment, stamp};
use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio_postgres::Client;

const NOW: &str = "(now() AT TIME ZONE 'utc')";

const DISABLED: &str = "This endpoint was disabled by system administrator. Please check your url or contact the system administrator to enable it.";

struct Ask {
    identity: String,
    seconds: f64,
}

fn read(body: &Value) -> Result<Ask, Failure> {
    let identity = body["identity_id"].as_str().unwrap_or_default().to_owned();
    if !is_uuid(&identity) {
        let length = identity.len();
        return Err(Failure::bad(format!(
            "Unable to decode JSON payload: uuid: incorrect UUID length {length} in string {identity:?}"
        )));
    }
    let text = body["expires_in"].as_str().filter(|text| !text.is_empty()).unwrap_or("1h");
    let seconds = seconds(text).ok_or_else(|| {
        Failure::bad(format!(
            "Unable to parse \"expires_in\" whose format should match \"[0-9]+(ns|us|ms|s|m|h)\" but did not: {text}"
        ))
    })?;
    Ok(Ask { identity, seconds })
}

fn seconds(text: &str) -> Option<f64> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number: f64 = text[..text.len() - unit.len()].parse().ok()?;
    let factor = match unit {
        "ns" => 1e-9,
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    Some(number * factor)
}

/// A recovery flow for the identity, for one of the methods: its id and its end.
async fn flow(
    app: &App,
    client: &Client,
    ask: &Ask,
    method: &str,
    state: &str,
) -> Result<(String, String), Failure> {
    let known = "SELECT 1 FROM identities WHERE nid = $1::text::uuid AND id = $2::text::uuid";
    if client.query_opt(known, &[&app.nid, &ask.identity]).await?.is_none() {
        return Err(Failure::new(
            StatusCode::NOT_FOUND,
            "could not find identity",
            "Unable to locate the resource",
        ));
    }
    let insert = format!(
        "INSERT INTO selfservice_recovery_flows (id, nid, request_url, active_method, csrf_token, state, issued_at, expires_at, \
         recovered_identity_id, created_at, updated_at) VALUES (gen_random_uuid(), $1::text::uuid, '', $4, '', $5, {NOW}, \
         {NOW} + make_interval(secs => $2), $3::text::uuid, {NOW}, {NOW}) RETURNING id::text, {}",
        moment("expires_at")
    );
    let row = client.query_one(&insert, &[&app.nid, &ask.seconds, &ask.identity, &method, &state]).await?;
    Ok((row.get(0), stamp(row.get(1))))
}

/// `POST /admin/recovery/code`
pub async fn code(app: &App, client: &Client, body: &Value) -> Answer {
    let config = app.config();
    // Each only looks at its method, not at the flow.
    if !config.flag(&["selfservice", "methods", "code", "enabled"], true) {
        return Err(Failure::not_found(DISABLED));
    }
    let ask = read(body)?;
    let (flow, end) = flow(app, client, &ask, "code", "sent_email").await?;
    let insert = format!(
        "INSERT INTO identity_recovery_codes (id, nid, code, code_type, issued_at, expires_at, selfservice_recovery_flow_id, \
         identity_id, created_at, updated_at) VALUES (gen_random_uuid(), $1::text::uuid, \
         lpad(floor(random() * 1000000)::int::text, 6, '0'), 1, {NOW}, {NOW} + make_interval(secs => $2), $3::text::uuid, \
         $4::text::uuid, {NOW}, {NOW}) RETURNING code"
    );
    let row = client.query_one(&insert, &[&app.nid, &ask.seconds, &flow, &ask.identity]).await?;
    app.log.info(
        "A recovery code has been created.",
        json!({ "identity_id": ask.identity, "recovery_code": super::REDACTED }),
    );
    let ui = config
        .text(&["selfservice", "flows", "recovery", "ui_url"])
        .unwrap_or("https://www.ory.sh/kratos/docs/fallback/recovery");
    let answer = json!({
        "recovery_link": format!("{ui}?flow={flow}"),
        "recovery_code": row.get::<_, String>(0),
        "expires_at": end,
    });
    Ok(json_with(StatusCode::CREATED, &answer))
}

/// `POST /admin/recovery/link`
pub async fn link(app: &App, client: &Client, body: &Value) -> Answer {
    if !app.config().flag(&["selfservice", "methods", "link", "enabled"], false) {
        return Err(Failure::not_found(DISABLED));
    }
    let ask = read(body)?;
    let (flow, end) = flow(app, client, &ask, "link", "choose_method").await?;
    let insert = format!(
        "INSERT INTO identity_recovery_tokens (id, nid, token, token_type, identity_id, selfservice_recovery_flow_id, created_at, \
         updated_at) VALUES (gen_random_uuid(), $1::text::uuid, replace(gen_random_uuid()::text, '-', ''), 1, $3::text::uuid, \
         $2::text::uuid, {NOW}, {NOW}) RETURNING token"
    );
    let row = client.query_one(&insert, &[&app.nid, &flow, &ask.identity]).await?;
    let base = app.config().base_url("public");
    let token: String = row.get(0);
    let link = format!("{base}/self-service/recovery?flow={flow}&token={token}");
    Ok(json_with(StatusCode::OK, &json!({ "recovery_link": link, "expires_at": end })))
}
