//! An API that refuses, does not answer, answers nonsense or is not the right one.

use std::time::{Duration, Instant};

use kubernetes_double::{Failure, Fault};
use sandbox::Sandbox;
use serde_json::json;

use super::{failures, kubernetes};
use crate::life::support::*;

/// How long a dispatch may take, whatever the API does.
const LIMIT: Duration = Duration::from_secs(2);

const RESET: &str = "juju config kratos --reset cpu,memory";
const TRUST: &str = "juju trust kratos --scope=cluster";

/// The status after an event, which has to come in time, fail no hook and stop nothing.
async fn status_in_time(sandbox: &Sandbox, event: &str) -> String {
    // Late once may be the machine's doing, late each time is the charm's.
    let mut took = Vec::new();
    while took.last().is_none_or(|took| *took >= LIMIT) {
        assert!(took.len() < 5, "{event} took {took:?}");
        let begun = Instant::now();
        sandbox.fire("kratos/0", event).await.unwrap();
        took.push(begun.elapsed());
    }
    assert_eq!(failures(sandbox), Vec::<String>::new());
    assert!(is_active(sandbox, 0, "kratos").await);
    assert!(sandbox.log().iter().all(|line| !line.text.contains("sesame")), "an answer was logged");
    status(sandbox, 0)
}

fn fault(resource: &'static str, method: Option<&'static str>, failure: Failure) -> Option<Fault> {
    Some(Fault { method, resource: Some(resource), failure })
}

#[test]
fn each_failure_of_the_patch_has_its_status_in_time() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        let kubernetes = kubernetes(&sandbox);
        kubernetes.fail(fault("statefulsets", Some("PATCH"), Failure::Code(403)));
        juju(&sandbox, "config kratos cpu=500m").await;
        let told = "the API was told to answer";
        let table = [
            (Failure::Code(403), format!("blocked Kubernetes resources patch failed: `juju trust` this application. {told} 403: {TRUST}")),
            (
                Failure::Code(404),
                format!("blocked Kubernetes resources patch failed: there is no StatefulSet kratos in the namespace sandbox; to do without limits: {RESET}"),
            ),
            (Failure::Code(422), format!("blocked Kubernetes resources patch failed: {told} 422; to do without limits: {RESET}")),
            (Failure::Code(503), format!("waiting Kubernetes resources patch failed: {told} 503; it is tried again")),
            (
                Failure::Hang,
                "waiting Kubernetes resources patch failed: the Kubernetes API does not answer in time; it is tried again".to_owned(),
            ),
            (
                Failure::Garbage,
                "waiting Kubernetes resources patch failed: the answer of the Kubernetes API cannot be read: it is not the object that was asked for; it is tried again".to_owned(),
            ),
        ];
        for (failure, expected) in table {
            for method in ["GET", "PATCH"] {
                kubernetes.fail(fault("statefulsets", Some(method), failure));
                assert_eq!(
                    status_in_time(&sandbox, "config-changed").await,
                    expected,
                    "{method} {failure:?}"
                );
            }
        }
        kubernetes.fail(None);
        kubernetes
            .apply_as(
                "kubectl",
                "kratos",
                &json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": {"template": {
            "spec": {"containers": [{"name": "kratos", "resources": {"limits": {"cpu": "4"}}}]}}}}),
            )
            .unwrap();
        let text = status_in_time(&sandbox, "config-changed").await;
        assert!(
            text.starts_with("blocked Kubernetes resources patch failed: Apply failed with 1 conflict(s): conflict with \"kubectl\"")
                && text.ends_with(&format!("to leave the resources to whoever set them: {RESET}")),
            "{text}"
        );
        juju(&sandbox, "config kratos --reset cpu,memory").await;
        assert_eq!(status(&sandbox, 0), "active ");
        let limits = kubernetes.stateful_set("kratos").unwrap()["spec"]["template"]["spec"]["containers"][1]
            ["resources"]
            .clone();
        assert_eq!(limits, json!({"limits": {"cpu": "4"}}), "another's limit stays");
    });
}

#[test]
fn config_maps_that_cannot_be_read_change_nothing_that_runs() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        let kubernetes = kubernetes(&sandbox);
        let provider =
            json!([{"id": "g1", "provider": "google", "client_id": "x", "client_secret": "sesame"}]);
        kubernetes.set_data("oidc-providers", &[("idps.json", &provider.to_string())]);
        sandbox.fire("kratos/0", "update-status").await.unwrap();
        let root = sandbox.container_root("kratos/0").unwrap().join("etc/config/kratos/kratos.yaml");
        let configured = std::fs::read_to_string(&root).unwrap();
        assert!(configured.contains("g1"));
        let table = [
            (Failure::Code(403), format!("blocked Kubernetes does not let this application use its ConfigMaps: {TRUST}")),
            (Failure::Code(500), "waiting Cannot read the ConfigMaps of kratos: the API was told to answer 500".to_owned()),
            (Failure::Hang, "waiting Cannot read the ConfigMaps of kratos: the Kubernetes API does not answer in time".to_owned()),
            (
                Failure::Garbage,
                "waiting Cannot read the ConfigMaps of kratos: the answer of the Kubernetes API cannot be read: it is not the object that was asked for".to_owned(),
            ),
        ];
        for (failure, expected) in table {
            kubernetes.fail(fault("configmaps", None, failure));
            assert_eq!(status_in_time(&sandbox, "update-status").await, expected, "{failure:?}");
            assert_eq!(std::fs::read_to_string(&root).unwrap(), configured);
        }
        kubernetes.fail(None);
        assert_eq!(status_in_time(&sandbox, "update-status").await, "active ");
    });
}

#[test]
fn an_api_with_another_certificate_is_not_spoken_to() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        let ca = kubernetes(&sandbox).service_account("kratos").join("ca.crt");
        let right = std::fs::read(&ca).unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let other = rcgen::CertificateParams::new(vec![]).unwrap().self_signed(&key).unwrap();
        std::fs::write(&ca, other.pem()).unwrap();
        kubernetes(&sandbox).clear_calls();
        let text = status_in_time(&sandbox, "update-status").await;
        let begin = "waiting Cannot read the ConfigMaps of kratos: cannot trust the Kubernetes API: ";
        assert!(text.starts_with(begin), "{text}");
        assert_eq!(kubernetes(&sandbox).calls(), [], "the token went nowhere");
        for (content, expected) in [(&b"junk"[..], "cannot "), (&b""[..], "cannot ")] {
            std::fs::write(&ca, content).unwrap();
            let text = status_in_time(&sandbox, "update-status").await;
            assert!(
                text.starts_with(&format!("waiting Cannot read the ConfigMaps of kratos: {expected}")),
                "{text}"
            );
        }
        std::fs::write(&ca, right).unwrap();
        let token = kubernetes(&sandbox).service_account("kratos").join("token");
        std::fs::write(&token, "somebody else's").unwrap();
        let text = status_in_time(&sandbox, "update-status").await;
        assert_eq!(text, "waiting Cannot read the ConfigMaps of kratos: Unauthorized");
        std::fs::remove_file(&token).unwrap();
        let text = status_in_time(&sandbox, "update-status").await;
        assert!(text.starts_with("active") || text.contains("cannot use the service account"), "{text}");
    });
}
