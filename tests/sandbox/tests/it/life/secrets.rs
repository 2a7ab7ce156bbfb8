//! The password, the DSN and the cookie secret appear nowhere but in the environment of Kratos, over a whole life.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::support::*;

/// Every command line on this machine that holds one of the texts, sampled until told to stop.
fn command_lines_with(secrets: Vec<String>, stop: Arc<AtomicBool>) -> Vec<String> {
    let mut found = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            if secrets.iter().any(|secret| line.contains(secret.as_str())) {
                found.push(line);
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    found
}

#[test]
fn no_secret_is_seen_over_a_whole_life() {
    let (older, newest) = upgrade();
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &older, 2).await;
        let relation = sandbox.relation(DATABASE.0, DATABASE.1).unwrap();
        let user = sandbox.secret(&sandbox.databag(relation, "postgresql-k8s")["secret-user"]).unwrap();
        let dsn = environment(&sandbox, 0, "DSN").await;
        let cookie = environment(&sandbox, 0, "SECRETS_COOKIE").await.replace(['[', ']', '"'], "");
        assert_eq!(cookie.len(), 32);
        assert!(dsn.contains(&user["password"]));
        let secrets = vec![user["password"].clone(), dsn, cookie];

        let stop = Arc::new(AtomicBool::new(false));
        let watch = std::thread::spawn({
            let (secrets, stop) = (secrets.clone(), stop.clone());
            move || command_lines_with(secrets, stop)
        });
        let mut shown = String::new();
        shown += &juju(&sandbox, &format!("refresh kratos --channel {newest}")).await;
        let report = session(&sandbox).await;
        report.batch_execute("BEGIN; SELECT count(*) FROM courier_messages").await.unwrap();
        shown += &action_fails(&sandbox, "run kratos/leader run-migration timeout=1").await;
        report.batch_execute("COMMIT").await.unwrap();
        shown += &juju(&sandbox, "run kratos/leader run-migration").await;
        juju(&sandbox, "config kratos log_level=debug").await;
        for line in
            ["status --relations --format yaml", "show-unit kratos/0", "debug-log --limit 100000", "secrets"]
        {
            shown += &juju(&sandbox, line).await;
        }
        stop.store(true, Ordering::Relaxed);
        let lines = watch.join().unwrap();
        assert!(lines.is_empty(), "a secret stands in a command line of {} processes", lines.len());

        for line in sandbox.log() {
            shown += &line.text;
        }
        // What makes a secret hands its content to the agent, over the agent's own socket.
        let makes_secret = |command: &str| matches!(command, "secret-add" | "secret-set");
        let trace = sandbox.trace();
        assert!(trace.iter().any(|call| makes_secret(&call.command)), "the cookie secret was not made");
        for call in
            trace.iter().filter(|call| call.unit.starts_with("kratos/") && !makes_secret(&call.command))
        {
            shown += &call.args.join(" ");
            shown += &String::from_utf8_lossy(call.stdin.as_deref().unwrap_or_default());
        }
        for unit in [0, 1] {
            let container = sandbox.container(&format!("kratos/{unit}")).unwrap();
            let log = container.lock().unwrap().log();
            shown += &fs::read_to_string(log).unwrap();
        }
        assert!(shown.contains("migrations pending"), "the log was not read");
        for (number, secret) in secrets.iter().enumerate() {
            assert!(!shown.contains(secret.as_str()), "secret {number} is shown");
        }
    });
}
