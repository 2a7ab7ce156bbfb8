//! A client of Kratos' admin API: the calls that the identity actions need, each with a deadline.
//!
//! Given where the workload listens, it makes one HTTP request per call and gives the answer's JSON or an [`Error`] that
//! tells what to do. All containers of a pod share one network, so the address is the pod's own and no proxy stands
//! in between. No request body and no secret ever stands in an error.

mod error;
mod health;
mod identities;
mod plain;

use std::error::Error as _;
use std::time::Duration;

use reqwest::{Client, Method, Response, Url, redirect};
use serde::Serialize;
use serde_json::Value;

pub use error::Error;
pub use identities::{Page, PublishedSchema, RecoveryCode};
pub use plain::{Exact, PLAIN, Plain, Whole};

use crate::kratos::names::{PUBLIC_PORT, Place};

/// The result of a call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// How long a connection may take: both ends are in the same pod.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// How long a whole call may take. Kratos hashes a password within it, and an action ends soon after a Kratos that accepts
/// connections has said nothing.
const CALL_LIMIT: Duration = Duration::from_secs(10);
/// No answer that the actions ask for is larger, in bytes.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;

/// A request without a body.
const NO_BODY: Option<&Value> = None;

/// The admin API of one workload.
#[derive(Clone, Debug)]
pub struct Admin {
    /// `None` if the client could not be built, which every call then reports.
    http: Option<Client>,
    admin: String,
    /// The public API: only there are the identity schemas listed.
    public: String,
    limit: Duration,
}

/// What came back.
struct Answer {
    code: u16,
    body: Vec<u8>,
    /// The `Link` headers, joined.
    links: String,
}

impl Admin {
    /// The API of the workload at this place. Making it does no I/O.
    pub fn new(place: &Place) -> Self {
        Self::at(place.admin_url(), format!("http://{}:{PUBLIC_PORT}", place.check_host()), CALL_LIMIT)
    }

    /// The API at these two base URLs; a call may take `limit`.
    pub fn at(admin: String, public: String, limit: Duration) -> Self {
        let http = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_LIMIT.min(limit))
            .timeout(limit)
            .build()
            .ok();
        Self { http, admin, public, limit }
    }

    /// Calls the admin API; every part of the path is encoded.
    async fn call(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<Answer> {
        let path: Vec<&str> = std::iter::once("admin").chain(path.iter().copied()).collect();
        self.send(&self.admin, method, &path, query, body).await
    }

    async fn send(
        &self,
        base: &str,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<Answer> {
        let none = || Error::Unreachable { address: base.to_owned(), reason: "no HTTP client".to_owned() };
        let http = self.http.as_ref().ok_or_else(none)?;
        let mut request = http.request(method, url(base, path)?);
        if !query.is_empty() {
            request = request.query(query);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| self.lost(base, &error))?;
        let status = response.status();
        let links = links(&response);
        let body = self.read(base, response).await?;
        if status.is_success() {
            return Ok(Answer { code: status.as_u16(), body, links });
        }
        Err(Error::from_answer(status.as_u16(), &body))
    }

    async fn read(&self, base: &str, mut response: Response) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.lost(base, &error))? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(Error::Unexpected { what: format!("more than {LARGEST_ANSWER} bytes") });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn lost(&self, base: &str, error: &reqwest::Error) -> Error {
        let address = base.trim_start_matches("http://").to_owned();
        if error.is_timeout() {
            return Error::Timeout { address, limit: self.limit };
        }
        // The innermost cause is the one that says it ("connection refused"); the URL, with its query, is left out.
        let mut cause = error.source();
        let mut reason = "the connection broke".to_owned();
        while let Some(inner) = cause {
            reason = inner.to_string();
            cause = inner.source();
        }
        Error::Unreachable { address, reason }
    }
}

impl Answer {
    /// What Kratos answers to a deletion: 204 and nothing else.
    fn nothing(self) -> Result<()> {
        match self.code {
            204 => Ok(()),
            code => Err(Error::Unexpected { what: format!("status {code} instead of 204") }),
        }
    }

    fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| unreadable(&error))
    }

    fn exact(&self) -> Result<Exact> {
        Exact::parse(&self.body).map_err(|error| unreadable(&error))
    }
}

/// The parser quotes what it read, which may be a credential; the position does not.
fn unreadable(error: &serde_json::Error) -> Error {
    let (line, column) = (error.line(), error.column());
    Error::Unexpected { what: format!("no JSON of the expected shape (line {line} column {column})") }
}

fn url(base: &str, path: &[&str]) -> Result<Url> {
    let unusable = || Error::Unexpected { what: format!("{base} is no base of a URL") };
    let mut url = Url::parse(base).map_err(|_| unusable())?;
    url.path_segments_mut().map_err(|()| unusable())?.pop_if_empty().extend(path);
    Ok(url)
}

fn links(response: &Response) -> String {
    let values = response.headers().get_all(reqwest::header::LINK).iter();
    values.filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_path_stays_one_part() {
        let made = url("http://h:4434", &["admin", "identities", "a/../b?c#d e"]).unwrap();
        assert_eq!(made.as_str(), "http://h:4434/admin/identities/a%2F..%2Fb%3Fc%23d%20e");
    }

    #[tokio::test]
    async fn nobody_there_is_told_at_once() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let base = format!("http://{address}");
        let admin = Admin::at(base.clone(), base, Duration::from_secs(5));
        let error = admin.delete("x").await.unwrap_err();
        assert_eq!(error.kind(), "unreachable");
        assert!(error.to_string().contains(&format!("at {address}: ")), "{error}");
    }
}
