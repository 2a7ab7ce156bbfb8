//! A dispatch in which nothing changed writes nothing: not to Juju, not to Pebble, not to a file. It starts no process, and
//! asks Kubernetes for the two ConfigMaps.

use sandbox::{Options, Sandbox};

use super::support::*;

async fn workload(sandbox: &Sandbox, unit: u32) -> (Vec<String>, String) {
    let pebble = pebble(sandbox, unit);
    let changes = pebble_says(sandbox, unit, "changes?select=all").await;
    let mut changes: Vec<_> = changes
        .as_array()
        .unwrap()
        .iter()
        .filter(|change| change["kind"] != "perform-check" && change["kind"] != "recover-check")
        .map(|change| format!("{} {}", change["id"], change["kind"]))
        .collect();
    changes.sort();
    let root = sandbox.container_root(&format!("kratos/{unit}")).unwrap();
    let files = pebble.list(root.join("etc/config/kratos").to_str().unwrap(), None, false).await.unwrap();
    (changes, format!("{files:?} {:?}", pebble.plan().await.unwrap()))
}

#[test]
fn nothing_is_written_and_no_process_started_when_nothing_changed() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 2).await;
        // What the charm starts are tools, and without them it would fail.
        std::fs::rename(sandbox.tools(), sandbox.tools().with_extension("away")).unwrap();
        quiet(&sandbox).await;
    });
}

#[test]
fn nothing_is_written_over_the_tools_when_nothing_changed() {
    with_sandbox_of(Options { tools_only: true, ..Options::default() }, async |sandbox| {
        deploy(&sandbox, &newest(), 2).await;
        quiet(&sandbox).await;
    });
}

async fn quiet(sandbox: &Sandbox) {
    for unit in [0, 1] {
        for event in [
            "config-changed",
            "update-status",
            "kratos-peers-relation-changed",
            "pg-database-relation-changed",
        ] {
            let before = workload(sandbox, unit).await;
            sandbox.clear_trace();
            sandbox.kubernetes().unwrap().clear_calls();
            sandbox.fire(&format!("kratos/{unit}"), event).await.unwrap();
            let trace = sandbox.trace();
            assert!(trace.iter().any(|call| call.event == event), "{event} was not run on unit {unit}");
            let writes: Vec<_> = trace.iter().filter(|call| call.write).collect();
            assert!(writes.is_empty(), "{event} on unit {unit} wrote {writes:?}");
            assert_eq!(sandbox.kubernetes().unwrap().calls().len(), 2, "{event} on unit {unit}");
            assert_eq!(workload(sandbox, unit).await, before, "{event} on unit {unit}");
        }
    }
}
