//! The listeners: requests are read, logged, handed to the routes of their port, and never cut short.

use super::answer::Failure;
use super::app::App;
use super::{REDACTED, admin, public};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use axum::response::Response;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

/// Which port a request came in at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// For users.
    Public,
    /// For operators.
    Admin,
}

impl Port {
    /// The name in the configuration and the log.
    pub fn name(self) -> &'static str {
        if self == Port::Public { "public" } else { "admin" }
    }
}

/// A request, read whole.
pub struct Request {
    /// The method.
    pub method: Method,
    /// The headers.
    pub headers: HeaderMap,
    uri: Uri,
    remote: SocketAddr,
    body: Bytes,
}

impl Request {
    /// The parts of the path.
    pub fn segments(&self) -> Vec<&str> {
        self.uri.path().split('/').filter(|segment| !segment.is_empty()).collect()
    }

    /// Path and query as they came.
    pub fn path_and_query(&self) -> &str {
        self.uri.path_and_query().map_or("/", |path| path.as_str())
    }

    /// Every value of a query parameter, decoded.
    pub fn parameters(&self, name: &str) -> Vec<String> {
        let decode =
            |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        let pairs = self.uri.query().unwrap_or_default().split('&');
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.filter(|(key, _)| decode(key) == name).map(|(_, value)| decode(value)).collect()
    }

    /// The first value of a query parameter.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.parameters(name).into_iter().next()
    }

    /// A query parameter that is true or false.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.parameter(name)?.parse().ok()
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Value, Failure> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let text = if error.is_eof() { "unexpected EOF".to_owned() } else { error.to_string() };
            Failure::unreadable(text)
        })
    }

    fn logged(&self) -> Value {
        let headers = self.headers.iter().filter(|(name, _)| *name != header::HOST);
        let secret =
            [header::AUTHORIZATION, header::COOKIE, header::HeaderName::from_static("x-session-token")];
        let shown = headers.map(|(name, value)| {
            let value = if secret.contains(name) { REDACTED } else { value.to_str().unwrap_or_default() };
            (name.to_string(), Value::from(value))
        });
        json!({
            "headers": shown.collect::<Map<_, _>>(),
            "host": self.headers.get(header::HOST).and_then(|host| host.to_str().ok()),
            "method": self.method.as_str(),
            "path": self.uri.path(),
            "query": self.uri.query().map(|_| REDACTED),
            "remote": self.remote.to_string(),
            "scheme": "http",
        })
    }
}

/// The service of one port.
pub fn router(app: Arc<App>, port: Port) -> Router {
    Router::new().fallback(handle).with_state((app, port))
}

async fn handle(
    State((app, port)): State<(Arc<App>, Port)>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    request: axum::extract::Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 16 * 1024 * 1024).await.unwrap_or_default();
    let request = Request { method: parts.method, headers: parts.headers, uri: parts.uri, remote, body };
    // A client that hangs up ends nothing: its transaction runs to its end, as a connection of the original would.
    let task = tokio::spawn(async move { logged(&app, port, &request).await });
    task.await.unwrap_or_else(|_| Failure::internal("the request was not finished").answer())
}

async fn logged(app: &App, port: Port, request: &Request) -> Response {
    let start = Instant::now();
    let quiet = matches!(request.segments().as_slice(), ["health", ..] | ["admin", "health", ..])
        && app.config().flag(&["serve", port.name(), "request_log", "disable_for_health"], false);
    if !quiet {
        app.log.access("started handling request", json!({ "http_request": request.logged() }));
    }
    let mut response = match port {
        Port::Public => public::answer(app, request).await,
        Port::Admin => admin::answer(app, request).await,
    };
    let cached = matches!(request.method, Method::GET | Method::HEAD) && response.status() != 307;
    if cached || port == Port::Public && request.method == Method::GET {
        let never = HeaderValue::from_static("private, no-cache, no-store, must-revalidate");
        response.headers_mut().insert(header::CACHE_CONTROL, never);
    }
    if !quiet {
        let headers = response.headers().iter();
        let headers =
            headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().into()));
        let status = response.status();
        let answer = json!({
            "headers": headers.collect::<Map<String, Value>>(),
            "size": size(&response),
            "status": status.as_u16(),
            "text_status": status.canonical_reason(),
            "took": u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX),
        });
        let fields = json!({ "http_request": request.logged(), "http_response": answer });
        app.log.access("completed handling request", fields);
    }
    response
}

fn size(response: &Response<Body>) -> u64 {
    use axum::body::HttpBody;
    response.body().size_hint().exact().unwrap_or(0)
}

/// Logs a failure and gives its answer.
pub fn failed(app: &App, request: &Request, failure: &Failure) -> Response {
    let level = if failure.status.is_server_error() { super::Level::Error } else { super::Level::Info };
    let mut error = json!({ "message": failure.message });
    if let Some(reason) = &failure.reason {
        error["reason"] = reason.as_str().into();
    }
    let fields = json!({
        "error": error,
        "http_request": request.logged(),
        "http_response": { "status_code": failure.status.as_u16() },
    });
    app.log.log(level, "An error occurred while handling a request", fields);
    failure.answer()
}
