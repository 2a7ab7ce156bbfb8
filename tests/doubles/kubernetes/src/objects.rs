//! What the API holds, and Kubernetes' own part in it: StatefulSets that follow the model, and garbage collection.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::apply::StatefulSet;
use super::{Call, Fault};

/// Everything in one namespace.
#[derive(Debug)]
pub(super) struct Objects {
    pub(super) namespace: String,
    pub(super) stateful_sets: BTreeMap<String, StatefulSet>,
    pub(super) config_maps: BTreeMap<String, Value>,
    pub(super) calls: Vec<Call>,
    pub(super) fault: Option<Fault>,
    pub(super) hold: bool,
    trusted: BTreeSet<String>,
    next_uid: u64,
}

impl Objects {
    pub(super) fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            stateful_sets: BTreeMap::new(),
            config_maps: BTreeMap::new(),
            calls: Vec::new(),
            fault: None,
            hold: false,
            trusted: BTreeSet::new(),
            next_uid: 1,
        }
    }

    /// The bearer token of an application's service account.
    pub(super) fn token(application: &str) -> String {
        format!("token.of.{application}")
    }

    /// Whose token it is.
    pub(super) fn application_of(token: &str) -> Option<String> {
        token.strip_prefix("token.of.").filter(|name| !name.is_empty()).map(str::to_owned)
    }

    pub(super) fn is_trusted(&self, application: &str) -> bool {
        self.trusted.contains(application)
    }

    pub(super) fn uid(&mut self) -> String {
        let uid = format!("00000000-0000-4000-8000-{:012x}", self.next_uid);
        self.next_uid += 1;
        uid
    }

    pub(super) fn sync(&mut self, applications: &[(String, usize, bool)]) {
        self.trusted =
            applications.iter().filter(|(.., trust)| *trust).map(|(name, ..)| name.clone()).collect();
        let names: BTreeSet<&String> = applications.iter().map(|(name, ..)| name).collect();
        self.stateful_sets.retain(|name, _| names.contains(name));
        for (name, units, _) in applications {
            if !self.stateful_sets.contains_key(name) {
                let uid = self.uid();
                self.stateful_sets.insert(name.clone(), StatefulSet::of_juju(name, &uid, &self.namespace));
            }
            if let Some(found) = self.stateful_sets.get_mut(name) {
                found.replicas = *units;
                if !self.hold {
                    found.roll_out();
                }
            }
        }
        let alive: BTreeSet<String> = self.stateful_sets.values().map(|found| found.uid.clone()).collect();
        self.config_maps.retain(|_, map| {
            let owners = map["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
            let is_alive = |owner: &Value| owner["uid"].as_str().is_some_and(|uid| alive.contains(uid));
            owners.is_empty() || owners.iter().any(is_alive)
        });
    }

    pub(super) fn set_data(&mut self, name: &str, data: &[(&str, &str)]) {
        let data: Map<String, Value> =
            data.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect();
        let uid = self.uid();
        let namespace = self.namespace.clone();
        let map = self.config_maps.entry(name.to_owned()).or_insert_with(|| {
            json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": name, "namespace": namespace, "uid": uid},
            })
        });
        map["data"] = Value::Object(data);
    }
}
