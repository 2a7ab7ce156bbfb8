//! `Desired`: what the world should look like, a pure function of the situation.

mod cluster;
mod databags;
mod history;
mod last_good;
mod secrets;
mod stamp;
mod workload;

pub use cluster::DesiredCluster;
pub use databags::DesiredBag;
pub use last_good::LastGood;
pub use stamp::Stamp;
pub use workload::{DesiredService, Running};

use std::collections::{BTreeMap, BTreeSet};

use super::situation::{DesiredSecret, Situation, missing_secrets};
use crate::integrations::logging;
use crate::juju::{Port, SecretUri};
use crate::kratos::names::{ADMIN_PORT, PUBLIC_PORT};
use crate::pebble::LogTarget;

/// Everything that the charm is responsible for.
#[derive(Clone, Debug)]
pub struct Desired {
    /// What our databags should hold; keys that are not named stay as they are.
    pub databags: Vec<DesiredBag>,
    /// The secrets that this unit has to make now.
    pub new_secrets: Vec<DesiredSecret>,
    /// A revision of a secret that no unit needs any more.
    pub obsolete_secret: Option<(SecretUri, u64)>,
    pub ports: BTreeSet<Port>,
    /// The version to show in `juju status`, if the program was asked for it.
    pub workload_version: Option<String>,
    pub service: DesiredService,
    /// What the leader writes to Kubernetes.
    pub cluster: DesiredCluster,
    /// Where Pebble should send logs; targets that are not named stay as they are.
    pub log_targets: BTreeMap<String, LogTarget>,
}

/// Decides everything. Has no client, no clock and no way to fail.
pub fn desired(situation: &Situation<'_>) -> Desired {
    let observed = situation.observed;
    let service = workload::service(situation);
    Desired {
        databags: databags::databags(situation, &service),
        new_secrets: missing_secrets(observed),
        obsolete_secret: secrets::obsolete(observed),
        ports: [PUBLIC_PORT, ADMIN_PORT].into_iter().map(Port::tcp).collect(),
        workload_version: observed.version().map(ToString::to_string),
        service,
        cluster: cluster::cluster(situation),
        log_targets: log_targets(situation),
    }
}

fn log_targets(situation: &Situation<'_>) -> BTreeMap<String, LogTarget> {
    match (&situation.topology, situation.observed.container()) {
        (Some(topology), Some(container)) => {
            let receivers = &situation.parsed.related.log_receivers;
            logging::targets(receivers, topology, &container.plan.log_targets)
        }
        _ => BTreeMap::new(),
    }
}
