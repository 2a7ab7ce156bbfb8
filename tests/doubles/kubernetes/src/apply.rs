//! A StatefulSet under server-side apply: who owns which field, and what follows from it.
//!
//! A field that somebody else set to another value is a conflict unless it is forced; a field that one applied before
//! and does not apply any more goes, unless somebody else owns it too.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::answer::Refusal;

/// The steps to a field, in the notation of `managedFields`.
type Path = Vec<String>;

/// One StatefulSet.
#[derive(Debug)]
pub(super) struct StatefulSet {
    pub(super) uid: String,
    pub(super) replicas: usize,
    name: String,
    namespace: String,
    fields: BTreeMap<Path, Value>,
    managers: BTreeMap<String, BTreeSet<Path>>,
    generation: u64,
    rolled_out: u64,
}

impl StatefulSet {
    /// As Juju makes it for a charm with one workload container.
    pub(super) fn of_juju(name: &str, uid: &str, namespace: &str) -> Self {
        let spec = json!({"spec": {
            "selector": {"matchLabels": {"app.kubernetes.io/name": name}},
            "serviceName": format!("{name}-endpoints"),
            "template": {"spec": {"containers": [
                {"name": "charm", "image": "ghcr.io/juju/charm-base:ubuntu-24.04", "resources": {"requests": {"memory": "64Mi"}}},
                {"name": "kratos", "image": "kratos"},
            ]}},
        }});
        let fields = flat(&spec);
        let managers = BTreeMap::from([("juju".to_owned(), fields.keys().cloned().collect())]);
        Self {
            uid: uid.to_owned(),
            replicas: 1,
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            fields,
            managers,
            generation: 1,
            rolled_out: 1,
        }
    }

    /// Lets the newest template reach every pod.
    pub(super) fn roll_out(&mut self) {
        self.rolled_out = self.generation;
    }

    /// Applies a part in a manager's name.
    pub(super) fn apply(&mut self, manager: &str, body: &Value, force: bool) -> Result<(), Refusal> {
        if body["apiVersion"] != "apps/v1" || body["kind"] != "StatefulSet" {
            return Err(Refusal::new(
                400,
                "BadRequest",
                "apiVersion and kind must be apps/v1 and StatefulSet",
            ));
        }
        let applied = flat(&json!({"spec": body["spec"]}));
        let mut fields = self.fields.clone();
        self.refuse_foreign(manager, &applied, force)?;
        let before = self.managers.get(manager).cloned().unwrap_or_default();
        for path in before.iter().filter(|path| !applied.contains_key(*path)) {
            let is_shared =
                self.managers.iter().any(|(other, owned)| other != manager && owned.contains(path));
            if !is_shared {
                fields.remove(path);
            }
        }
        fields.extend(applied.clone());
        self.validate(&fields)?;
        for (other, owned) in &mut self.managers {
            if other != manager {
                // What was taken by force is no longer theirs.
                owned.retain(|path| {
                    applied.get(path).is_none_or(|value| self.fields.get(path) == Some(value))
                });
            }
        }
        self.managers.insert(manager.to_owned(), applied.into_keys().collect());
        if fields != self.fields {
            self.fields = fields;
            self.generation += 1;
        }
        Ok(())
    }

    fn refuse_foreign(
        &self,
        manager: &str,
        applied: &BTreeMap<Path, Value>,
        force: bool,
    ) -> Result<(), Refusal> {
        let mut conflicts = Vec::new();
        for (path, value) in applied.iter().filter(|(path, value)| self.fields.get(*path) != Some(*value)) {
            for (other, owned) in self.managers.iter().filter(|(other, _)| *other != manager) {
                if owned.contains(path) && !force && !value.is_null() {
                    let field = path.iter().map(|step| step.trim_start_matches("f:")).collect::<Vec<_>>();
                    conflicts.push(format!("conflict with \"{other}\" using apps/v1: .{}", field.join(".")));
                }
            }
        }
        if conflicts.is_empty() {
            return Ok(());
        }
        let text = format!("Apply failed with {} conflict(s): {}", conflicts.len(), conflicts.join(", "));
        Err(Refusal::new(409, "Conflict", text))
    }

    fn validate(&self, fields: &BTreeMap<Path, Value>) -> Result<(), Refusal> {
        let fixed =
            |path: &&Path| path.get(1).is_some_and(|step| step == "f:selector" || step == "f:serviceName");
        let kept = |fields: &BTreeMap<Path, Value>| -> Vec<(Path, Value)> {
            fields.iter().filter(|(path, _)| fixed(path)).map(|(p, v)| (p.clone(), v.clone())).collect()
        };
        if kept(fields) != kept(&self.fields) {
            let text =
                "updates to statefulset spec for fields other than 'replicas', 'template' are forbidden";
            return Err(Refusal::new(422, "Invalid", text));
        }
        for container in fields.keys().filter(|path| path.last().is_some_and(|step| step == "f:name")) {
            let mut image = container.clone();
            image.pop();
            image.push("f:image".to_owned());
            if !fields.contains_key(&image) {
                return Err(Refusal::new(
                    422,
                    "Invalid",
                    "spec.template.spec.containers[0].image: Required value",
                ));
            }
        }
        Ok(())
    }

    /// As the API tells it.
    pub(super) fn told(&self) -> Value {
        let managed = self.managers.iter().map(|(manager, owned)| {
            let mut nested = json!({});
            for path in owned {
                path.iter().fold(&mut nested, |at, step| match at {
                    Value::Object(map) => map.entry(step.clone()).or_insert_with(|| json!({})),
                    _ => unreachable!("only maps are put in"),
                });
            }
            let operation = if manager == "juju" { "Update" } else { "Apply" };
            json!({"manager": manager, "operation": operation, "apiVersion": "apps/v1", "fieldsType": "FieldsV1", "fieldsV1": nested})
        });
        let mut told = nested(&self.fields);
        told["apiVersion"] = "apps/v1".into();
        told["kind"] = "StatefulSet".into();
        told["metadata"] = json!({
            "name": self.name, "namespace": self.namespace, "uid": self.uid, "generation": self.generation,
            "managedFields": managed.collect::<Vec<_>>(),
        });
        told["spec"]["replicas"] = self.replicas.into();
        told["status"] = json!({
            "observedGeneration": self.rolled_out,
            "replicas": self.replicas, "readyReplicas": self.replicas,
            "currentRevision": format!("{}-{}", self.name, self.rolled_out),
            "updateRevision": format!("{}-{}", self.name, self.generation),
        });
        told
    }
}

/// Every field with its value; containers are told apart by their names.
fn flat(value: &Value) -> BTreeMap<Path, Value> {
    fn walk(value: &Value, path: &Path, fields: &mut BTreeMap<Path, Value>) {
        let step = |step: String| [path.as_slice(), &[step]].concat();
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    walk(value, &step(format!("f:{key}")), fields);
                }
            }
            Value::Array(items) if path.last().is_some_and(|step| step == "f:containers") => {
                for item in items {
                    walk(item, &step(format!("k:{}", json!({"name": item["name"]}))), fields);
                }
            }
            Value::String(text) if path.iter().any(|step| step == "f:resources") => {
                fields.insert(path.clone(), canonical(text).into());
            }
            value => {
                fields.insert(path.clone(), value.clone());
            }
        }
    }
    let mut fields = BTreeMap::new();
    walk(value, &Vec::new(), &mut fields);
    fields
}

/// How Kubernetes writes a quantity down: a fraction in thousandths.
fn canonical(text: &str) -> String {
    match text.parse::<f64>() {
        Ok(number) if text.contains('.') => format!("{}m", (number * 1000.0).ceil()),
        _ => text.to_owned(),
    }
}

fn nested(fields: &BTreeMap<Path, Value>) -> Value {
    let mut root = Value::Object(Map::new());
    for (path, value) in fields {
        let mut at = &mut root;
        for step in path {
            at = match step.strip_prefix("f:") {
                Some(key) => &mut at[key],
                None => {
                    if !at.is_array() {
                        *at = json!([]);
                    }
                    let name =
                        serde_json::from_str::<Value>(step.trim_start_matches("k:")).unwrap_or_default();
                    let items = at.as_array_mut().unwrap_or_else(|| unreachable!("it was made one"));
                    let index =
                        items.iter().position(|item| item["name"] == name["name"]).unwrap_or_else(|| {
                            items.push(json!({"name": name["name"]}));
                            items.len() - 1
                        });
                    &mut items[index]
                }
            };
        }
        *at = value.clone();
    }
    for container in root["spec"]["template"]["spec"]["containers"].as_array_mut().into_iter().flatten() {
        if container["resources"].is_null() {
            container["resources"] = json!({});
        }
    }
    root
}
