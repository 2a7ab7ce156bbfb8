//! The real charm's binary against the double of the Kubernetes API.

mod config_maps;
mod faults;
mod resources;
mod trust;

use kubernetes_double::{Call, Kubernetes};
use sandbox::Sandbox;

/// The model's Kubernetes.
fn kubernetes(sandbox: &Sandbox) -> &Kubernetes {
    sandbox.kubernetes().unwrap()
}

/// Lines of the log that say that a hook failed.
fn failures(sandbox: &Sandbox) -> Vec<String> {
    let failed =
        sandbox.log().into_iter().filter(|line| line.level == "ERROR" && line.text.contains("failed"));
    failed.map(|line| line.text).collect()
}

/// The calls that a hook of unit 0 makes.
async fn calls(sandbox: &Sandbox, event: &str) -> Vec<Call> {
    kubernetes(sandbox).clear_calls();
    sandbox.fire("kratos/0", event).await.unwrap();
    kubernetes(sandbox).calls()
}

/// `METHOD PATH` of each.
fn named(calls: &[Call]) -> Vec<String> {
    calls.iter().map(|call| format!("{} {}", call.method, call.path)).collect()
}
