//! The environment of a charm's process: built from nothing, as Juju's agent does it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::{Engine, JUJU_VERSION};
use crate::model::{Event, application_of};

const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Engine {
    /// The directory of the hook tools on a charm's `PATH`.
    pub fn tools(&self) -> PathBuf {
        self.dir.join("tools")
    }

    /// All variables for one run of a unit's charm. `postgres` is the cluster's connection string, for its
    /// stand-in only.
    pub(super) fn environment(
        &self,
        unit: &str,
        event: &Event,
        context_id: &str,
        postgres: Option<String>,
    ) -> BTreeMap<String, OsString> {
        let state = self.state();
        let mut vars: BTreeMap<String, OsString> = BTreeMap::new();
        let mut set = |name: &str, value: OsString| {
            vars.insert(name.to_owned(), value);
        };
        set("PATH", format!("{}:{SYSTEM_PATH}", self.tools().display()).into());
        for (name, value) in [
            ("TERM", "tmux-256color"),
            ("LANG", "C.UTF-8"),
            ("DEBIAN_FRONTEND", "noninteractive"),
            ("APT_LISTCHANGES_FRONTEND", "none"),
            ("JUJU_CONTEXT_ID", context_id),
            ("JUJU_AGENT_SOCKET_NETWORK", "unix"),
            ("JUJU_UNIT_NAME", unit),
            ("JUJU_MODEL_NAME", &state.model.name),
            ("JUJU_MODEL_UUID", &state.model.uuid),
            ("JUJU_VERSION", JUJU_VERSION),
            ("JUJU_API_ADDRESSES", "127.0.0.1:17070"),
            ("JUJU_MACHINE_ID", ""),
            ("JUJU_PRINCIPAL_UNIT", ""),
            ("JUJU_AVAILABILITY_ZONE", ""),
            ("JUJU_SLA", "unsupported"),
            ("CLOUD_API_VERSION", "1.32.0"),
            ("JUJU_CHARM_HTTP_PROXY", ""),
            ("JUJU_CHARM_HTTPS_PROXY", ""),
            ("JUJU_CHARM_FTP_PROXY", ""),
            ("JUJU_CHARM_NO_PROXY", ""),
        ] {
            set(name, value.into());
        }
        for (name, value) in event.environment() {
            set(name, value.into());
        }
        if let Some(pod) = state.pods.get(unit) {
            set("CHARM_DIR", pod.charm().into());
            set("JUJU_CHARM_DIR", pod.charm().into());
            set("JUJU_AGENT_SOCKET_ADDRESS", pod.socket().into());
            if let Some((socket, root)) = pod.workload() {
                set("PEBBLE_SOCKET", socket.into());
                set("KRATOS_OPERATOR_ROOT", root.into());
                let address = state.model.unit(unit).map(|unit| unit.address.clone()).unwrap_or_default();
                set("KRATOS_OPERATOR_ADDRESS", address.into());
            }
        }
        if let Some(kubernetes) = self.kubernetes.get() {
            // A pod without its service account is one without a cluster.
            for (name, value) in kubernetes.environment(application_of(unit)).unwrap_or_default() {
                set(name, value.into());
            }
        }
        if self.tools_only {
            set("KRATOS_OPERATOR_HOOK_COMMANDS", "exec".into());
        }
        let charm = state.model.application(application_of(unit)).map(|app| app.charm.name.as_str());
        if let (Ok("postgresql-k8s"), Some(dsn)) = (charm, postgres) {
            set("SANDBOX_POSTGRESQL", dsn.into());
        }
        vars
    }
}
