//! The admin API of the unit's own Kratos, as far as the charm itself asks it.
//!
//! The charm's container and the workload's share their network, so no proxy and no ingress is in between.

use std::time::Duration;

use reqwest::{Client, StatusCode};

use super::place::Place;

/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("Kratos does not answer at {url}: {reason}")]
    Unreachable { url: String, reason: String },
    #[error("Kratos answered {0}")]
    Status(StatusCode),
}

/// A client. Making one does no I/O.
#[derive(Clone, Debug)]
pub struct Admin {
    root: String,
    /// `None` if the client could not be built, which every call then reports.
    http: Option<Client>,
}

impl Admin {
    /// The client for a workload.
    pub fn new(place: &Place) -> Self {
        let builder = Client::builder().no_proxy().timeout(LIMIT).redirect(reqwest::redirect::Policy::none());
        Self { root: place.admin_url(), http: builder.build().ok() }
    }

    /// The revision of the configuration that is loaded (Kratos v25.4.0 and newer).
    pub async fn revision(&self) -> Result<String, Error> {
        let response = self.get("/admin/health/config").await?;
        response.text().await.map(|text| text.trim().to_owned()).map_err(|error| self.unreachable(&error))
    }

    /// Whether it listens at all.
    pub async fn is_alive(&self) -> bool {
        self.get("/admin/health/alive").await.is_ok()
    }

    async fn get(&self, path: &str) -> Result<reqwest::Response, Error> {
        let http = self.http()?;
        let sent = http.get(format!("{}{path}", self.root)).send().await;
        sent.map_err(|error| self.unreachable(&error)).and_then(good)
    }

    fn http(&self) -> Result<&Client, Error> {
        let none = || Error::Unreachable { url: self.root.clone(), reason: "no HTTP client".to_owned() };
        self.http.as_ref().ok_or_else(none)
    }

    fn unreachable(&self, error: &reqwest::Error) -> Error {
        let reason = if error.is_timeout() { "no answer in time" } else { "the connection failed" };
        Error::Unreachable { url: self.root.clone(), reason: reason.to_owned() }
    }
}

fn good(response: reqwest::Response) -> Result<reqwest::Response, Error> {
    if response.status().is_success() { Ok(response) } else { Err(Error::Status(response.status())) }
}
