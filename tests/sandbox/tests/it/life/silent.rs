//! A peer that accepts connections and says nothing: each hook and each action ends in time and names it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use kubernetes_double::{Failure, Fault};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sandbox::Sandbox;
use tokio::net::TcpListener;

use super::support::*;

/// How long a hook may take, whoever is silent.
const HOOK: Duration = Duration::from_secs(60);
/// How much longer than its own limit an action may take.
const BEYOND: Duration = Duration::from_secs(15);

/// Stopped processes: the kernel accepts for them, and no answer comes. They go on when this is dropped.
struct Frozen(Vec<Pid>);

impl Frozen {
    fn of(pids: Vec<Pid>) -> Self {
        for pid in &pids {
            kill(*pid, Signal::SIGSTOP).unwrap();
        }
        Self(pids)
    }

    async fn pebble(sandbox: &Sandbox, unit: u32) -> Self {
        let container = sandbox.container(&format!("kratos/{unit}")).unwrap();
        let pid = tokio::task::spawn_blocking(move || container.lock().unwrap().pid()).await.unwrap();
        Self::of(vec![pid_of(&pid.unwrap().to_string())])
    }

    async fn postgres(sandbox: &Sandbox) -> Self {
        let dir = sandbox.postgres(|cluster| cluster.dir().to_owned()).await.unwrap();
        let file = fs::read_to_string(dir.join("data/postmaster.pid")).unwrap();
        let postmaster = file.lines().next().unwrap().trim();
        let children = fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children")).unwrap();
        Self::of(std::iter::once(postmaster).chain(children.split_whitespace()).map(pid_of).collect())
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for pid in &self.0 {
            let _ = kill(*pid, Signal::SIGCONT);
        }
    }
}

fn pid_of(text: &str) -> Pid {
    Pid::from_raw(text.parse().unwrap())
}

/// Runs a hook, which has to end in time; the status after it.
async fn hook(sandbox: &Sandbox, event: &str) -> String {
    let begun = Instant::now();
    sandbox.fire("kratos/0", event).await.unwrap();
    assert!(begun.elapsed() < HOOK, "{event} took {:?}", begun.elapsed());
    status(sandbox, 0)
}

/// Runs an action, which has to fail in time; what it says.
async fn action(sandbox: &Sandbox, action: &str, limit: Duration) -> String {
    let begun = Instant::now();
    let output = action_fails(sandbox, &format!("run kratos/0 --wait=5m {action}")).await;
    assert!(begun.elapsed() < limit + BEYOND, "{action} took {:?}", begun.elapsed());
    output
}

#[test]
fn silent_peers_of_a_unit_hold_up_no_hook_and_are_named() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;

        let frozen = Frozen::pebble(&sandbox, 0).await;
        let text = hook(&sandbox, "config-changed").await;
        assert!(text.starts_with("waiting Container is not connected yet"), "{text}");
        let output = action(&sandbox, "run-migration", Duration::ZERO).await;
        assert!(output.contains("Container is not connected yet"), "{output}");
        drop(frozen);

        let silent = Fault { method: None, resource: None, failure: Failure::Hang };
        sandbox.kubernetes().unwrap().fail(Some(silent));
        let text = hook(&sandbox, "leader-elected").await;
        assert!(text.contains("the Kubernetes API does not answer in time"), "{text}");
        sandbox.kubernetes().unwrap().fail(None);
        assert_eq!(hook(&sandbox, "update-status").await, "active ");

        let listener = silence_kratos(&sandbox).await;
        let text = hook(&sandbox, "config-changed").await;
        assert!(
            text.contains("Failed to start the service, please check the kratos container logs"),
            "{text}"
        );
        let output = action(&sandbox, "get-identity email=ada@example.com", Duration::ZERO).await;
        assert!(output.contains("Kratos"), "{output}");
        drop(listener);
    });
}

#[test]
fn a_silent_database_holds_up_no_hook_and_no_action_and_is_named() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        pebble(&sandbox, 0).stop(&["kratos"]).await.unwrap();
        let host = sandbox.postgres(|cluster| cluster.host()).await.unwrap();
        let frozen = Frozen::postgres(&sandbox).await;
        for event in ["config-changed", "update-status"] {
            let text = hook(&sandbox, event).await;
            assert!(
                text.starts_with("waiting Cannot read the database's schema: ") && text.contains(&host),
                "{text}"
            );
        }
        for (name, limit) in [("run-migration timeout=5", 5), ("plan-migration", 0), ("show-migrations", 0)] {
            let output = action(&sandbox, name, Duration::from_secs(limit)).await;
            assert!(output.contains(&host), "{name}: {output}");
        }
        drop(frozen);
        assert_eq!(hook(&sandbox, "update-status").await, "active ");
    });
}

/// Puts a listener that never answers in the place of Kratos' admin API, and a program that only stays beside it.
async fn silence_kratos(sandbox: &Sandbox) -> TcpListener {
    let pebble = pebble(sandbox, 0);
    let change = pebble.stop(&["kratos"]).await.unwrap();
    pebble.wait_change(&change, HOOK).await.unwrap();
    let container = sandbox.container_root("kratos/0").unwrap();
    let bin = container.parent().unwrap().join("bin");
    let (link, draft) = (bin.join("kratos"), bin.join("draft"));
    let program = fs::read_link(&link).unwrap();
    let script = format!(
        "#!/bin/sh\ncase \"$1\" in serve) exec sleep 600 ;; esac\nexec {} \"$@\"\n",
        program.display()
    );
    fs::write(&draft, script).unwrap();
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(draft, link).unwrap();
    TcpListener::bind((sandbox.address("kratos/0").unwrap(), 4434)).await.unwrap()
}
