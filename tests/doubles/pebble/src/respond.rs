//! The envelopes of Pebble's API: sync, async and error answers, with Go's escaping and framing.
//!
//! It is given a result (or a failure) and gives an HTTP response. Bodies from 2 KiB on are sent in chunks and smaller ones
//! with a length, as Go's server does, so that a client meets both framings.

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use serde_json::{Map, Value, json};

/// A refused request: HTTP status, message, and for some the machine-readable kind.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The HTTP status.
    pub status: u16,
    /// The sentence for people.
    pub message: String,
    /// `not-found`, `permission-denied`, `generic-file-error`, `no-default-services`, `login-required`.
    pub kind: Option<&'static str>,
}

impl Failure {
    /// A failure without a kind.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), kind: None }
    }

    /// The same with a kind.
    #[must_use]
    pub fn kind(self, kind: &'static str) -> Self {
        Self { kind: Some(kind), ..self }
    }
}

/// 400 with a message.
pub fn bad(message: impl Into<String>) -> Failure {
    Failure::new(400, message)
}

/// 500 with a message.
pub fn internal(message: impl Into<String>) -> Failure {
    Failure::new(500, message)
}

/// What every handler gives.
pub type Answer = Result<Response, Failure>;

/// JSON text as Go writes it: the characters `<`, `>` and `&` are escaped inside strings.
#[must_use]
pub fn go_json(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// A response with a status, a content type and a body, framed by its size.
pub fn raw(status: u16, content_type: &str, body: impl Into<Bytes>) -> Response {
    let body = body.into();
    let body = if body.len() > 2048 {
        let chunks: Vec<_> = body
            .chunks(32 * 1024)
            .map(|chunk| Ok::<_, std::convert::Infallible>(body.slice_ref(chunk)))
            .collect();
        Body::from_stream(futures_util::stream::iter(chunks))
    } else {
        Body::from(body)
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(content_type) = HeaderValue::from_str(content_type) {
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    response
}

fn envelope(kind: &str, status: u16, change: Option<&str>, result: Value) -> Response {
    raw(status, "application/json", go_json(&envelope_value(kind, status, change, result)))
}

/// The envelope as a value; `status` also gives its reason.
#[must_use]
pub fn envelope_value(kind: &str, status: u16, change: Option<&str>, result: Value) -> Value {
    let reason =
        StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason()).unwrap_or_default();
    let mut fields = Map::new();
    fields.insert("type".into(), kind.into());
    fields.insert("status-code".into(), status.into());
    fields.insert("status".into(), reason.into());
    if let Some(change) = change {
        fields.insert("change".into(), change.into());
    }
    fields.insert("result".into(), result);
    Value::Object(fields)
}

/// 200 with a result.
pub fn sync(result: Value) -> Answer {
    Ok(envelope("sync", 200, None, result))
}

/// Type sync with another status (health answers 502 that way).
pub fn sync_status(status: u16, result: Value) -> Answer {
    Ok(envelope("sync", status, None, result))
}

/// 202 with the id of the change that now runs.
pub fn accepted(change: u64, result: Value) -> Answer {
    Ok(envelope("async", 202, Some(&change.to_string()), result))
}

/// The body of an error answer.
#[must_use]
pub fn error_value(failure: &Failure) -> Value {
    let mut result = json!({ "message": failure.message });
    if let Some(kind) = failure.kind {
        result["kind"] = kind.into();
    }
    envelope_value("error", failure.status, None, result)
}

/// The error answer.
#[must_use]
pub fn refuse(failure: &Failure) -> Response {
    raw(failure.status, "application/json", go_json(&error_value(failure)))
}
