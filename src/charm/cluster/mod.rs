//! Kubernetes inside a dispatch: what is asked of its API, what should be so, and what is written.
//!
//! A dispatch asks only what it decides on: the ConfigMaps where Kratos' configuration is rendered from them and where
//! they may have to be made, the StatefulSet where it may have to be patched or has to own a ConfigMap. Reading is every
//! unit's, writing the leader's. Without a cluster nothing is asked and nothing is missed.

mod limits;
mod needs;
mod status;
mod write;

pub use status::{complaints, trust, unread};
pub use write::{DesiredCluster, apply, desired, mark};

use super::facts::workload_version;
use super::observed::Observed;
use crate::kratos::facts::schema_set::SchemaSet;
use crate::kratos::render::stored::{self, ConfigMapNames, Providers};
use crate::kubernetes::{ConfigMap, Connection, Error, StatefulSet, config_maps, stateful_set};

/// The ConfigMaps' names, where no other application has them.
const USUAL: ConfigMapNames<'_> = ConfigMapNames::usual("");

/// What the API told in this dispatch.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    /// The namespace of the pod; `None`: its service account does not tell.
    pub namespace: Option<String>,
    pub config_maps: Told<ConfigMaps>,
    pub stateful_set: Told<StatefulSet>,
}

/// An answer of the API.
#[derive(Clone, Debug, Default)]
pub enum Told<T> {
    /// Nothing depends on it in this dispatch.
    #[default]
    NotAsked,
    Known(T),
    Unknown(Error),
}

/// Both ConfigMaps.
#[derive(Clone, Debug)]
pub struct ConfigMaps {
    pub schemas: ConfigMap,
    pub providers: ConfigMap,
}

impl<T> Told<T> {
    /// The answer, if there is one.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(known) => Some(known),
            Self::NotAsked | Self::Unknown(_) => None,
        }
    }

    /// Why there is none.
    fn error(&self) -> Option<&Error> {
        match self {
            Self::Unknown(error) => Some(error),
            Self::NotAsked | Self::Known(_) => None,
        }
    }
}

impl<T> From<Result<T, Error>> for Told<T> {
    fn from(result: Result<T, Error>) -> Self {
        match result {
            Ok(known) => Self::Known(known),
            Err(error) => Self::Unknown(error),
        }
    }
}

impl Observed {
    /// The identity schemas that somebody stored, or what is wrong with them.
    pub fn stored_schemas(&self) -> Result<Option<SchemaSet>, String> {
        self.config_maps()
            .map_or(Ok(None), |maps| stored::schemas(&maps.schemas.data, workload_version(self).as_ref()))
    }

    /// The OIDC providers that somebody stored, or why their list cannot be read.
    pub fn stored_providers(&self) -> Result<Providers, String> {
        self.config_maps().map_or(Ok(Providers::default()), |maps| stored::providers(&maps.providers.data))
    }

    /// The names of the ConfigMaps for identity schemas and for OIDC providers. `None`: it was not asked for in this
    /// dispatch, so what was said of them stays true.
    pub fn config_map_names(&self) -> Option<ConfigMapNames<'_>> {
        let namespace = self.namespace();
        if self.cluster.is_none() {
            return Some(ConfigMapNames::usual(namespace));
        }
        let maps = self.config_maps()?;
        Some(ConfigMapNames { schemas: &maps.schemas.name, providers: &maps.providers.name, namespace })
    }

    /// The namespace in which the ConfigMaps are.
    pub fn namespace(&self) -> &str {
        let told = self.cluster.as_ref().and_then(|cluster| cluster.namespace.as_deref());
        told.unwrap_or(&self.context.model)
    }

    fn config_maps(&self) -> Option<&ConfigMaps> {
        self.cluster.as_ref()?.config_maps.known()
    }
}

/// Asks what the dispatch needs and does not know yet.
pub async fn look(connection: &mut Connection, observed: &mut Observed) {
    let mut cluster = observed.cluster.take().unwrap_or_default();
    cluster.namespace = connection.namespace().ok();
    let application = observed.application().to_owned();
    observed.cluster = Some(cluster.clone());
    if needs::config_maps(observed) {
        cluster.config_maps = both(connection, &application).await.into();
        observed.cluster = Some(cluster.clone());
    }
    if needs::stateful_set(observed) {
        cluster.stateful_set = match cluster.config_maps.error() {
            // It would end in the same way.
            Some(error) => Told::Unknown(error.clone()),
            None => stateful_set::read(connection, &application).await.into(),
        };
        observed.cluster = Some(cluster);
    }
}

async fn both(connection: &mut Connection, application: &str) -> Result<ConfigMaps, Error> {
    Ok(ConfigMaps {
        schemas: config_maps::locate(connection, USUAL.schemas, application).await?,
        providers: config_maps::locate(connection, USUAL.providers, application).await?,
    })
}
