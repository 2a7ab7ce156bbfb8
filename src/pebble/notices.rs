//! Notices: short messages to whoever listens to the daemon, which Juju hands to the charm as events.

use super::client::Client;
use super::error::Error;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Added {
    id: String,
}

impl Client {
    /// Records an occurrence of the custom notice `key` ("domain.tld/path", lower case, at most 256 bytes)
    /// with `data` (at most 4 KiB in all), and yields the notice's id, the same for each occurrence of a key.
    pub async fn notify(&self, key: &str, data: &BTreeMap<String, String>) -> Result<String, Error> {
        let body = json!({"action": "add", "type": "custom", "key": key, "data": data});
        Ok(self.post("/v1/notices", &body).await?.result::<Added>("notice")?.id)
    }
}
