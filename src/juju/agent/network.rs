//! Ports of the application, and the addresses of an endpoint.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::super::error::Result;
use super::super::types::{Port, RelationId};
use super::Agent;

/// The network of an endpoint, seen from this unit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Network {
    /// Where a service for this endpoint should listen.
    pub bind_addresses: Vec<BindAddress>,
    /// Where the other side reaches this unit: addresses or host names.
    pub ingress_addresses: Vec<String>,
    /// Where this unit's traffic comes from, in CIDR notation.
    pub egress_subnets: Vec<String>,
}

/// One network interface.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct BindAddress {
    pub interface_name: String,
    pub addresses: Vec<InterfaceAddress>,
}

/// One address of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct InterfaceAddress {
    pub hostname: String,
    /// The IP address.
    pub value: String,
    pub cidr: String,
}

impl Network {
    /// The address of the first interface: where a service for this endpoint should listen.
    pub fn bind_address(&self) -> Option<&str> {
        let address = self.bind_addresses.iter().flat_map(|interface| &interface.addresses).next()?;
        Some(address.value.as_str()).filter(|value| !value.is_empty())
    }
}

impl Agent {
    /// Opens a port on the application's service.
    pub async fn open_port(&self, port: &Port) -> Result<()> {
        self.tell("open-port", &[&port.to_string()]).await
    }

    /// The ports that were open when the hook began. Ranges and ICMP, which Kubernetes does not have, are left out.
    pub async fn opened_ports(&self) -> Result<BTreeSet<Port>> {
        let ports: Vec<String> = self.ask("opened-ports", &[]).await?;
        Ok(ports.iter().filter_map(|port| port.parse().ok()).collect())
    }

    /// The network of an endpoint, or of one relation on it.
    pub async fn network_get(&self, endpoint: &str, relation: Option<&RelationId>) -> Result<Network> {
        match relation {
            Some(id) => self.ask("network-get", &[endpoint, "-r", &id.to_string()]).await,
            None => self.ask("network-get", &[endpoint]).await,
        }
    }
}
