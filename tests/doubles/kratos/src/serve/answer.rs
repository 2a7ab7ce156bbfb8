//! Answers in the forms of the original: JSON, its error envelope, and the plain texts of its router.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};
use tokio_postgres::error::SqlState;

use super::super::database::sql_error;

/// A failed request: what the envelope says.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The status of the answer, which may differ from the code inside (503 around 500).
    pub status: StatusCode,
    /// The code inside the envelope.
    pub code: StatusCode,
    /// The useful text, if any.
    pub reason: Option<String>,
    /// The generic text.
    pub message: String,
}

impl Failure {
    /// A failure with a reason.
    pub fn new(code: StatusCode, reason: impl Into<String>, message: &str) -> Self {
        Failure { status: code, code, reason: Some(reason.into()), message: message.into() }
    }

    /// 400 with the generic message.
    pub fn bad(reason: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            reason,
            "The request was malformed or contained invalid parameters",
        )
    }

    /// 400 for a body that is no JSON.
    pub fn unreadable(message: impl Into<String>) -> Self {
        let code = StatusCode::BAD_REQUEST;
        Failure { status: code, code, reason: None, message: message.into() }
    }

    /// 404 for a row that is not there.
    pub fn absent() -> Self {
        let code = StatusCode::NOT_FOUND;
        Failure { status: code, code, reason: None, message: "Unable to locate the resource".into() }
    }

    /// 404 with a reason.
    pub fn not_found(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, reason, "The requested resource could not be found")
    }

    /// 500 with the text of an error.
    pub fn internal(message: impl Into<String>) -> Self {
        let code = StatusCode::INTERNAL_SERVER_ERROR;
        Failure { status: code, code, reason: None, message: message.into() }
    }

    /// The failure as an answer.
    pub fn answer(&self) -> Response {
        let mut error = json!({ "code": self.code.as_u16(), "status": self.code.canonical_reason() });
        if let Some(reason) = &self.reason {
            error["reason"] = reason.as_str().into();
        }
        error["message"] = self.message.as_str().into();
        let mut response = body(self.status, "application/json", format!("{}\n", json!({ "error": error })));
        response.headers_mut().insert("ory-error-id", HeaderValue::from_static(""));
        response
    }
}

/// How the original words an error of the database to its client.
impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.code() {
            Some(&SqlState::UNDEFINED_TABLE) => Failure::internal("Unable to locate the table"),
            Some(&SqlState::UNDEFINED_COLUMN) => Failure::internal("Unable to locate the column"),
            Some(&SqlState::UNIQUE_VIOLATION) => Failure::new(
                StatusCode::CONFLICT,
                "This identity conflicts with another identity that already exists.",
                "The resource could not be created due to a conflict",
            ),
            _ => Failure::internal(sql_error(&error)),
        }
    }
}

/// An answer or a failure.
pub type Answer = Result<Response, Failure>;

/// JSON with a status.
pub fn json_with(status: StatusCode, value: &Value) -> Response {
    body(status, "application/json; charset=utf-8", format!("{value}\n"))
}

/// JSON with status 200.
pub fn ok(value: &Value) -> Response {
    json_with(StatusCode::OK, value)
}

/// 204.
pub fn nothing() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Plain text, as the router of the original answers.
pub fn text(status: StatusCode, text: &str) -> Response {
    let mut response = body(status, "text/plain; charset=utf-8", text.into());
    response.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}

/// 404 of the router.
pub fn no_page() -> Response {
    text(StatusCode::NOT_FOUND, "404 page not found\n")
}

/// 405 of the router.
pub fn wrong_method(allow: &'static str) -> Response {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n");
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}

/// 307 with the page that the original sends along.
pub fn redirect(location: &str) -> Response {
    let page = format!("<a href=\"{location}\">Temporary Redirect</a>.\n\n");
    let mut response = body(StatusCode::TEMPORARY_REDIRECT, "text/html; charset=utf-8", page);
    with(&mut response, header::LOCATION, location);
    response
}

/// Sets a header, if the value may stand in one.
pub fn with(response: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Any body with its type.
pub fn body(status: StatusCode, kind: &'static str, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
