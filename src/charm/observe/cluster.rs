//! What is asked of the API of Kubernetes.
//!
//! A dispatch asks only what it decides on: the ConfigMaps where Kratos' configuration is rendered from them and where they
//! may have to be made, the StatefulSet where it may have to be patched or has to own a ConfigMap. Reading is every unit's,
//! writing the leader's. Without a cluster nothing is asked.
//!
//! What an action or a migration does comes first, since it may take minutes. But where Kratos serves, the ConfigMaps are as
//! good as due, so they are read while the agent is asked.

use super::needs;
use crate::charm::observed::{Cluster, ConfigMaps, Observed, Reading};
use crate::charm::situation::Parsed;
use crate::kratos::render::stored::ConfigMapNames;
use crate::kubernetes::{Connection, config_maps, stateful_set};

/// The ConfigMaps' names, where no other application has them.
const USUAL: ConfigMapNames<'_> = ConfigMapNames::usual("");

/// Asks what the dispatch needs, and was not asked `early`.
pub async fn cluster(
    connection: &mut Connection,
    early: Reading<ConfigMaps>,
    observed: &Observed,
    parsed: &Parsed,
) -> Cluster {
    let mut cluster = Cluster { namespace: connection.namespace().ok(), ..Cluster::default() };
    let application = observed.application();
    if needs::config_maps(observed, parsed) {
        cluster.config_maps = match early {
            Reading::NotAsked => config_maps(connection, application).await,
            early => early,
        };
    }
    if needs::stateful_set(observed, parsed, &cluster) {
        cluster.stateful_set = match cluster.config_maps.error() {
            // It would end in the same way.
            Some(error) => Reading::Unknown(error.clone()),
            None => stateful_set::read(connection, application).await.into(),
        };
    }
    cluster
}

/// Reads both ConfigMaps, one after the other over one connection.
pub(super) async fn config_maps(connection: &mut Connection, application: &str) -> Reading<ConfigMaps> {
    let both = async {
        Ok(ConfigMaps {
            schemas: config_maps::locate(connection, USUAL.schemas, application).await?,
            providers: config_maps::locate(connection, USUAL.providers, application).await?,
        })
    };
    Reading::from(both.await)
}
