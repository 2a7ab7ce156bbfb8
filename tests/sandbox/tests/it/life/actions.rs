//! The actions around a migration: plan, guard, record, repair, and the check before a refresh.

use sandbox::Sandbox;
use serde_json::Value;

use super::support::*;

const LOCK: &str = "SELECT pg_advisory_lock(1263681876, 1296648018)";
/// What the migration 20250708190000000000 does.
const COLUMN: &str = "ALTER TABLE identities ADD COLUMN external_id VARCHAR(64) \
    CHECK (external_id IS NULL OR external_id <> '')";

/// The peer relation.
fn peers(sandbox: &Sandbox) -> u32 {
    sandbox.model().relation_ids("kratos", "kratos-peers")[0]
}

/// The recorded runs.
fn runs(sandbox: &Sandbox) -> Vec<Value> {
    let relation = peers(sandbox);
    let bag = sandbox.databag(relation, "kratos");
    bag.get("migration_runs").map(|text| serde_json::from_str(text).unwrap()).unwrap_or_default()
}

/// Deploys the older of two versions and refreshes to the newest, so that migrations are pending.
async fn refreshed(sandbox: &Sandbox, older: &str, newest: &str, units: u32) {
    deploy(sandbox, older, units).await;
    register(sandbox, 0, "ada@example.com").await;
    juju(sandbox, &format!("refresh kratos --channel {newest}")).await;
    assert!(status(sandbox, 0).contains("run-migration"), "{}", status(sandbox, 0));
}

#[test]
fn a_migration_is_planned_guarded_and_recorded() {
    let (older, newest) = upgrade();
    with_sandbox(async |sandbox| {
        refreshed(&sandbox, &older, &newest, 2).await;
        let recorded = runs(&sandbox).len();
        assert_eq!(recorded, 1, "the first deployment");
        let before = digest(&sandbox).await;

        for action in ["kratos/1 plan-migration", "kratos/leader run-migration dry-run=true"] {
            let output = juju(&sandbox, &format!("run {action}")).await;
            for expected in ["result: planned", "suggested-timeout:", "method: ", "pending for Kratos v"] {
                assert!(output.contains(expected), "{expected} in {output}");
            }
            assert!(output.contains("next: juju run kratos/leader run-migration timeout="), "{output}");
            assert!(!output.contains("would be refused"), "{output}");
        }
        let output = action_fails(&sandbox, "run kratos/leader run-migration dry-run=3").await;
        assert!(output.contains("dry-run"), "{output}");
        assert_eq!(digest(&sandbox).await, before, "a plan changes nothing");
        assert!(!is_active(&sandbox, 0, "kratos").await);

        let relation = peers(&sandbox);
        let published = sandbox.databag(relation, "kratos/1")["workload_version"].clone();
        sandbox.set_databag(relation, "kratos/1", &[("workload_version", "v1.0.0")]).await.unwrap();
        let output = action_fails(&sandbox, "run kratos/leader run-migration").await;
        assert!(
            output.contains("a refresh is still rolling") && output.contains("kratos/1 (v1.0.0)"),
            "{output}"
        );
        assert!(output.contains("juju status kratos"), "{output}");
        let output = juju(&sandbox, "run kratos/leader plan-migration").await;
        assert!(output.contains("run-migration would be refused now"), "{output}");
        assert_eq!(digest(&sandbox).await, before, "a refused run changes nothing");
        assert_eq!(runs(&sandbox).len(), recorded, "and is not recorded");
        sandbox.set_databag(relation, "kratos/1", &[("workload_version", &published)]).await.unwrap();

        juju(&sandbox, "run kratos/leader run-migration").await;
        assert_eq!(status(&sandbox, 0), "active ");
        let recorded = runs(&sandbox);
        let run = &recorded[1];
        assert_eq!((recorded.len(), &run["outcome"], &run["pending"]), (2, &"completed".into(), &0.into()));
        assert!(run["who"].as_str().unwrap().starts_with("kratos/0 task "), "{run}");
        assert!(
            run["begun"].as_str().unwrap().ends_with('Z') && run["plan"].as_str().unwrap().len() == 12,
            "{run}"
        );
        assert_eq!(run["from"], recorded[0]["to"], "{run}");
        assert!(run["applied"].as_u64().unwrap() > 0, "{run}");
        assert_eq!(run["steps"].as_array().unwrap().len() as u64, run["applied"].as_u64().unwrap(), "{run}");
    });
}

#[test]
fn the_record_keeps_ten_and_survives_nonsense() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        assert_eq!(runs(&sandbox).len(), 1);
        let relation = peers(&sandbox);
        sandbox.clear_trace();
        sandbox.fire("kratos/0", "update-status").await.unwrap();
        sandbox.fire("kratos/0", "config-changed").await.unwrap();
        assert_eq!(runs(&sandbox).len(), 1, "what changes nothing is not recorded");
        sandbox.set_databag(relation, "kratos", &[("migration_runs", "[{\"who\": 7}, 3]")]).await.unwrap();
        assert_eq!(status(&sandbox, 0), "active ");
        let output = juju(&sandbox, "run kratos/leader show-migrations").await;
        assert!(
            output.contains("runs: \"0\"") && output.contains("No run of the migration is recorded"),
            "{output}"
        );
        for _ in 0..11 {
            juju(&sandbox, "run kratos/leader run-migration").await;
        }
        assert_eq!(runs(&sandbox).len(), 10);
        let output = juju(&sandbox, "run kratos/leader show-migrations").await;
        assert!(output.contains("runs: \"10\"") && output.contains("completed"), "{output}");
    });
}

#[test]
fn the_database_shows_how_it_stands() {
    let (older, newest) = upgrade();
    with_sandbox(async |sandbox| {
        refreshed(&sandbox, &older, &newest, 1).await;
        let output = juju(&sandbox, "run kratos/leader show-migrations").await;
        for expected in ["fence: down", "lock: free", "next: juju run kratos/leader run-migration"] {
            assert!(output.contains(expected), "{expected} in {output}");
        }
        assert!(!output.contains("pending: \"0\""), "{output}");
        let holder = session(&sandbox).await;
        holder.batch_execute("SET application_name = 'kratos-operator green/0 task 7'").await.unwrap();
        holder.batch_execute(LOCK).await.unwrap();
        let output = juju(&sandbox, "run kratos/leader show-migrations").await;
        assert!(output.contains("held by kratos-operator green/0 task 7"), "{output}");
    });
}

#[test]
fn a_migration_that_is_done_and_not_booked_is_repaired() {
    let mut channels = channels();
    let newest = channels.pop().unwrap();
    let older = channels.into_iter().find(|channel| channel.starts_with("1.3"));
    let older = older
        .expect("the wedge is built on Kratos v1.3: name one by KRATOS_BIN_OLD, or no real program at all");
    with_sandbox(async |sandbox| {
        refreshed(&sandbox, &older, &newest, 2).await;
        let output = juju(&sandbox, "run kratos/leader repair-migration").await;
        assert!(output.contains("diagnosis: none") && output.contains("nothing to repair"), "{output}");

        let admin = session(&sandbox).await;
        let owner = "SELECT quote_ident(tableowner) FROM pg_tables WHERE tablename = 'identities'";
        let owner: String = admin.query_one(owner, &[]).await.unwrap().get(0);
        admin.batch_execute(&format!("SET ROLE {owner}; {COLUMN}; RESET ROLE")).await.unwrap();
        let wedged = digest(&sandbox).await;
        let output = action_fails(&sandbox, "run kratos/leader run-migration").await;
        assert!(output.contains("repair-migration"), "{output}");

        let output = juju(&sandbox, "run kratos/1 plan-migration").await;
        for expected in
            ["obstacle: wedge-b", "is done and not booked", "next: juju run kratos/leader repair-migration"]
        {
            assert!(output.contains(expected), "{expected} in {output}");
        }
        let output = juju(&sandbox, "run kratos/1 repair-migration").await;
        for expected in ["diagnosis: wedge-b", "nothing was changed", "20250708190000000000", "apply=true"] {
            assert!(output.contains(expected), "{expected} in {output}");
        }
        assert_eq!(digest(&sandbox).await, wedged);
        let output = action_fails(&sandbox, "run kratos/1 repair-migration apply=true").await;
        assert!(output.contains("Only the leader unit can repair"), "{output}");

        let holder = session(&sandbox).await;
        holder.batch_execute(LOCK).await.unwrap();
        let output = action_fails(&sandbox, "run kratos/leader repair-migration apply=true").await;
        assert!(output.contains("another migration holds the lock"), "{output}");
        drop(holder);
        let booked = "SELECT count(*) FROM schema_migration WHERE version LIKE '20250708190000%'";
        assert_eq!(admin.query_one(booked, &[]).await.unwrap().get::<_, i64>(0), 0, "P5");

        let output = repair(&sandbox).await;
        assert!(output.contains("result: repaired") && output.contains("now: none"), "{output}");
        assert!(output.contains("next: juju run kratos/leader run-migration"), "{output}");
        assert_eq!(admin.query_one(booked, &[]).await.unwrap().get::<_, i64>(0), 1);
        let output = juju(&sandbox, "run kratos/leader show-migrations").await;
        assert!(output.contains("fence: down") && output.contains("lock: free"), "{output}");

        juju(&sandbox, "run kratos/leader run-migration").await;
        for unit in [0, 1] {
            assert_eq!(status(&sandbox, unit), "active ");
            assert_eq!(people(&sandbox, unit).await, ["ada@example.com"]);
        }
    });
}

/// Repairs as soon as the server has ended the session that held the lock.
async fn repair(sandbox: &Sandbox) -> String {
    for _ in 0..20 {
        let output = sandbox.juju("run kratos/leader repair-migration apply=true").await;
        let text = output.stdout + &output.stderr;
        if !text.contains("holds the lock") {
            return text;
        }
    }
    panic!("the lock is not given back");
}

#[test]
fn a_refresh_is_prepared() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 2).await;
        give_mail(&sandbox).await;
        for unit in ["leader", "1"] {
            let output = juju(&sandbox, &format!("run kratos/{unit} pre-refresh-check")).await;
            for expected in
                ["ready for a refresh", "next: juju refresh kratos", "plan-migration", "--revision "]
            {
                assert!(output.contains(expected), "{expected} in {output}");
            }
        }
        let relation = peers(&sandbox);
        sandbox.set_databag(relation, "kratos/1", &[("workload_version", "v1.0.0")]).await.unwrap();
        let pebble = pebble(&sandbox, 0);
        let change = pebble.stop(&["courier"]).await.unwrap();
        pebble.wait_change(&change, std::time::Duration::from_secs(30)).await.unwrap();
        let holder = session(&sandbox).await;
        holder.batch_execute("SET application_name = 'green/0'").await.unwrap();
        holder.batch_execute(LOCK).await.unwrap();
        holder.batch_execute("BEGIN; SELECT count(*) FROM courier_messages").await.unwrap();
        let output = action_fails(&sandbox, "run kratos/leader pre-refresh-check").await;
        for expected in [
            "Not ready for a refresh (services, unit-versions, lock)",
            "courier does not run: juju ssh kratos/0 env PEBBLE_SOCKET=/charm/containers/kratos/pebble.socket /charm/bin/pebble logs",
            "kratos/1 (v1.0.0)",
            "held by green/0",
            "then check again: juju run kratos/0 pre-refresh-check",
        ] {
            assert!(output.contains(expected), "{expected} in {output}");
        }
        // The provider drops the tables, which waits for the transaction.
        holder.batch_execute("COMMIT").await.unwrap();
        juju(&sandbox, "remove-relation kratos postgresql-k8s").await;
        let output = action_fails(&sandbox, "run kratos/leader pre-refresh-check").await;
        assert!(output.contains("Missing integration pg-database: juju integrate"), "{output}");
    });
}
