//! What the daemon says about itself.

use super::client::Client;
use super::error::Error;
use serde::Deserialize;

/// The daemon's version and boot.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SystemInfo {
    /// Such as "v1.32.1".
    #[serde(default)]
    pub version: String,
    /// The host kernel's boot id; in a container whose first process is Pebble, new at each start of the
    /// daemon.
    #[serde(default)]
    pub boot_id: String,
    pub http_address: Option<String>,
    pub https_address: Option<String>,
}

impl Client {
    /// What the daemon says about itself. The cheapest call: use it to see whether Pebble answers.
    pub async fn system_info(&self) -> Result<SystemInfo, Error> {
        self.get("/v1/system-info", &[]).await?.result("system info")
    }
}
