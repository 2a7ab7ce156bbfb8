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

/// A mapping in YAML: what is unset is left out, and keys that this client does not know are kept.
macro_rules! section {
    ($(#[$about:meta])* $name:ident { $($(#[$attribute:meta])* $key:ident: $value:ty,)* }) => {
        $(#[$about])*
        #[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default, rename_all = "kebab-case")]
        pub struct $name {
            $(
                $(#[$attribute])*
                #[serde(skip_serializing_if = "is_unset")]
                pub $key: $value,
            )*
            #[serde(flatten)]
            pub extra: Extra,
        }
    };
}

fn is_unset<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

section! {
    /// What the layers combine to.
    #[derive(Debug)]
    Plan {
        services: BTreeMap<String, Service>,
        checks: BTreeMap<String, Check>,
        log_targets: BTreeMap<String, LogTarget>,
    }
}

section! {
    /// One contribution to the plan.
    #[derive(Debug)]
    Layer {
        summary: Option<String>,
        description: Option<String>,
        services: BTreeMap<String, Service>,
        checks: BTreeMap<String, Check>,
        log_targets: BTreeMap<String, LogTarget>,
    }
}

section! {
    /// A service. Durations are Go strings ("5s"). `Debug` shows the names of the environment but not its values.
    Service {
        summary: Option<String>,
        description: Option<String>,
        startup: Option<Startup>,
        #[serde(rename = "override")]
        override_: Option<Override>,
        /// Split as a shell would split it, but not run by one: variables and `;` stay as they are.
        command: Option<String>,
        after: Vec<String>,
        before: Vec<String>,
        requires: Vec<String>,
        environment: Environment,
        user_id: Option<u32>,
        user: Option<String>,
        group_id: Option<u32>,
        group: Option<String>,
        working_dir: Option<String>,
        on_success: Option<OnFailure>,
        on_failure: Option<OnFailure>,
        /// By name of the check.
        on_check_failure: BTreeMap<String, OnFailure>,
        backoff_delay: Option<String>,
        backoff_factor: Option<f64>,
        backoff_limit: Option<String>,
        kill_delay: Option<String>,
    }
}

section! {
    /// A check: one of `http`, `tcp` and `exec`.
    #[derive(Debug)]
    Check {
        #[serde(rename = "override")]
        override_: Option<Override>,
        level: Option<CheckLevel>,
        startup: Option<Startup>,
        /// Default 10 s; the first run is one period after the layer was added.
        period: Option<String>,
        /// Default 3 s.
        timeout: Option<String>,
        /// Failures in a row that make it down. Default 3, which a plan always shows.
        threshold: Option<u64>,
        http: Option<HttpCheck>,
        tcp: Option<TcpCheck>,
        exec: Option<ExecCheck>,
    }
}

section! {
    /// GET of a URL; any 2xx is a success. `Debug` hides the values of the headers.
    HttpCheck {
        url: Option<String>,
        headers: BTreeMap<String, String>,
    }
}

section! {
    /// A connection to a port.
    #[derive(Debug)]
    TcpCheck {
        port: Option<u16>,
        host: Option<String>,
    }
}

section! {
    /// A command that exits with 0. `Debug` hides the values of the environment.
    ExecCheck {
        command: Option<String>,
        service_context: Option<String>,
        environment: Environment,
        user_id: Option<u32>,
        user: Option<String>,
        group_id: Option<u32>,
        group: Option<String>,
        working_dir: Option<String>,
    }
}

section! {
    /// Where Pebble sends the output of services.
    #[derive(Debug)]
    LogTarget {
        #[serde(rename = "override")]
        override_: Option<Override>,
        /// Such as "loki".
        #[serde(rename = "type")]
        kind: Option<String>,
        /// A new value for a target that exists has no effect until the daemon restarts: use a new name instead.
        location: Option<String>,
        /// Names, "all", and either with a leading "-"; the last match wins.
        services: Vec<String>,
        labels: BTreeMap<String, String>,
    }
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
    for value in values.values_mut() {
        *value = "***".to_owned();
    }
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
