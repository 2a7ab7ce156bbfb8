//! The objects of the Kubernetes API, as far as they are read: the names are the API's.
//!
//! A field that is an `Option` may be missing or null, as the API leaves out what is empty; a list may be missing.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

/// How much of each resource, as it is written.
pub(super) type Amounts = BTreeMap<String, String>;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) name: Option<String>,
    pub(super) uid: Option<String>,
    pub(super) generation: Option<i64>,
    pub(super) labels: Option<BTreeMap<String, String>>,
    pub(super) owner_references: Option<Vec<OwnerReference>>,
    pub(super) managed_fields: Option<Vec<ManagedFields>>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct OwnerReference {
    pub(super) kind: String,
    pub(super) name: String,
}

/// What one manager set: `fieldsV1` is a tree of the fields' names.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ManagedFields {
    pub(super) manager: Option<String>,
    pub(super) fields_v1: Option<Value>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct StatefulSetSpec {
    pub(super) replicas: Option<i32>,
    /// Only repeated, never read.
    pub(super) selector: Map<String, Value>,
    pub(super) service_name: Option<String>,
    pub(super) template: PodTemplate,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct StatefulSetStatus {
    pub(super) observed_generation: Option<i64>,
    pub(super) ready_replicas: Option<i32>,
    pub(super) current_revision: Option<String>,
    pub(super) update_revision: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PodTemplate {
    pub(super) spec: Option<PodSpec>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PodSpec {
    pub(super) containers: Vec<Container>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) resources: Option<Resources>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Resources {
    pub(super) limits: Option<Amounts>,
    pub(super) requests: Option<Amounts>,
}
