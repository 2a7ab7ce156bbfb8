//! Services: their state, and the actions on them.

use super::client::Client;
use super::error::Error;
use super::plan::Startup;
use super::values::{ChangeId, open_enum};
use serde::Deserialize;
use serde_json::json;

open_enum! {
    /// What a service does now.
    ServiceStatus {
        /// Started, or being started: it becomes active before Pebble is sure that it stays.
        Active = "active",
        /// Never started or stopped; also while it is still dying.
        Inactive = "inactive",
        /// It failed and will be started again.
        Backoff = "backoff",
        /// It failed and stays down.
        Error = "error",
    }
}

/// A service of the plan and its state.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ServiceInfo {
    pub name: String,
    pub startup: Startup,
    pub current: ServiceStatus,
    /// RFC 3339; absent until the first attempt to start.
    pub current_since: Option<String>,
}

impl Client {
    /// The named services that the plan has, sorted by name; unknown names are missing. No names give no
    /// services.
    pub async fn services<S: AsRef<str>>(&self, names: &[S]) -> Result<Vec<ServiceInfo>, Error> {
        // An empty filter would mean all of them to Pebble.
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let query: Vec<_> = names.iter().map(|name| ("names", name.as_ref())).collect();
        self.get("/v1/services", &query).await?.list("services")
    }

    /// All services of the plan, sorted by name.
    pub async fn services_all(&self) -> Result<Vec<ServiceInfo>, Error> {
        self.get("/v1/services", &[]).await?.list("services")
    }

    /// Stops services and what requires them.
    pub async fn stop<S: AsRef<str>>(&self, names: &[S]) -> Result<ChangeId, Error> {
        self.service_action("stop", names).await
    }

    /// Starts the named services with what they require, after it stopped those that run. The change takes at least
    /// the second that Pebble watches a new process.
    pub async fn restart<S: AsRef<str>>(&self, names: &[S]) -> Result<ChangeId, Error> {
        self.service_action("restart", names).await
    }

    async fn service_action<S: AsRef<str>>(&self, action: &str, names: &[S]) -> Result<ChangeId, Error> {
        let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        let answer = self.post("/v1/services", &json!({"action": action, "services": names})).await?;
        Ok(answer.change()?.0)
    }
}
