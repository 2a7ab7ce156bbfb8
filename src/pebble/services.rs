//! Services: their state, and the actions on them.

use super::changes::ChangeId;
use super::client::Client;
use super::error::Error;
use super::plan::Startup;
use super::values::open_enum;
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

impl ServiceInfo {
    /// Whether the service runs, or is being started.
    pub fn is_running(&self) -> bool {
        self.current == ServiceStatus::Active
    }
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

    /// Starts services and what they require. The change takes at least the second that Pebble watches a new
    /// process.
    pub async fn start<S: AsRef<str>>(&self, names: &[S]) -> Result<ChangeId, Error> {
        self.service_action("start", names).await
    }

    /// Stops services and what requires them.
    pub async fn stop<S: AsRef<str>>(&self, names: &[S]) -> Result<ChangeId, Error> {
        self.service_action("stop", names).await
    }

    /// Stops the named services and starts them again, with what they require.
    pub async fn restart<S: AsRef<str>>(&self, names: &[S]) -> Result<ChangeId, Error> {
        self.service_action("restart", names).await
    }

    /// Starts all services whose startup is enabled; none at all is an API error of kind
    /// "no-default-services".
    pub async fn autostart(&self) -> Result<ChangeId, Error> {
        self.service_action::<&str>("autostart", &[]).await
    }

    /// Restarts what changed in the plan since it was started, and starts what is enabled and down.
    ///
    /// A stopped service whose configuration changed is started too, even a disabled one.
    pub async fn replan(&self) -> Result<ChangeId, Error> {
        self.service_action::<&str>("replan", &[]).await
    }

    async fn service_action<S: AsRef<str>>(&self, action: &str, names: &[S]) -> Result<ChangeId, Error> {
        let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        let answer = self.post("/v1/services", &json!({"action": action, "services": names})).await?;
        Ok(answer.change()?.0)
    }

    /// Sends a signal ("SIGHUP") to the main process of each service. Pebble signals those it can even if it
    /// refuses others.
    pub async fn send_signal<S: AsRef<str>>(&self, signal: &str, names: &[S]) -> Result<(), Error> {
        let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        self.post("/v1/signals", &json!({"signal": signal, "services": names})).await?;
        Ok(())
    }
}
