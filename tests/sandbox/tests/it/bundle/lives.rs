//! What happens to a bundle that stays: secrets rotate, units come and go, the leader changes, providers write nonsense.
//! Over all of it nobody sees a secret.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sandbox::Sandbox;

use super::world::*;
use crate::life::support::*;

/// Deploys and relates everything. Kratos has `units` units.
async fn whole(sandbox: &Sandbox, units: u32) {
    deploy_all(sandbox, units).await;
    for at in 0..RELATIONS.len() {
        integrate(sandbox, at).await;
    }
    assert_eq!(troubled(sandbox), [""; 0]);
}

/// Whether a unit's Kratos is given that text, in a file or in its environment.
async fn is_given(sandbox: &Sandbox, unit: u32, text: &str) -> bool {
    let name = format!("kratos/{unit}");
    let parts = snapshot(sandbox).await;
    parts.iter().any(|(part, content)| part.ends_with(&format!("on {name}")) && content.contains(text))
}

#[test]
fn rotated_secrets_reach_every_unit() {
    with_sandbox(async |sandbox| {
        whole(&sandbox, 2).await;
        let databags = snapshot(&sandbox).await;
        for (change, old, new) in [
            ("config smtp password=rotated-1", "smtp-PASSWORD-41d9", "rotated-1"),
            ("config hooks api_key=rotated-2", "hook-KEY-7fb2", "rotated-2"),
        ] {
            juju(&sandbox, change).await;
            for unit in [0, 1] {
                assert!(is_given(&sandbox, unit, new).await, "{change} on unit {unit}");
                assert!(!is_given(&sandbox, unit, old).await, "{change} on unit {unit}");
            }
            assert_eq!(troubled(&sandbox), [""; 0]);
        }
        let is_bag = |(name, _): &(&String, &String)| name.starts_with("databag ");
        let now = snapshot(&sandbox).await;
        assert!(now.iter().filter(is_bag).eq(databags.iter().filter(is_bag)), "secret-changed alone told it");
    });
}

#[test]
fn units_and_leaders_come_and_go() {
    with_sandbox(async |sandbox| {
        whole(&sandbox, 2).await;
        let before = snapshot(&sandbox).await;
        juju(&sandbox, "scale-application kratos 3").await;
        assert_eq!(troubled(&sandbox), [""; 0]);
        assert!(is_active(&sandbox, 2, "kratos").await && is_given(&sandbox, 2, "smtp-PASSWORD-41d9").await);
        let with_three = snapshot(&sandbox).await;
        assert!(with_three["plan of kratos/2"].contains("loki/1"), "{}", with_three["plan of kratos/2"]);
        assert!(with_three.keys().any(|part| part.starts_with("databag of kratos/2 in prometheus:")));
        juju(&sandbox, "scale-application kratos 2").await;
        assert_same(&snapshot(&sandbox).await, &before, "scaled to 3 and back");

        sandbox.set_leader("kratos/1").await.unwrap();
        assert_eq!(troubled(&sandbox), [""; 0]);
        juju(&sandbox, "config public external_hostname=moved.example").await;
        for provider in ["google/0", "microsoft/0"] {
            let text = sandbox.status(provider).unwrap().message;
            assert!(text.contains("https://moved.example/self-service/methods/oidc/callback/"), "{text}");
        }
        juju(&sandbox, "config public external_hostname=id.example").await;
        sandbox.set_leader("kratos/0").await.unwrap();
        assert_same(&snapshot(&sandbox).await, &before, "led by another unit and back");
    });
}

#[test]
fn nonsense_of_one_provider_keeps_nothing_else_from_working() {
    with_sandbox(async |sandbox| {
        whole(&sandbox, 1).await;
        let before = snapshot(&sandbox).await;
        // The other side's holder and key, the nonsense, and whether an operator has to be told.
        for (holder, key, nonsense, is_told) in [
            ("smtp", "port", "many", true),
            ("google", "providers", "[{", true),
            ("hooks", "url", "::::", true),
            ("tempo", "receivers", "{}", false),
            ("authority", "certificates", "[1", false),
            ("hydra", "admin_endpoint", "", false),
            ("loki/0", "endpoint", "{", true),
            ("prometheus", "event", "{", false),
            ("grafana", "event", "{", false),
        ] {
            let at = place(holder.split('/').next().unwrap());
            let id = relation(&sandbox, at);
            let good = sandbox.databag(id, holder).get(key).cloned().unwrap_or_default();
            sandbox.set_databag(id, holder, &[(key, nonsense)]).await.unwrap();
            let endpoint = RELATIONS[at].0;
            let text = status(&sandbox, 0);
            if is_told {
                assert!(text.contains(endpoint), "{holder} {key}: {text}");
            }
            assert!(!text.starts_with("error"), "{holder} {key}: {text}");
            juju(&sandbox, "config kratos log_level=debug").await;
            assert!(is_active(&sandbox, 0, "kratos").await, "{holder} {key}");
            assert_eq!(environment(&sandbox, 0, "LOG_LEVEL").await, "debug", "{holder} {key}");
            juju(&sandbox, "config kratos --reset log_level").await;
            sandbox.set_databag(id, holder, &[(key, &good)]).await.unwrap();
            assert_eq!(troubled(&sandbox), [""; 0], "{holder} {key} is mended");
            assert_same(&snapshot(&sandbox).await, &before, &format!("{holder} {key} is mended"));
        }
    });
}

#[test]
fn no_secret_of_a_provider_is_seen_over_a_whole_life() {
    with_sandbox(async |sandbox| {
        let stop = Arc::new(AtomicBool::new(false));
        let watch = std::thread::spawn({
            let stop = stop.clone();
            move || command_lines(&stop)
        });
        whole(&sandbox, 2).await;
        juju(&sandbox, "config google provider=apple client_secret= apple_team_id=t apple_private_key_id=k apple_private_key=apple-KEY-5d27").await;
        for (name, secret) in SECRETS {
            let is_known = name == "client secret" || is_given(&sandbox, 0, secret).await;
            assert!(is_known, "Kratos was not given the {name}");
        }
        let mut shown = String::new();
        // A provider that is refused is described in the status, and so is a bad option.
        let id = relation(&sandbox, place("microsoft"));
        let bag = sandbox.databag(id, "microsoft");
        let broken = bag["providers"].replace("\"provider\":\"microsoft\"", "\"provider\":\"wizard\"");
        sandbox.set_databag(id, "microsoft", &[("providers", &broken)]).await.unwrap();
        shown += &juju(&sandbox, "status --relations").await;
        sandbox.set_databag(id, "microsoft", &[("providers", &broken[..broken.len() - 2])]).await.unwrap();
        shown += &juju(&sandbox, "status --relations").await;
        sandbox.set_databag(id, "microsoft", &[("providers", &bag["providers"])]).await.unwrap();
        juju(&sandbox, "config kratos log_level=trace").await;
        for action in ["plan-migration", "pre-refresh-check", "show-migrations", "run-migration"] {
            shown += &juju(&sandbox, &format!("run kratos/leader {action}")).await;
        }
        for at in [place("smtp"), place("hooks"), place("google")] {
            remove(&sandbox, at).await;
        }
        for line in ["status --relations --format yaml", "debug-log --limit 100000", "secrets"] {
            shown += &juju(&sandbox, line).await;
        }
        stop.store(true, Ordering::Relaxed);
        let lines = watch.join().unwrap();
        assert!(lines.is_empty(), "a secret stands in a command line: {lines:?}");
        for line in sandbox.log() {
            shown += &line.text;
        }
        for call in sandbox.trace().iter().filter(|call| call.unit.starts_with("kratos/")) {
            shown += &call.args.join(" ");
            shown += &String::from_utf8_lossy(call.stdin.as_deref().unwrap_or_default());
        }
        for unit in [0, 1] {
            let log = sandbox.container(&format!("kratos/{unit}")).unwrap().lock().unwrap().log();
            shown += &fs::read_to_string(log).unwrap();
        }
        for (name, secret) in SECRETS {
            let near = shown.find(secret).map(|at| &shown[at.saturating_sub(200)..at]);
            assert_eq!(near, None, "the {name} is shown after this text");
        }
    });
}

/// The first words of every command line on this machine that holds one of the secrets.
fn command_lines(stop: &AtomicBool) -> Vec<String> {
    let mut found = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            if SECRETS.iter().any(|(_, secret)| line.contains(secret)) {
                found.push(line.chars().take(60).collect());
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    found
}
