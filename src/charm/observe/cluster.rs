//! What is asked of the API of Kubernetes.
//!
//! A dispatch asks only what it decides on: the ConfigMaps where Kratos' configuration is rendered from them and where they
//! may have to be made, the StatefulSet where it may have to be patched or has to own a ConfigMap. Reading is every unit's,
//! writing the leader's. Without a cluster nothing is asked.

use super::needs;
use crate::charm::observed::{Cluster, ConfigMaps, Observed, Reading};
use crate::charm::situation::Parsed;
use crate::kratos::render::stored::ConfigMapNames;
use crate::kubernetes::{Connection, Error, config_maps, stateful_set};

/// The ConfigMaps' names, where no other application has them.
const USUAL: ConfigMapNames<'_> = ConfigMapNames::usual("");

/// Asks what the dispatch needs.
pub async fn cluster(connection: &mut Connection, observed: &Observed, parsed: &Parsed) -> Cluster {
    let mut cluster = Cluster { namespace: connection.namespace().ok(), ..Cluster::default() };
    let application = observed.application();
    if needs::config_maps(observed, parsed) {
        cluster.config_maps = both(connection, application).await.into();
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

async fn both(connection: &mut Connection, application: &str) -> Result<ConfigMaps, Error> {
    Ok(ConfigMaps {
        schemas: config_maps::locate(connection, USUAL.schemas, application).await?,
        providers: config_maps::locate(connection, USUAL.providers, application).await?,
    })
}
