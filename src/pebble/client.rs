//! The transport: requests over the unix socket, each on a connection of its own, each step with a time
//! limit.

use super::envelope::Envelope;
use super::error::Error;
use bytes::Bytes;
use reqwest::{Method, RequestBuilder, Response};
use serde::Serialize;
use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

const TIMEOUT: Duration = Duration::from_secs(5);

/// The largest JSON answer that is read: far above a full log answer, far below what would hurt the charm's
/// container.
const ANSWER_LIMIT: usize = 32 * 1024 * 1024;

/// A client of one Pebble daemon. Cloning is cheap; making one does no I/O.
#[derive(Debug, Clone)]
pub struct Client {
    socket: Arc<Path>,
    timeout: Duration,
    /// None if the HTTP client could not be built, which every call then reports.
    http: Option<reqwest::Client>,
}

impl Client {
    /// A client of the daemon whose unix socket is at `socket`.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        let socket: Arc<Path> = socket.into().into();
        let http = reqwest::Client::builder()
            .unix_socket(socket.as_ref())
            .redirect(reqwest::redirect::Policy::none())
            // A kept connection saves 0.1 ms and breaks when the daemon restarts between two calls.
            .pool_max_idle_per_host(0)
            .build()
            .ok();
        Self { socket, timeout: TIMEOUT, http }
    }

    /// The same client with another limit for each blocking step of a call (default 5 s).
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The path of the daemon's socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(super) fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, Error> {
        let http = self.http.as_ref().ok_or_else(|| {
            self.connection_error(io::Error::other(
                "the HTTP client could not be built from this environment",
            ))
        })?;
        Ok(http.request(method, format!("http://pebble{path}")))
    }

    /// GET with a query, the whole answer read.
    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Envelope, Error> {
        self.get_within(path, query, self.timeout).await
    }

    /// GET of an answer that may take as long as `limit` to begin.
    pub(super) async fn get_within(
        &self,
        path: &str,
        query: &[(&str, &str)],
        limit: Duration,
    ) -> Result<Envelope, Error> {
        let request = self.request(Method::GET, path)?.query(query);
        self.answer(&format!("GET {path}"), self.send(request, limit).await?).await
    }

    /// POST of a JSON body, the whole answer read.
    pub(super) async fn post<B: Serialize + ?Sized>(&self, path: &str, body: &B) -> Result<Envelope, Error> {
        let request = self.request(Method::POST, path)?.json(body);
        self.answer(&format!("POST {path}"), self.send(request, self.timeout).await?).await
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(&self, request: RequestBuilder, limit: Duration) -> Result<Response, Error> {
        self.within(limit, request.send()).await
    }

    /// The next piece of an answer's body, or None at its end.
    pub(super) async fn chunk(&self, response: &mut Response) -> Result<Option<Bytes>, Error> {
        self.within(self.timeout, response.chunk()).await
    }

    /// The whole body of an answer.
    pub(super) async fn body(&self, mut response: Response) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk(&mut response).await? {
            if body.len() + chunk.len() > ANSWER_LIMIT {
                return Err(Error::TooLarge {
                    what: "Pebble's answer".to_owned(),
                    limit: ANSWER_LIMIT as u64,
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Reads an answer whole and takes it out of its envelope.
    pub(super) async fn answer(&self, call: &str, response: Response) -> Result<Envelope, Error> {
        let status = response.status().as_u16();
        let body = self.body(response).await?;
        Envelope::read(call, status, &body)
    }

    /// Waits for one step of a call; a step that takes longer than `limit` is a connection that does not
    /// answer.
    async fn within<T>(
        &self,
        limit: Duration,
        step: impl Future<Output = reqwest::Result<T>>,
    ) -> Result<T, Error> {
        match timeout(limit, step).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.http_error(&error)),
            Err(_) => Err(self.no_answer(limit)),
        }
    }

    pub(super) fn no_answer(&self, after: Duration) -> Error {
        let text = format!("no answer within {:.1} s", after.as_secs_f64());
        self.connection_error(io::Error::new(io::ErrorKind::TimedOut, text))
    }

    pub(super) fn connection_error(&self, source: io::Error) -> Error {
        Error::Connection { socket: self.socket.to_path_buf(), source }
    }

    pub(super) fn http_error(&self, error: &reqwest::Error) -> Error {
        if error.is_builder() {
            return Error::Input { what: "the request cannot be built from the given arguments".to_owned() };
        }
        self.connection_error(root_cause(error))
    }
}

/// The deepest cause of a transport error as an I/O error; the layers above it only say that a request
/// failed.
pub(super) fn root_cause(error: &(dyn StdError + 'static)) -> io::Error {
    // What is no I/O error at all is a connection that ended, or spoke no HTTP, before the answer was whole.
    let mut kind = io::ErrorKind::UnexpectedEof;
    let mut cause = error;
    loop {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            if let Some(number) = io.raw_os_error() {
                return io::Error::from_raw_os_error(number);
            }
            kind = io.kind();
        }
        match cause.source() {
            Some(next) => cause = next,
            None => return io::Error::new(kind, cause.to_string()),
        }
    }
}
