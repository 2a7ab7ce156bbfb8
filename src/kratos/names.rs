//! The names that the charm and the workload share: container, layer, services, checks, ports, paths, and where all of
//! it is on this machine.
//!
//! Constants, and [`Place`], which turns a path or a port of the pod into one of this unit. They stand below every rule,
//! so that a file which only needs a name depends on no rule.

use std::fmt::Display;
use std::path::PathBuf;
use std::time::Duration;

use crate::juju::Environment;

/// The container's name in metadata.yaml.
pub const CONTAINER: &str = "kratos";
/// The label of the charm's layer (docs/behaviour.md#row-46).
pub const LAYER: &str = "kratos";
/// The service that answers requests.
pub const KRATOS: &str = "kratos";
/// The service that sends mails; one per application, on the leader.
pub const COURIER: &str = "courier";
/// The check that says whether requests are served.
pub const READY: &str = "ready";
/// The check that says whether the process lives.
pub const ALIVE: &str = "alive";

/// The public API's port.
pub const PUBLIC_PORT: u16 = 4433;
/// The administrative API's port.
pub const ADMIN_PORT: u16 = 4434;

/// Kratos lets requests finish for up to 120 s after it was told to end; Pebble would kill it after 5. In Pebble's own
/// spelling, so that the plan can be compared.
pub const KILL_DELAY: &str = "2m5s";
/// How long Pebble may take to stop and start a service: [`KILL_DELAY`], its okay delay, and some more.
pub const SERVICE_CHANGE: Duration = Duration::from_secs(150);

/// Kratos' configuration file.
pub const CONFIG_PATH: &str = "/etc/config/kratos/kratos.yaml";
/// Where the database's CA certificate lies in the workload.
pub const CA_PATH: &str = "/etc/config/kratos/database-ca.pem";
/// What the running services were started with.
pub const STAMP_PATH: &str = "/etc/config/kratos/.started-with";
/// The last configuration that worked; there only while a change is under way.
pub const LAST_GOOD_PATH: &str = "/etc/config/kratos/.last-good";
/// Where Kratos looks for mail templates (docs/behaviour.md#row-35).
pub const TEMPLATES: &str = "/etc/config/templates";
/// The HTML body of recovery mails (docs/behaviour.md#row-36).
pub const RECOVERY_TEMPLATE: &str = "/etc/config/templates/recovery-body.html.gotmpl";
/// The HTML body of verification mails (docs/behaviour.md#row-45).
pub const VERIFICATION_TEMPLATE: &str = "/etc/config/templates/verification_code/valid/email.body.gotmpl";
/// All certificate authorities of the relations, in a directory of their own.
pub const CERTIFICATES: &str = "/etc/config/certificates/ca-certificates.pem";

/// The files that the charm owns in the workload.
pub const OWNED_FILES: [&str; 7] = [
    CONFIG_PATH,
    CA_PATH,
    STAMP_PATH,
    LAST_GOOD_PATH,
    RECOVERY_TEMPLATE,
    VERIFICATION_TEMPLATE,
    CERTIFICATES,
];

/// The command by which a person reaches the workload's Pebble. It goes through the charm's container: the workload's
/// image has neither a shell nor `tar`, which `juju ssh --container` and `juju scp --container` run there.
pub fn pebble_by_hand(unit: impl Display, arguments: &str) -> String {
    format!(
        "juju ssh {unit} env PEBBLE_SOCKET=/charm/containers/{CONTAINER}/pebble.socket /charm/bin/pebble {arguments}"
    )
}

/// The place of one workload container.
///
/// In a pod these are constants. A sandbox that runs several units on one machine without containers moves
/// them by environment variables, which Juju never sets (it builds a hook's environment from nothing).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Pebble's unix socket, seen from the charm container.
    pub socket: PathBuf,
    /// Put before every path of a file in the workload; empty in a pod.
    root: String,
    /// The address that Kratos is told to listen on; in a pod all of them.
    address: Option<String>,
}

impl Place {
    /// The place of the container in a pod.
    pub fn pod() -> Self {
        Self {
            socket: PathBuf::from(format!("/charm/containers/{CONTAINER}/pebble.socket")),
            root: String::new(),
            address: None,
        }
    }

    /// The pod's place, with what the environment moves: `PEBBLE_SOCKET`, `KRATOS_OPERATOR_ROOT` and
    /// `KRATOS_OPERATOR_ADDRESS`.
    pub fn from_environment(environment: &Environment) -> Self {
        let value = |name| environment.get(name).filter(|value| !value.is_empty());
        let pod = Self::pod();
        Self {
            socket: value("PEBBLE_SOCKET").map_or(pod.socket, PathBuf::from),
            root: value("KRATOS_OPERATOR_ROOT").unwrap_or_default().trim_end_matches('/').to_owned(),
            address: value("KRATOS_OPERATOR_ADDRESS").map(str::to_owned),
        }
    }

    /// The path of a workload file, from its path in the container.
    pub fn path(&self, path: &str) -> String {
        format!("{}{path}", self.root)
    }

    /// The address that Kratos listens on.
    pub fn listen_address(&self) -> &str {
        self.address.as_deref().unwrap_or("0.0.0.0")
    }

    /// The root of the administrative API, seen from the charm: the containers of a pod share their network.
    pub fn admin_url(&self) -> String {
        format!("http://{}:{ADMIN_PORT}", self.check_host())
    }

    /// The host under which the workload's Pebble reaches Kratos.
    pub fn check_host(&self) -> &str {
        self.address.as_deref().unwrap_or("localhost")
    }
}
