//! Where the workload lives: its socket, its files and the address that it listens on.

use std::fmt::Display;
use std::path::PathBuf;

use crate::juju::Environment;

/// The container's name in metadata.yaml.
pub const CONTAINER: &str = "kratos";
/// The public API's port.
pub const PUBLIC_PORT: u16 = 4433;
/// The administrative API's port.
pub const ADMIN_PORT: u16 = 4434;

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
