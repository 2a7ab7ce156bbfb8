//! Identity schemas that identities use: kept, checked, and left by moving the identities.
//!
//! `KRATOS_OPERATOR_IDENTITIES` says how many identities are moved, 600 unless it is set.

use std::time::Duration;

use sandbox::Sandbox;
use serde_json::{Value, json};

use super::support::*;

const MOVE: &str = "run kratos/leader migrate-identity-schema from=old_v1 to=new_v1";

fn schema(required: &[&str]) -> Value {
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {"traits": {
            "type": "object",
            "properties": {
                "email": {"type": "string", "format": "email", "ory.sh/kratos": {"credentials": {"password": {"identifier": true}}}},
                "name": {"type": "string"},
            },
            "required": required,
        }},
    })
}

async fn configure(sandbox: &Sandbox, default: &str, schemas: &Value) {
    let line = format!("config kratos default_identity_schema_id={default} 'identity_schemas={schemas}'");
    juju(sandbox, &line).await;
}

async fn ids(sandbox: &Sandbox, unit: u32) -> Vec<String> {
    let url = format!("http://{}:4433/schemas", sandbox.address(&format!("kratos/{unit}")).unwrap());
    let all: Vec<Value> = reqwest::get(url).await.unwrap().json().await.unwrap();
    all.iter().map(|entry| entry["id"].as_str().unwrap().to_owned()).collect()
}

async fn create(sandbox: &Sandbox, schema: &str, traits: Value) {
    let url = format!("http://{}:4434/admin/identities", sandbox.address("kratos/0").unwrap());
    let body = json!({"schema_id": schema, "traits": traits});
    assert_eq!(reqwest::Client::new().post(url).json(&body).send().await.unwrap().status(), 201);
}

/// Makes identities of the schema `old_v1` in the database, every tenth without a name.
async fn fill(sandbox: &Sandbox, count: usize) {
    let sql = format!(
        "INSERT INTO identities (id, nid, schema_id, traits, state, state_changed_at, created_at, updated_at)
         SELECT gen_random_uuid(), (SELECT id FROM networks), 'old_v1',
                CASE WHEN n % 10 = 0 THEN jsonb_build_object('email', 'p' || n || '@example.com')
                     ELSE jsonb_build_object('email', 'p' || n || '@example.com', 'name', 'P') END,
                'active', now(), now(), now() FROM generate_series(1, {count}) n"
    );
    session(sandbox).await.batch_execute(&sql).await.unwrap();
}

/// How many identities have a schema, and a digest of all that is stored of identities.
async fn stored(sandbox: &Sandbox, schema: &str) -> (i64, String) {
    let client = session(sandbox).await;
    let sql = "SELECT count(*) FILTER (WHERE schema_id = $1),
                      coalesce(md5(string_agg(i::text, ',' ORDER BY id)), '') FROM identities i";
    let row = client.query_one(sql, &[&schema]).await.unwrap();
    (row.get(0), row.get(1))
}

#[test]
fn a_schema_in_use_stays_until_its_identities_are_moved() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 2).await;
        configure(&sandbox, "old_v1", &json!({"old_v1": schema(&[]), "spare_v1": schema(&[])})).await;
        create(&sandbox, "old_v1", json!({"email": "ada@example.com", "name": "Ada"})).await;
        create(&sandbox, "old_v1", json!({"email": "bob@example.com"})).await;

        configure(&sandbox, "new_v1", &json!({"new_v1": schema(&["name"])})).await;
        for unit in [0, 1] {
            assert_eq!(ids(&sandbox, unit).await, ["new_v1", "old_v1"], "what nobody uses goes at once");
            let text = status(&sandbox, unit);
            assert!(text.contains("old_v1 (2)") && text.ends_with(&format!("juju {MOVE}")), "{text}");
        }
        // A new container has no file to read the schema from.
        let container = sandbox.container("kratos/1").unwrap();
        tokio::task::spawn_blocking(move || {
            let mut container = container.lock().unwrap();
            let image = container.image().clone();
            container.kill();
            container.restart(image).unwrap();
        })
        .await
        .unwrap();
        sandbox.fire("kratos/1", "kratos-pebble-ready").await.unwrap();
        assert_eq!(ids(&sandbox, 1).await, ["new_v1", "old_v1"]);

        let shown = juju(&sandbox, "run kratos/1 check-identity-schema id=new_v1 from=old_v1").await;
        assert!(shown.contains("does not fit: /traits: required name") && !shown.contains("bob"), "{shown}");
        let before = stored(&sandbox, "old_v1").await;
        let shown = juju(&sandbox, MOVE).await;
        assert!(shown.contains("would-move") && shown.contains("dry-run=false"), "{shown}");
        assert_eq!(stored(&sandbox, "old_v1").await, before, "a dry run changes nothing");
        let text = action_fails(&sandbox, &format!("{} dry-run=false", MOVE.replace("leader", "1"))).await;
        assert!(text.contains("juju run kratos/leader"), "{text}");
        juju(&sandbox, &format!("{MOVE} dry-run=false")).await;
        assert_eq!(stored(&sandbox, "old_v1").await.0, 1, "who does not fit stays");
        assert!(status(&sandbox, 0).contains("old_v1 (1)"), "{}", status(&sandbox, 0));

        let client = session(&sandbox).await;
        client.batch_execute("UPDATE identities SET traits = traits || '{\"name\": \"Bob\"}'").await.unwrap();
        juju(&sandbox, &format!("{MOVE} dry-run=false")).await;
        for unit in [0, 1] {
            assert_eq!(status(&sandbox, unit), "active ");
            assert_eq!(ids(&sandbox, unit).await, ["new_v1"]);
        }
    });
}

#[test]
fn a_killed_move_goes_on_where_it_was() {
    let count = identities(600);
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        configure(&sandbox, "new_v1", &json!({"old_v1": schema(&[]), "new_v1": schema(&["name"])})).await;
        fill(&sandbox, count).await;
        let memory = Memory::watch();
        let before = stored(&sandbox, "old_v1").await;
        let shown = juju(&sandbox, "run kratos/0 check-identity-schema id=new_v1 --wait 30m").await;
        let misfits = count / 10;
        assert!(
            shown.contains(&format!("checked: \"{count}\""))
                && shown.contains(&format!("invalid: \"{misfits}\"")),
            "{shown}"
        );
        let shown = juju(&sandbox, &format!("{MOVE} --wait 30m")).await;
        assert!(shown.contains(&format!("would-move: \"{}\"", count - misfits)), "{shown}");
        assert_eq!(stored(&sandbox, "old_v1").await, before, "neither changes anything");

        let killed = sandbox.clone();
        let moving = tokio::spawn(async move {
            killed.juju(&format!("{MOVE} dry-run=false batch-size=50 --wait 30m")).await;
        });
        eventually("some are moved", async || stored(&sandbox, "new_v1").await.0 > 60).await;
        assert!(kill_action(), "the action runs");
        moving.await.unwrap();
        let moved = stored(&sandbox, "new_v1").await.0;
        let all = i64::try_from(count - misfits).unwrap();
        assert!((60..all).contains(&moved), "{moved} were moved before the kill");
        sandbox.juju("resolve kratos/0").await;
        let shown = juju(&sandbox, &format!("{MOVE} dry-run=false batch-size=50 --wait 30m")).await;
        assert_eq!(stored(&sandbox, "new_v1").await.0, all, "{shown}");
        assert!(shown.contains(&format!("skipped: \"{misfits}\"")), "{shown}");
        memory.assert_small(count);
    });
}

/// Kills the process of the charm that runs the action.
fn kill_action() -> bool {
    let mut is_killed = false;
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let is_action = String::from_utf8_lossy(&environment)
            .split('\0')
            .any(|variable| variable == "JUJU_DISPATCH_PATH=actions/migrate-identity-schema");
        let is_charm = std::fs::read_link(entry.path().join("exe"))
            .is_ok_and(|path| path.ends_with("dispatch") || path.ends_with("kratos-operator"));
        if is_action && is_charm {
            let pid = entry.file_name().to_string_lossy().into_owned();
            is_killed |= std::process::Command::new("kill").args(["-KILL", &pid]).status().unwrap().success();
        }
    }
    std::thread::sleep(Duration::from_millis(100));
    is_killed
}
