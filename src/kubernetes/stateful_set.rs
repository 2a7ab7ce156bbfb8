//! The StatefulSet that Juju made for an application; it has the application's name.

use serde::Deserialize;
use serde_json::{Value, json};

use super::access::{Connection, Patch};
use super::error::Error;
use super::objects::{Metadata, Resources, StatefulSetSpec, StatefulSetStatus};

const API: &str = "/apis/apps/v1";
/// In whose name the container's resources are applied: that of the Python charm, whose fields are taken over.
pub const FIELD_MANAGER: &str = "ResourcePatcher";

/// What is needed of it.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct StatefulSet {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    pub(super) spec: StatefulSetSpec,
    #[serde(default)]
    status: StatefulSetStatus,
}

/// Reads that of an application.
pub async fn read(connection: &mut Connection, application: &str) -> Result<StatefulSet, Error> {
    let found: StatefulSet = connection.get(API, &format!("statefulsets/{application}")).await?;
    if found.name() == application {
        Ok(found)
    } else {
        Err(Error::Answer("it is another StatefulSet".into()))
    }
}

/// Applies a part of it, from server-side apply without force.
pub async fn apply(
    connection: &mut Connection,
    application: &str,
    body: &Value,
) -> Result<StatefulSet, Error> {
    let path = format!("statefulsets/{application}?fieldManager={FIELD_MANAGER}");
    connection.patch(API, &path, Patch::Apply, body).await
}

impl StatefulSet {
    /// The application's name.
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// The owner reference of what Kubernetes shall remove with it.
    pub fn reference(&self) -> Value {
        json!({
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "name": self.name(),
            "uid": self.metadata.uid.as_deref().unwrap_or_default(),
            "blockOwnerDeletion": true,
            "controller": true,
        })
    }

    /// Whether not all pods are of the newest template yet, or not ready.
    pub fn is_rolling(&self) -> bool {
        let status = &self.status;
        let is_unseen = status.observed_generation.unwrap_or(0) < self.metadata.generation.unwrap_or(0);
        let replicas = self.spec.replicas.unwrap_or(1);
        is_unseen
            || status.ready_replicas.unwrap_or(0) < replicas
            || (status.update_revision.is_some() && status.update_revision != status.current_revision)
    }

    /// The resources of a container in the pods' template; `None`: it has no such container.
    pub fn resources(&self, container: &str) -> Option<Resources> {
        let pod = self.spec.template.spec.as_ref()?;
        let found = pod.containers.iter().find(|found| found.name == container)?;
        Some(found.resources.clone().unwrap_or_default())
    }

    /// Whether a field of a container's resources was set in our name. Without a record of managers, whatever is
    /// there may be ours.
    pub fn is_ours(&self, container: &str, field: &str, resource: &str) -> bool {
        let managers = self.metadata.managed_fields.as_deref().unwrap_or_default();
        let pointer = format!(
            "/f:spec/f:template/f:spec/f:containers/k:{{\"name\":\"{container}\"}}/f:resources/f:{field}/f:{resource}"
        );
        managers.is_empty()
            || managers
                .iter()
                .filter(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER))
                .filter_map(|entry| entry.fields_v1.as_ref())
                .any(|fields| fields.pointer(&pointer).is_some())
    }
}
