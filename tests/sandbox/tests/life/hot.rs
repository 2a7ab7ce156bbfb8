//! Changes that a running Kratos takes over, changes that restart it, and changes that it refuses; and secrets that are
//! rotated while it serves.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kratos_operator::pebble::Select;
use sandbox::{KillAtCall, Moment, Sandbox};
use serde_json::{Value, json};

use super::support::*;

const PASSWORD: &str = "correct horse battery staple";

/// Sets an option whose value is told to Kratos by its file alone: the number makes it another file.
pub async fn change(sandbox: &Sandbox, number: u32) {
    let schemas = json!({"user_v1": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": format!("number {number}"),
        "type": "object",
        "properties": {"traits": {"type": "object", "properties": {"email": {"type": "string"}}}},
    }});
    let words = ["config", "kratos", "default_identity_schema_id=user_v1"].map(str::to_owned);
    let words = words.into_iter().chain([format!("identity_schemas={schemas}")]);
    let line: Vec<String> = words.map(|word| format!("'{word}'")).collect();
    juju(sandbox, &line.join(" ")).await;
}

/// The changes of Pebble that started or stopped a service so far.
async fn starts(sandbox: &Sandbox) -> usize {
    let changes = pebble(sandbox, 0).changes(Select::All).await.unwrap();
    changes
        .iter()
        .filter(|change| ["start", "stop", "restart", "replan"].contains(&change.kind.as_str()))
        .count()
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

/// Logs in and asks who that is, again and again; the numbers of successes and of failures.
async fn visit(addresses: String, stop: Arc<AtomicBool>) -> (u32, Vec<String>) {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
    let (mut good, mut bad) = (0, Vec::new());
    while !stop.load(Ordering::Relaxed) {
        match one_visit(&http, &addresses).await {
            Ok(()) => good += 1,
            Err(error) => bad.push(error),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (good, bad)
}

async fn one_visit(http: &reqwest::Client, address: &str) -> Result<(), String> {
    let text = |error: reqwest::Error| error.to_string();
    let flow: Value = http
        .get(format!("http://{address}:4433/self-service/login/api"))
        .send()
        .await
        .map_err(text)?
        .json()
        .await
        .map_err(text)?;
    let action =
        format!("http://{address}:4433/self-service/login?flow={}", flow["id"].as_str().unwrap_or("none"));
    let body = json!({"method": "password", "identifier": "ada@example.com", "password": PASSWORD});
    let answer = http.post(action).json(&body).send().await.map_err(text)?;
    let (status, session): (_, Value) = (answer.status(), answer.json().await.map_err(text)?);
    let Some(token) = session["session_token"].as_str() else { return Err(format!("login: {status}")) };
    let whoami = http.get(format!("http://{address}:4433/sessions/whoami")).header("x-session-token", token);
    let status = whoami.send().await.map_err(text)?.status();
    if status.is_success() { Ok(()) } else { Err(format!("whoami: {status}")) }
}

async fn register_with_password(sandbox: &Sandbox) {
    let body = json!({
        "schema_id": "social_user_v0",
        "traits": {"email": "ada@example.com"},
        "credentials": {"password": {"config": {"password": PASSWORD}}},
    });
    let url = format!("http://{}:4434/admin/identities", sandbox.address("kratos/0").unwrap());
    let answer = reqwest::Client::new().post(url).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 201);
}

#[test]
fn nobody_notices_changes_that_kratos_takes_over() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        register_with_password(&sandbox).await;
        let before = starts(&sandbox).await;
        let stop = Arc::new(AtomicBool::new(false));
        let client = tokio::spawn(visit(sandbox.address("kratos/0").unwrap(), stop.clone()));
        for number in 1..=5 {
            change(&sandbox, number).await;
            assert_eq!(
                title(&sandbox).await,
                format!("number {number}"),
                "the dispatch ends when it is loaded"
            );
        }
        stop.store(true, Ordering::Relaxed);
        let (good, bad) = client.await.unwrap();
        assert!(good > 20 && bad.is_empty(), "{good} visits went well, others: {bad:?}");
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
            assert_eq!(title(&sandbox).await, "number 1", "{channel}");
            assert_eq!(starts(&sandbox).await, before, "{channel}");
        });
    }
}

#[test]
fn a_refused_change_is_put_back_and_not_tried_again() {
    for channel in channels() {
        with_sandbox(async |sandbox| {
            deploy(&sandbox, &channel, 1).await;
            change(&sandbox, 1).await;
            let good = fs::read(file(&sandbox, "kratos.yaml")).unwrap();
            let before = starts(&sandbox).await;
            // Nothing that the next configuration lacks.
            fs::write(file(&sandbox, ".refuse"), "second_v1").unwrap();
            let traits = json!({"type": "object", "properties": {"email": {"type": "string"}}});
            let schema = json!({"type": "object", "properties": {"traits": traits}});
            let schemas = json!({"user_v1": schema, "second_v1": schema});
            juju(&sandbox, &format!("config kratos 'identity_schemas={schemas}'")).await;
            for _ in 0..2 {
                let text = status(&sandbox, 0);
                assert!(
                    text.starts_with("blocked Kratos refused the new configuration")
                        && text.ends_with("juju ssh --container kratos kratos/0 pebble logs"),
                    "{channel}: {text}"
                );
                assert_eq!(fs::read(file(&sandbox, "kratos.yaml")).unwrap(), good);
                assert_eq!(title(&sandbox).await, "number 1");
                sandbox.clear_trace();
                sandbox.fire("kratos/0", "update-status").await.unwrap();
            }
            let writes: Vec<_> = sandbox.trace().into_iter().filter(|call| call.write).collect();
            assert!(writes.is_empty(), "it is tried again: {writes:?}");
            // The same at a start: the whole of before is put back.
            juju(&sandbox, "config kratos log_level=debug").await;
            assert!(status(&sandbox, 0).starts_with("blocked Kratos refused"), "{}", status(&sandbox, 0));
            assert_eq!(environment(&sandbox, 0, "LOG_LEVEL").await, "info");
            assert!(is_active(&sandbox, 0, "kratos").await && is_active(&sandbox, 0, "courier").await);
            let after = starts(&sandbox).await;
            assert!(after > before);
            sandbox.fire("kratos/0", "update-status").await.unwrap();
            assert_eq!(starts(&sandbox).await, after, "it is not started again and again");
            assert_eq!(title(&sandbox).await, "number 1");

            juju(&sandbox, "config kratos --reset log_level").await;
            change(&sandbox, 1).await;
            assert!(status(&sandbox, 0).starts_with("active"), "{}", status(&sandbox, 0));
            assert!(!file(&sandbox, ".last-good").exists());
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
                status(&sandbox, 0).starts_with("active")
                    && title(&sandbox).await == format!("number {number}")
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
    });
}
