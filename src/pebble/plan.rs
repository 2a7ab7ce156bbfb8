//! Layers and the plan they combine to, as typed data.
//!
//! Keys that this client does not know are kept in `extra`, so that a layer that was read can be compared and
//! sent again whole. Empty lists and maps are left out: to Pebble an empty map is a change of the service
//! against an absent one.

use super::client::Client;
use super::error::Error;
use super::values::open_enum;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_yaml::Value;
use std::collections::BTreeMap;
use std::fmt;

type Environment = BTreeMap<String, String>;
type Extra = BTreeMap<String, Value>;

open_enum! {
    /// How an object joins the one of the same name in the layers below.
    Override {
        /// It replaces the object.
        Replace = "replace",
        /// Its scalars replace, its maps merge, and its lists are appended.
        Merge = "merge",
    }
}

open_enum! {
    /// Whether a service or check starts by itself.
    Startup {
        Enabled = "enabled",
        Disabled = "disabled",
    }
}

open_enum! {
    /// What Pebble does when a service exits or its check fails.
    OnFailure {
        Restart = "restart",
        Ignore = "ignore",
        Shutdown = "shutdown",
        FailureShutdown = "failure-shutdown",
        SuccessShutdown = "success-shutdown",
    }
}

open_enum! {
    /// What a check counts for.
    CheckLevel {
        Alive = "alive",
        Ready = "ready",
    }
}

/// What the layers combine to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Plan {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, Service>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<String, Check>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub log_targets: BTreeMap<String, LogTarget>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// One contribution to the plan.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Layer {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, Service>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<String, Check>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub log_targets: BTreeMap<String, LogTarget>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// A service. Durations are Go strings ("5s"). `Debug` shows the names of the environment but not its values.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Service {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub startup: Option<Startup>,
    #[serde(rename = "override", skip_serializing_if = "Option::is_none")]
    pub override_: Option<Override>,
    /// Split as a shell would split it, but not run by one: variables and `;` stay as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: Environment,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_success: Option<OnFailure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    /// By name of the check.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub on_check_failure: BTreeMap<String, OnFailure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff_delay: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff_factor: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff_limit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kill_delay: Option<String>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// A check: one of `http`, `tcp` and `exec`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Check {
    #[serde(rename = "override", skip_serializing_if = "Option::is_none")]
    pub override_: Option<Override>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<CheckLevel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub startup: Option<Startup>,
    /// Default 10 s; the first run is one period after the layer was added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<String>,
    /// Default 3 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// Failures in a row that make it down. Default 3, which a plan always shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpCheck>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp: Option<TcpCheck>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exec: Option<ExecCheck>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// GET of a URL; any 2xx is a success. `Debug` hides the values of the headers.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct HttpCheck {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// A connection to a port.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct TcpCheck {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// A command that exits with 0. `Debug` hides the values of the environment.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct ExecCheck {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_context: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: Environment,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// Where Pebble sends the output of services.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct LogTarget {
    #[serde(rename = "override", skip_serializing_if = "Option::is_none")]
    pub override_: Option<Override>,
    /// Such as "loki".
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// A new value for a target that exists has no effect until the daemon restarts: use a new name instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Names, "all", and either with a leading "-"; the last match wins.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(flatten)]
    pub extra: Extra,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.clone();
        hide(&mut shown.environment);
        show(&shown, f)
    }
}

impl fmt::Debug for HttpCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.clone();
        hide(&mut shown.headers);
        show(&shown, f)
    }
}

impl fmt::Debug for ExecCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.clone();
        hide(&mut shown.environment);
        show(&shown, f)
    }
}

fn hide(values: &mut BTreeMap<String, String>) {
    values.values_mut().for_each(|value| *value = "***".to_owned());
}

fn show(value: &impl Serialize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(&serde_json::to_string(value).map_err(|_| fmt::Error)?)
}

impl Client {
    /// The plan: all layers combined, without defaults filled in.
    pub async fn plan(&self) -> Result<Plan, Error> {
        let text: String = self.get("/v1/plan", &[("format", "yaml")]).await?.result("plan")?;
        serde_yaml::from_str(&text).map_err(|error| {
            // The reason is left out: it could quote an environment value.
            let place = error.location().map_or_else(String::new, |at| format!(" at line {}", at.line()));
            Error::protocol(format!("the plan cannot be read{place}"))
        })
    }

    /// Adds a layer. With `combine` it is merged into the layer of the same label if there is one; without,
    /// that is an API error.
    ///
    /// New checks start at once; services only at the next replan. A layer cannot be removed again.
    pub async fn add_layer(&self, label: &str, layer: &Layer, combine: bool) -> Result<(), Error> {
        let text = serde_yaml::to_string(layer)
            .map_err(|_| Error::Input { what: format!("layer {label:?} cannot be written as YAML") })?;
        let body =
            json!({"action": "add", "combine": combine, "label": label, "format": "yaml", "layer": text});
        self.post("/v1/layers", &body).await?;
        Ok(())
    }
}
