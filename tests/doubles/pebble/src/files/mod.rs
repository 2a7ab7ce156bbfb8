//! Files: reading, listing, writing, making directories, removing, as `GET` and `POST /v1/files` do it.
//!
//! It is given requests and works on the real file system; the errors of single paths stand in the result, with Pebble's
//! kinds and Go's words.

mod change;
mod glob;
mod list;
mod multipart;
mod write;

use std::{io, path::Path};

use axum::http::{HeaderMap, header};
use serde_json::{Value, json};

use super::{
    body::{Fields, first_value},
    process::system_words,
    query::Query,
    respond::{Answer, Failure, bad, envelope_value, go_json, raw, sync},
    users,
};

/// Why one path failed.
#[derive(Debug)]
pub(super) struct PathError {
    kind: &'static str,
    message: String,
}

impl PathError {
    fn generic(message: impl Into<String>) -> Self {
        Self { kind: "generic-file-error", message: message.into() }
    }

    /// An error of the system on a path: `open /x: permission denied`.
    fn of(operation: &str, path: &str, error: &io::Error) -> Self {
        Self { kind: kind(error), message: format!("{operation} {path}: {}", system_words(error)) }
    }

    fn json(&self) -> Value {
        json!({"message": self.message, "kind": self.kind})
    }
}

fn kind(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "not-found",
        io::ErrorKind::PermissionDenied => "permission-denied",
        _ => "generic-file-error",
    }
}

/// The result of one path: its name, and the error if there is one.
fn outcome(path: &str, result: Result<(), PathError>) -> Value {
    match result {
        Ok(()) => json!({"path": path}),
        Err(error) => json!({"path": path, "error": error.json()}),
    }
}

fn absolute(path: &str) -> Result<(), PathError> {
    if path.starts_with('/') {
        Ok(())
    } else {
        Err(PathError::generic(format!("paths must be absolute, got {path:?}")))
    }
}

/// Permissions of a request: exactly three octal digits, or the default.
fn permissions(text: &str, default: u32) -> Result<u32, PathError> {
    if text.is_empty() {
        return Ok(default);
    }
    let octal = text.len() == 3 && text.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    let mode = octal.then(|| u32::from_str_radix(text, 8).ok()).flatten();
    mode.ok_or_else(|| {
        PathError::generic(format!("permissions must be a 3-digit octal string, got {text:?}"))
    })
}

/// The owner that a request names.
fn owner(fields: &Fields) -> Result<Result<Option<users::Identity>, PathError>, Failure> {
    let wanted = users::Wanted {
        user_id: fields.number("user-id")?,
        user: fields.text("user")?,
        group_id: fields.number("group-id")?,
        group: fields.text("group")?,
    };
    Ok(users::resolve(&wanted)
        .map_err(|error| PathError::generic(format!("cannot look up user and group: {error}"))))
}

/// `GET /v1/files`.
///
/// # Errors
/// 400 for a bad request; for a listing also 404 and 403.
pub fn get(query: &Query, headers: &HeaderMap) -> Answer {
    match query.text("action") {
        "read" => {
            if headers.get(header::ACCEPT).is_none_or(|accept| accept != "multipart/form-data") {
                return Err(bad("must accept multipart/form-data"));
            }
            let paths = query.all("path");
            if paths.is_empty() {
                return Err(bad("must specify one or more paths"));
            }
            Ok(read(&paths))
        }
        "list" => list::answer(query),
        other => Err(bad(format!("invalid action {other:?}"))),
    }
}

/// A multipart body with a part for each file that could be read, and the result of all of them at the end.
fn read(paths: &[&str]) -> axum::response::Response {
    let boundary = multipart::boundary();
    let mut body = Vec::new();
    let mut results = Vec::new();
    for path in paths {
        let result = content(path).map(|content| {
            let name = multipart::escape(path);
            let heading = format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{name}\"\r\n\
                 Content-Type: application/octet-stream\r\n\r\n"
            );
            body.extend_from_slice(heading.as_bytes());
            body.extend_from_slice(&content);
            body.extend_from_slice(b"\r\n");
        });
        results.push(outcome(path, result));
    }
    let response = go_json(&envelope_value("sync", 200, None, Value::Array(results)));
    let ending = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"response\"\r\n\
         Content-Type: application/json\r\n\r\n{response}\n\r\n--{boundary}--\r\n"
    );
    body.extend_from_slice(ending.as_bytes());
    raw(200, &format!("multipart/form-data; boundary={boundary}"), body)
}

fn content(path: &str) -> Result<Vec<u8>, PathError> {
    absolute(path)?;
    let metadata = Path::new(path).metadata().map_err(|error| PathError::of("stat", path, &error))?;
    if !metadata.is_file() {
        return Err(PathError::generic(format!("can only read a regular file: {path:?}")));
    }
    std::fs::read(path).map_err(|error| PathError::of("open", path, &error))
}

/// `POST /v1/files`.
///
/// # Errors
/// 400 for a request that cannot be understood as a whole; the errors of paths stand in the result.
pub fn post(headers: &HeaderMap, body: &[u8]) -> Answer {
    const DECODE: &str = "cannot decode request body";
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media_type.as_str() {
        "multipart/form-data" => write::answer(content_type, body),
        "application/json" => {
            let value = first_value(body).map_err(|error| bad(format!("{DECODE}: {error}")))?;
            let fields = Fields::of(&value, DECODE, "");
            match fields.text("action")?.as_str() {
                "make-dirs" => change::make_directories(&fields),
                "remove" => change::remove(&fields),
                "write" => Err(bad("must use multipart with \"write\" action")),
                other => Err(bad(format!("invalid action {other:?}"))),
            }
        }
        "" => Err(bad(format!("invalid Content-Type {content_type:?}"))),
        other => Err(bad(format!("invalid media type {other:?}"))),
    }
}

fn results(results: Vec<Value>) -> Answer {
    sync(Value::Array(results))
}
