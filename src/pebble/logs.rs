//! The last output of services, as Pebble keeps it (about 100 KiB for each).

use super::client::Client;
use super::envelope::Envelope;
use super::error::Error;
use reqwest::Method;
use serde::Deserialize;

/// One line of a service's output.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LogEntry {
    /// RFC 3339 in milliseconds, the zeros at its end cut.
    pub time: String,
    pub service: String,
    /// Without its end of line; a line longer than about 4 KiB comes in several entries.
    pub message: String,
}

impl Client {
    /// The newest `count` lines (None: all that is kept) of the named services together, oldest first. No
    /// names give no lines.
    pub async fn logs<S: AsRef<str>>(
        &self,
        services: &[S],
        count: Option<u32>,
    ) -> Result<Vec<LogEntry>, Error> {
        if services.is_empty() {
            return Ok(Vec::new());
        }
        let count = count.map_or_else(|| "-1".to_owned(), |n| n.to_string());
        let mut query: Vec<_> = services.iter().map(|name| ("services", name.as_ref())).collect();
        query.push(("n", &count));
        let request = self.request(Method::GET, "/v1/logs")?.query(&query);
        let response = self.send(request, self.timeout()).await?;
        let status = response.status().as_u16();
        let body = self.body(response).await?;
        if status != 200 {
            Envelope::read("GET /v1/logs", status, &body)?;
        }
        entries(&body)
    }
}

fn entries(body: &[u8]) -> Result<Vec<LogEntry>, Error> {
    serde_json::Deserializer::from_slice(body)
        .into_iter()
        .collect::<Result<_, _>>()
        .map_err(|error| Error::protocol(format!("log entry: {error}")))
}
