//! The resources of the workload container: what has to be applied so that its limits are as asked for.
//!
//! Given the StatefulSet and the limits, [`patch`] is the body of a server-side apply, or nothing if the StatefulSet is
//! already as it should be: every change of it restarts the pods. The body is that of the Python charm: it repeats the
//! selector and the service name, and requests what the Python charm requested, so that a refresh changes nothing.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::limits::Limits;
use super::objects::Amounts;
use super::quantity::Quantity;
use super::stateful_set::StatefulSet;

/// What is requested besides a limit: the name, how it is written, and how much it is.
const REQUESTS: [(&str, &str, Quantity); 2] = [
    ("cpu", "100m", Quantity::from_thousandths(100)),
    ("memory", "200Mi", Quantity::from_thousandths((200 << 20) * 1000)),
];

/// The body that makes it so; `None`: it is so. No limits at all withdraw what was applied in our name before.
pub fn patch(stateful_set: &StatefulSet, container: &str, limits: &Limits) -> Option<Value> {
    let present = stateful_set.resources(container).unwrap_or_default();
    let (present_limits, present_requests) =
        (present.limits.unwrap_or_default(), present.requests.unwrap_or_default());
    let wanted = wanted(limits);
    let requests = if limits.is_empty() { vec![] } else { REQUESTS.map(|(name, ..)| name).to_vec() };
    let is_stale = |field: &str, present: &Amounts, wanted: &dyn Fn(&str) -> bool| {
        present.keys().any(|name| !wanted(name) && stateful_set.is_ours(container, field, name))
    };
    let is_right = wanted.iter().all(|(name, quantity)| amount(&present_limits, name) == Some(*quantity))
        && requests.iter().all(|name| amount(&present_requests, name) == requested(name))
        && !is_stale("limits", &present_limits, &|name| wanted.contains_key(name))
        && !is_stale("requests", &present_requests, &|name| requests.contains(&name));
    (!is_right).then(|| body(stateful_set, container, &wanted))
}

/// The limits by name: never less than what is requested, memory in whole bytes.
fn wanted(limits: &Limits) -> BTreeMap<&'static str, Quantity> {
    let given = [("cpu", limits.cpu), ("memory", limits.memory.map(Quantity::round_up))];
    let raised = |(name, limit): (&'static str, Option<Quantity>)| {
        Some((name, limit?.max(requested(name).unwrap_or(limit?))))
    };
    given.into_iter().filter_map(raised).collect()
}

fn requested(name: &str) -> Option<Quantity> {
    REQUESTS.iter().find(|(known, ..)| *known == name).map(|(.., quantity)| *quantity)
}

fn amount(resources: &Amounts, name: &str) -> Option<Quantity> {
    resources.get(name)?.parse().ok()
}

fn body(stateful_set: &StatefulSet, container: &str, limits: &BTreeMap<&str, Quantity>) -> Value {
    let resources = if limits.is_empty() {
        json!({})
    } else {
        let limits: Map<String, Value> =
            limits.iter().map(|(name, quantity)| ((*name).to_owned(), quantity.to_string().into())).collect();
        let requests: Map<String, Value> =
            REQUESTS.iter().map(|(name, text, _)| ((*name).to_owned(), (*text).into())).collect();
        json!({"limits": limits, "requests": requests})
    };
    json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "spec": {
            "selector": stateful_set.spec.selector,
            "serviceName": stateful_set.spec.service_name,
            "template": {"spec": {"containers": [{"name": container, "resources": resources}]}},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stateful_set(resources: Value, managed: Value) -> StatefulSet {
        serde_json::from_value(json!({
            "metadata": {"name": "kratos", "managedFields": managed},
            "spec": {
                "selector": {"matchLabels": {"app.kubernetes.io/name": "kratos"}},
                "serviceName": "kratos-endpoints",
                "template": {"spec": {"containers": [
                    {"name": "charm"},
                    {"name": "kratos", "resources": resources},
                ]}},
            },
        }))
        .unwrap()
    }

    fn limits(cpu: &str, memory: &str) -> Limits {
        Limits { cpu: cpu.parse().ok(), memory: memory.parse().ok() }
    }

    fn patched(cpu: &str, memory: &str) -> Value {
        let body = patch(&stateful_set(json!({}), json!([])), "kratos", &limits(cpu, memory)).unwrap();
        body["spec"]["template"]["spec"]["containers"][0]["resources"].clone()
    }

    #[test]
    fn the_body_is_that_of_the_python_charm() {
        let body = patch(&stateful_set(json!({}), json!([])), "kratos", &limits("500m", "1Gi")).unwrap();
        let expected = json!({"apiVersion":"apps/v1","kind":"StatefulSet","spec":{
            "selector":{"matchLabels":{"app.kubernetes.io/name":"kratos"}},"serviceName":"kratos-endpoints",
            "template":{"spec":{"containers":[{"name":"kratos","resources":{
                "limits":{"cpu":"0.5","memory":"1073741824"},
                "requests":{"cpu":"100m","memory":"200Mi"}}}]}}}});
        assert_eq!(body, expected);
    }

    #[test]
    fn limits_are_raised_to_the_requests_and_memory_is_whole() {
        assert_eq!(patched("50m", "")["limits"], json!({"cpu": "0.1"}));
        assert_eq!(patched("", "1Mi")["limits"], json!({"memory": "209715200"}));
        assert_eq!(patched("", "0.8Gi")["limits"], json!({"memory": "858993460"}));
        assert_eq!(patched("2", "")["requests"], json!({"cpu": "100m", "memory": "200Mi"}));
    }

    #[test]
    fn what_is_there_in_other_words_is_left_alone() {
        let there = json!({"limits": {"cpu": "500m", "memory": "1048576Ki"}, "requests": {"cpu": "0.1", "memory": "209715200"}});
        assert_eq!(patch(&stateful_set(there, json!([])), "kratos", &limits("0.5", "1Gi")), None);
        assert_eq!(patch(&stateful_set(json!({}), json!([])), "kratos", &Limits::default()), None);
    }

    #[test]
    fn only_what_is_ours_is_withdrawn() {
        let there = json!({"limits": {"cpu": "0.5"}, "requests": {"cpu": "100m", "memory": "200Mi"}});
        let fields = |names: Value| {
            json!([{"manager": "ResourcePatcher", "operation": "Apply", "fieldsV1": {"f:spec": {"f:template": {"f:spec": {
                "f:containers": {"k:{\"name\":\"kratos\"}": {"f:resources": names}}}}}}}])
        };
        let ours = fields(json!({"f:limits": {"f:cpu": {}}, "f:requests": {"f:cpu": {}, "f:memory": {}}}));
        let body = patch(&stateful_set(there.clone(), ours.clone()), "kratos", &Limits::default()).unwrap();
        let container = &body["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container, &json!({"name": "kratos", "resources": {}}));
        let others = json!([{"manager": "kubectl", "operation": "Apply", "fieldsV1": {}}]);
        assert_eq!(patch(&stateful_set(there.clone(), others), "kratos", &Limits::default()), None);
        let less = patch(&stateful_set(there, ours), "kratos", &limits("", "1Gi")).unwrap();
        let resources = &less["spec"]["template"]["spec"]["containers"][0]["resources"];
        assert_eq!(resources["limits"], json!({"memory": "1073741824"}));
    }
}
