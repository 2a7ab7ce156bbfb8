//! An application with a workload container: Pebble, image and the charm's way to both.

use crate::model::support::{Charm, ok, sandbox};

const METADATA: &str = "containers: {web: {resource: image}}\nresources: {image: {type: oci-image}}\n";

#[tokio::test]
async fn a_container_is_up_before_pebble_ready_and_new_after_a_refresh() {
    let charm = Charm::new(
        "app",
        METADATA,
        "[ -S \"$PEBBLE_SOCKET\" ] && [ -d \"$KRATOS_OPERATOR_ROOT\" ]; touch \"$KRATOS_OPERATOR_ROOT/$hook\"; \
         echo \"$hook ${JUJU_WORKLOAD_NAME:-} ${JUJU_PEBBLE_CHECK_NAME:-}\"; cat $(resource-get image); echo at $KRATOS_OPERATOR_ADDRESS",
    );
    let sandbox = sandbox();
    let refused = sandbox.juju(&format!("deploy {}", charm.path())).await;
    assert!(
        refused.stderr.ends_with("missing OCI images for: [image]; use --resource image=kratos:VERSION\n"),
        "{}",
        refused.stderr
    );
    let refused = sandbox.juju(&format!("deploy {} --resource image=kratos:v0.1", charm.path())).await;
    assert!(
        refused.stderr.contains("no image \"kratos:v0.1\"; known images: kratos:v"),
        "{}",
        refused.stderr
    );
    let versions = sandbox::programs::Programs::find().unwrap().kratos;
    let (first, last) = (versions[0].version.clone(), versions[versions.len() - 1].version.clone());
    ok(&sandbox, &format!("deploy {} --resource image=kratos:{first}", charm.path())).await;
    assert_eq!(sandbox.hooks("app/0")[3..], ["start", "web-pebble-ready"]);
    sandbox.fire("app/0", "web-pebble-check-failed:alive").await.unwrap();
    let said = |text: &str| sandbox.log().iter().any(|line| line.text == text);
    assert!(said("web-pebble-ready web ") && said("web-pebble-check-failed web alive"));
    assert!(said(&format!("registrypath: kratos:{first}")));
    assert!(said(&format!("at {}", sandbox.address("app/0").unwrap())));
    let root = sandbox.container_root("app/0").unwrap();
    assert!(root.join("install").exists());
    ok(&sandbox, &format!("refresh app --path {} --resource image=kratos:{last}", charm.path())).await;
    let hooks = sandbox.hooks("app/0");
    let rolled = ["stop", "upgrade-charm", "config-changed", "start", "web-pebble-ready"];
    assert_eq!(hooks[hooks.len() - 5..], rolled);
    assert!(!root.join("install").exists() && root.join("start").exists(), "the container's files are new");
    let container = sandbox.container("app/0").unwrap();
    assert_eq!(container.lock().unwrap().image().version, last);
    sandbox.stop().await;
    assert!(container.lock().unwrap().pid().is_none());
}
