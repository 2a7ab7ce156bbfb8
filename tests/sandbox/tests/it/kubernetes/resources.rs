//! The limits of the workload container: options to StatefulSet and back.

use serde_json::json;

use super::{calls, kubernetes, named};
use crate::life::support::*;

const STATEFUL_SET: &str = "/apis/apps/v1/namespaces/sandbox/statefulsets/kratos";

#[test]
fn limits_are_applied_once_by_the_leader_and_withdrawn_when_unset() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 2).await;
        let kubernetes = kubernetes(&sandbox);
        kubernetes.clear_calls();
        juju(&sandbox, "config kratos cpu=500m memory=1Gi").await;
        let patches: Vec<_> = kubernetes.calls().into_iter().filter(|call| call.method == "PATCH").collect();
        assert_eq!(named(&patches), [format!("PATCH {STATEFUL_SET}?fieldManager=ResourcePatcher")]);
        let patch = &patches[0];
        assert_eq!(patch.content_type.as_deref(), Some("application/apply-patch+yaml"));
        assert_eq!(patch.code, Some(200));
        let expected = json!({"apiVersion":"apps/v1","kind":"StatefulSet","spec":{
            "selector":{"matchLabels":{"app.kubernetes.io/name":"kratos"}},"serviceName":"kratos-endpoints",
            "template":{"spec":{"containers":[{"name":"kratos","resources":{
                "limits":{"cpu":"0.5","memory":"1073741824"},
                "requests":{"cpu":"100m","memory":"200Mi"}}}]}}}});
        assert_eq!(patch.body, expected);
        sandbox.fire("kratos/0", "update-status").await.unwrap();
        assert_eq!(status(&sandbox, 0), "active ");

        // The API tells the same amounts in its own words: nothing is patched again.
        let asked = named(&calls(&sandbox, "config-changed").await);
        assert_eq!(asked.iter().filter(|call| call.contains("statefulsets")).count(), 1, "{asked:?}");
        assert!(asked.iter().all(|call| call.starts_with("GET ")), "{asked:?}");

        juju(&sandbox, "config kratos --reset cpu,memory").await;
        let containers =
            kubernetes.stateful_set("kratos").unwrap()["spec"]["template"]["spec"]["containers"].clone();
        let resources = |name: &str| {
            containers.as_array().unwrap().iter().find(|found| found["name"] == name).unwrap()["resources"]
                .clone()
        };
        assert_eq!(resources("kratos"), json!({}));
        assert_eq!(resources("charm"), json!({"requests": {"memory": "64Mi"}}), "Juju's own is left alone");
        sandbox.fire("kratos/0", "update-status").await.unwrap();
        let asked = named(&calls(&sandbox, "update-status").await);
        assert!(
            asked.iter().all(|call| !call.contains("statefulsets")),
            "nothing is left to withdraw: {asked:?}"
        );
        assert_eq!(status(&sandbox, 0), "active ");
    });
}

#[test]
fn a_roll_out_is_waited_for_and_a_bad_limit_changes_nothing() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        let kubernetes = kubernetes(&sandbox);
        kubernetes.hold_rollouts(true);
        juju(&sandbox, "config kratos memory=512Mi").await;
        assert_eq!(status(&sandbox, 0), "waiting waiting for resources patch to apply");
        sandbox.fire("kratos/0", "pg-database-relation-changed").await.unwrap();
        assert_eq!(status(&sandbox, 0), "waiting waiting for resources patch to apply");
        kubernetes.hold_rollouts(false);
        sandbox.fire("kratos/0", "update-status").await.unwrap();
        assert_eq!(status(&sandbox, 0), "active ");

        kubernetes.clear_calls();
        juju(&sandbox, "config kratos memory=much log_level=debug").await;
        let text = status(&sandbox, 0);
        assert!(
            text.starts_with("blocked Failed obtaining resource limit spec: Invalid option memory=much")
                && text.ends_with("juju config kratos memory=512Mi"),
            "{text}"
        );
        assert!(kubernetes.calls().iter().all(|call| call.method == "GET"));
        assert_eq!(environment(&sandbox, 0, "LOG_LEVEL").await, "debug", "it stands in nobody's way");
    });
}
