//! Changes that a running Kratos takes over, changes that restart it, and changes that it refuses; and secrets that are
//! rotated while it serves.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use kratos_operator::pebble::CheckStatus;
use sandbox::visits::{Visits, hot_change, hot_title};
use sandbox::{KillAtCall, Moment, Sandbox};
use serde_json::{Value, json};

use super::support::*;

/// A change that Kratos takes over while it runs: the number makes it another file.
async fn change(sandbox: &Sandbox, number: u32) {
    juju(sandbox, &hot_change(number)).await;
}

/// The changes of Pebble that started or stopped a service so far.
async fn starts(sandbox: &Sandbox) -> usize {
    let changes = pebble_says(sandbox, 0, "changes?select=all").await;
    let kinds = changes.as_array().unwrap().iter().filter_map(|change| change["kind"].as_str());
    kinds.filter(|kind| ["start", "stop", "restart", "replan"].contains(kind)).count()
}

fn file(sandbox: &Sandbox, name: &str) -> PathBuf {
    sandbox.container_root("kratos/0").unwrap().join("etc/config/kratos").join(name)
}

/// The title of the configured schema, as the running Kratos shows it.
async fn title(sandbox: &Sandbox) -> String {
    let url = format!("http://{}:4433/schemas", sandbox.address("kratos/0").unwrap());
    let all: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    let entries = all.as_array().unwrap();
    let own = entries.iter().find(|entry| entry["id"] == "user_v1");
    own.and_then(|entry| entry["schema"]["title"].as_str()).unwrap_or_default().to_owned()
}

fn logged(sandbox: &Sandbox, text: &str) -> bool {
    sandbox.log().iter().any(|line| line.text.contains(text))
}

#[test]
fn nobody_notices_changes_that_kratos_takes_over() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        let before = starts(&sandbox).await;
        let visits = Visits::begin(&sandbox, "kratos/0").await.unwrap();
        for number in 1..=5 {
            change(&sandbox, number).await;
            assert_eq!(title(&sandbox).await, hot_title(number), "the dispatch ends when it is loaded");
        }
        let mode = fs::metadata(file(&sandbox, "kratos.yaml")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "it holds secrets of others");
        let visited = visits.end().await.unwrap();
        assert!(
            visited.succeeded >= 5 && visited.failures.is_empty(),
            "not one for each change: {visited:?}"
        );
        assert_eq!(starts(&sandbox).await, before, "nothing was restarted");
        assert!(logged(&sandbox, "took the new configuration over without a restart"));

        juju(&sandbox, "config kratos log_level=debug").await;
        assert!(starts(&sandbox).await > before);
        assert!(logged(&sandbox, "restarting kratos, because this changed: environment LOG_LEVEL"));
    });
}

#[test]
fn every_version_takes_changes_over() {
    for channel in channels() {
        with_sandbox(async |sandbox| {
            deploy(&sandbox, &channel, 1).await;
            let before = starts(&sandbox).await;
            change(&sandbox, 1).await;
            assert!(status(&sandbox, 0).starts_with("active"), "{channel}: {}", status(&sandbox, 0));
            assert_eq!(title(&sandbox).await, hot_title(1), "{channel}");
            assert_eq!(starts(&sandbox).await, before, "{channel}");
        });
    }
}

/// A change that the charm lets pass and every Kratos refuses: RFC 3986 lets `%41` stand in a host, Go does not.
/// Kratos first takes the values over, and then tells that it cannot use the schemas.
async fn refused_schemas(sandbox: &Sandbox) {
    schemas(sandbox, "http://a%41/").await;
}

/// A change of which Kratos takes nothing over. None is known that passes the charm, so the double has a file that
/// makes it refuse whatever holds its text; the original gets the change above.
async fn refused_change(sandbox: &Sandbox) {
    if !is_kratos_double() {
        println!("the original is given schemas that it refuses, as it has no fault to order");
        return refused_schemas(sandbox).await;
    }
    fs::write(file(sandbox, ".refuse"), "second_v1").unwrap();
    schemas(sandbox, "http://a/").await;
}

/// Sets the identity schemas to two that call themselves so.
async fn schemas(sandbox: &Sandbox, id: &str) {
    let traits = json!({"type": "object", "properties": {"email": {"type": "string"}}});
    let schema = json!({"$id": id, "type": "object", "properties": {"traits": traits}});
    let schemas = json!({"user_v1": schema, "second_v1": schema});
    juju(sandbox, &format!("config kratos 'identity_schemas={schemas}'")).await;
}

#[test]
fn weakness_11_a_refused_change_is_put_back_and_not_tried_again() {
    for channel in channels() {
        with_sandbox(async |sandbox| {
            deploy(&sandbox, &channel, 1).await;
            change(&sandbox, 1).await;
            let good = fs::read(file(&sandbox, "kratos.yaml")).unwrap();
            let before = starts(&sandbox).await;
            refused_change(&sandbox).await;
            for _ in 0..2 {
                let text = status(&sandbox, 0);
                assert!(
                    text.starts_with("blocked Kratos refused the new configuration")
                        && text.ends_with("/charm/bin/pebble logs"),
                    "{channel}: {text}"
                );
                assert_eq!(fs::read(file(&sandbox, "kratos.yaml")).unwrap(), good);
                eventually("the old schemas serve", async || title(&sandbox).await == hot_title(1)).await;
                sandbox.clear_trace();
                sandbox.fire("kratos/0", "update-status").await.unwrap();
            }
            let writes: Vec<_> = sandbox.trace().into_iter().filter(|call| call.write).collect();
            assert!(writes.is_empty(), "it is tried again: {writes:?}");
            // The same at a start: the whole of before is put back.
            juju(&sandbox, "config kratos log_level=debug").await;
            assert!(status(&sandbox, 0).starts_with("blocked Kratos refused"), "{}", status(&sandbox, 0));
            assert_eq!(environment(&sandbox, 0, "LOG_LEVEL").await, "info");
            assert!(is_active(&sandbox, 0, "kratos").await);
            let after = starts(&sandbox).await;
            assert!(after > before);
            sandbox.fire("kratos/0", "update-status").await.unwrap();
            assert_eq!(starts(&sandbox).await, after, "it is not started again and again");
            eventually("the old schemas serve", async || title(&sandbox).await == hot_title(1)).await;

            juju(&sandbox, "config kratos --reset log_level").await;
            change(&sandbox, 1).await;
            assert!(status(&sandbox, 0).starts_with("active"), "{}", status(&sandbox, 0));
            assert!(!file(&sandbox, ".last-good").exists());
        });
    }
}

#[test]
fn schemas_that_kratos_refuses_after_it_took_them_are_put_back() {
    for channel in channels() {
        with_sandbox(async |sandbox| {
            deploy(&sandbox, &channel, 1).await;
            change(&sandbox, 1).await;
            let good = fs::read(file(&sandbox, "kratos.yaml")).unwrap();
            let before = starts(&sandbox).await;
            refused_schemas(&sandbox).await;
            let text = status(&sandbox, 0);
            assert!(text.starts_with("blocked Kratos refused the new configuration"), "{channel}: {text}");
            assert_eq!(fs::read(file(&sandbox, "kratos.yaml")).unwrap(), good);
            assert_eq!(starts(&sandbox).await, before);
            eventually("the old schemas serve", async || title(&sandbox).await == hot_title(1)).await;
        });
    }
}

#[test]
fn a_change_that_is_killed_at_any_hook_command_is_made_good() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        let mut kills = 0;
        for n in 1..200 {
            sandbox.inject(KillAtCall { unit: Some("kratos/0".to_owned()), n, moment: Moment::After });
            let number = u32::try_from(n).unwrap();
            change(&sandbox, number).await;
            if sandbox.disarm() {
                break;
            }
            kills += 1;
            sandbox.juju("resolve kratos/0").await;
            eventually("the hook is run again", async || {
                status(&sandbox, 0).starts_with("active") && title(&sandbox).await == hot_title(number)
            })
            .await;
            assert!(!file(&sandbox, ".last-good").exists());
        }
        assert!(kills > 10, "only {kills} calls were hit");
    });
}

#[test]
fn secrets_are_rotated_and_every_unit_reads_them_all() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 2).await;
        let read = async |unit: u32, name: &str| -> Vec<String> {
            serde_json::from_str(&environment(&sandbox, unit, name).await).unwrap()
        };
        let names = ["SECRETS_COOKIE", "SECRETS_DEFAULT", "SECRETS_CIPHER"];
        let mut before = Vec::new();
        for name in names {
            before.push(read(0, name).await);
            assert_eq!(before.last().unwrap()[0].len(), 32, "{name}");
        }
        let shown = juju(&sandbox, "run kratos/leader rotate-secrets").await;
        for (name, before) in names.iter().zip(&before) {
            let after = read(0, name).await;
            assert_eq!((after.len(), &after[1..]), (2, &before[..]), "{name}");
            assert_eq!(read(1, name).await, after, "{name} of the other unit");
            assert!(!after.iter().any(|value| shown.contains(value.as_str())), "{name} is shown");
        }
        juju(&sandbox, "run kratos/leader rotate-secrets which=cookie").await;
        assert_eq!(read(1, "SECRETS_COOKIE").await.len(), 3);
        assert_eq!(read(1, "SECRETS_DEFAULT").await.len(), 2);
        let text = action_fails(&sandbox, "run kratos/1 rotate-secrets").await;
        assert!(text.contains("juju run kratos/leader rotate-secrets"), "{text}");
        let text = action_fails(&sandbox, "run kratos/leader rotate-secrets which=all-of-them").await;
        assert!(text.contains("which=all"), "{text}");
        assert_eq!(status(&sandbox, 0), "active ");
        for (label, newest) in [("cookie_secret", 3), ("kratos_secrets", 2)] {
            let model = sandbox.model();
            let secret =
                model.secrets.values().find(|secret| secret.label.as_deref() == Some(label)).unwrap();
            let left: Vec<u32> = secret.revisions.keys().copied().collect();
            assert_eq!(left, [newest], "revisions of {label} that no unit follows are removed");
        }
    });
}

#[test]
fn a_slow_start_does_not_turn_pebbles_check_down() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        let checks = async || pebble(&sandbox, 0).checks_all().await.unwrap();
        let check = async || checks().await.into_iter().find(|check| check.name == "ready").unwrap();
        let admin = session(&sandbox).await;
        admin.batch_execute("BEGIN; LOCK TABLE schema_migration").await.unwrap();
        juju(&sandbox, "config kratos log_level=debug").await;
        assert!(
            status(&sandbox, 0).starts_with("blocked Failed to start the service"),
            "{}",
            status(&sandbox, 0)
        );
        assert_eq!(check().await.status, CheckStatus::Up, "only Pebble's own runs count");
        admin.batch_execute("COMMIT").await.unwrap();
        sandbox.fire("kratos/0", "update-status").await.unwrap();
        assert_eq!(status(&sandbox, 0), "active ");
    });
}
