//! Refresh and run-migration, as an operator lives through them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use kratos_operator::pebble::{CheckStatus, Client, Layer};
use kratos_operator::postgres::{Connection, Dsn, fence};
use sandbox::{Kubelet, Sandbox};

use super::support::*;

const REPORT: &str = "BEGIN; SELECT count(*) FROM courier_messages";

#[test]
fn an_upgrade_waits_for_the_action_stops_in_time_and_goes_on() {
    let (older, newest) = upgrade();
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &older, 2).await;
        register(&sandbox, 0, "ada@example.com").await;
        juju(&sandbox, &format!("refresh kratos --channel {newest}")).await;
        let text = status(&sandbox, 0);
        assert!(text.starts_with("waiting Waiting for database migration ("), "{text}");
        assert!(text.ends_with("pending): juju run kratos/leader run-migration"), "{text}");
        let text = status(&sandbox, 1);
        assert!(text.starts_with("waiting Waiting for leader unit to run the migration"), "{text}");
        assert!(!is_active(&sandbox, 0, "kratos").await && !is_active(&sandbox, 1, "kratos").await);

        let report = session(&sandbox).await;
        report.batch_execute(REPORT).await.unwrap();
        let output = action_fails(&sandbox, "run kratos/leader run-migration timeout=10 force=true").await;
        assert!(
            output.contains("stopped at the timeout of 10 s") && output.contains("timeout=20"),
            "{output}"
        );
        let pid: i32 = report.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
        assert!(output.contains(&format!("it waited for pid {pid} (user ")), "{output}");
        let rows =
            report.query_one("SELECT count(*) FROM pg_stat_activity WHERE application_name ~ 'migrate'", &[]);
        assert_eq!(rows.await.unwrap().get::<_, i64>(0), 0, "no session of the migration is left");
        assert!(
            status(&sandbox, 0).starts_with("blocked Database migration failed: stopped"),
            "{}",
            status(&sandbox, 0)
        );
        report.batch_execute("COMMIT").await.unwrap();

        let output = juju(&sandbox, "run kratos/leader run-migration timeout=120").await;
        assert!(output.contains("result: completed") && output.contains("pending: \"0\""), "{output}");
        for unit in [0, 1] {
            assert_eq!(status(&sandbox, unit), "active ");
            assert_eq!(people(&sandbox, unit).await, ["ada@example.com"]);
        }
        let output = juju(&sandbox, "run kratos/leader run-migration").await;
        assert!(output.contains("applied: \"0\""), "{output}");
    });
}

#[test]
fn an_action_asks_the_program_once_for_its_migrations() {
    let (older, newest) = upgrade();
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &older, 1).await;
        register(&sandbox, 0, "ada@example.com").await;
        juju(&sandbox, &format!("refresh kratos --channel {newest}")).await;
        let calls = note_calls(&sandbox, 0);
        // The first has something to apply, the last has not.
        for action in ["plan-migration", "repair-migration", "run-migration", "run-migration"] {
            let _ = fs::remove_file(&calls);
            juju(&sandbox, &format!("run kratos/leader {action}")).await;
            let calls = fs::read_to_string(&calls).unwrap();
            let listed = calls.lines().filter(|call| call.starts_with("migrate sql status")).count();
            assert_eq!(listed, 1, "{action}: {calls}");
        }
        assert_eq!(status(&sandbox, 0), "active ");
    });
}

/// Lets Kratos in a unit's container write the arguments of each of its processes into the file returned, until the
/// container starts anew.
fn note_calls(sandbox: &Sandbox, unit: u32) -> PathBuf {
    let container = sandbox.container_root(&format!("kratos/{unit}")).unwrap();
    let bin = container.parent().unwrap().join("bin");
    let (calls, link) = (bin.join("calls"), bin.join("kratos"));
    let program = fs::read_link(&link).unwrap();
    let (draft, shown) = (bin.join("draft"), program.display());
    fs::write(&draft, format!("#!/bin/sh\necho \"$*\" >>{}\nexec {shown} \"$@\"\n", calls.display()))
        .unwrap();
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(draft, link).unwrap();
    calls
}

#[test]
fn weaknesses_29_and_30_what_cannot_be_run_is_refused_with_its_remedy() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 2).await;
        let output = action_fails(&sandbox, "run kratos/1 run-migration").await;
        assert!(
            output.contains("Only the leader unit can run the database migration: juju run kratos/leader"),
            "{output}"
        );
        for timeout in ["0", "-3", "0.5", "1e9"] {
            let output =
                action_fails(&sandbox, &format!("run kratos/0 run-migration timeout={timeout}")).await;
            assert!(output.contains("Invalid parameter timeout="), "{output}");
        }
        let holder = session(&sandbox).await;
        holder.batch_execute("SET application_name = 'kratos-operator green/0 task 7'").await.unwrap();
        holder.batch_execute("SELECT pg_advisory_lock(1263681876, 1296648018)").await.unwrap();
        let output = action_fails(&sandbox, "run kratos/0 run-migration").await;
        assert!(
            output.contains("another migration holds the lock: kratos-operator green/0 task 7"),
            "{output}"
        );
        assert_eq!(status(&sandbox, 0), "active ", "nothing was stopped for it");

        juju(&sandbox, "remove-relation kratos postgresql-k8s").await;
        let output = action_fails(&sandbox, "run kratos/0 run-migration").await;
        assert!(output.contains("Missing integration pg-database: juju integrate"), "{output}");
    });
}

#[test]
fn an_older_kratos_is_not_started_on_a_newer_schema() {
    let (older, newest) = upgrade();
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest, 1).await;
        juju(&sandbox, &format!("refresh kratos --channel {older}")).await;
        let text = status(&sandbox, 0);
        assert!(text.starts_with("blocked The database was migrated by a newer Kratos"), "{text}");
        let (_, back) = text.split_once("; go back to charm revision ").unwrap();
        assert!(back.contains(&format!(", with Kratos v{}", newest.trim_end_matches("/stable"))), "{text}");
        let (_, command) = back.split_once(": juju ").unwrap();
        assert!(!is_active(&sandbox, 0, "kratos").await);
        let output = action_fails(&sandbox, "run kratos/leader run-migration").await;
        assert!(output.contains("migrated by a newer Kratos") && output.contains(back), "{output}");
        juju(&sandbox, command).await;
        assert_eq!(status(&sandbox, 0), "active ");
    });
}

#[test]
fn a_refused_run_stops_no_service() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        register(&sandbox, 0, "ada@example.com").await;
        let admin = session(&sandbox).await;
        let owner = "SELECT quote_ident(tableowner) FROM pg_tables WHERE tablename = 'identities'";
        let owner: String = admin.query_one(owner, &[]).await.unwrap().get(0);
        for (harm, mend, reason) in [
            (
                "INSERT INTO schema_migration (version) VALUES ('99990101000000000000')".to_owned(),
                "DELETE FROM schema_migration WHERE version = '99990101000000000000'".to_owned(),
                "migrated by a newer Kratos",
            ),
            (
                "DELETE FROM schema_migration WHERE version = (SELECT max(version) FROM schema_migration); \
                 ALTER TABLE identities OWNER TO CURRENT_USER"
                    .to_owned(),
                format!("ALTER TABLE identities OWNER TO {owner}"),
                "refused before anything was changed",
            ),
        ] {
            admin.batch_execute(&harm).await.unwrap();
            let output = action_fails(&sandbox, "run kratos/leader run-migration").await;
            assert!(output.contains(reason), "{output}");
            assert!(is_active(&sandbox, 0, "kratos").await, "{reason}");
            admin.batch_execute(&mend).await.unwrap();
        }
        juju(&sandbox, "run kratos/leader run-migration").await;
        assert_eq!(status(&sandbox, 0), "active ");
        assert_eq!(people(&sandbox, 0).await, ["ada@example.com"]);
    });
}

#[test]
fn every_known_release_can_be_upgraded_to_the_newest() {
    let mut channels = channels();
    let newest = channels.pop().unwrap();
    for older in channels {
        with_sandbox(async |sandbox| {
            deploy(&sandbox, &older, 1).await;
            register(&sandbox, 0, "ada@example.com").await;
            juju(&sandbox, &format!("refresh kratos --channel {newest}")).await;
            assert!(status(&sandbox, 0).contains("run-migration"), "{}", status(&sandbox, 0));
            juju(&sandbox, "run kratos/leader run-migration timeout=120").await;
            assert_eq!(status(&sandbox, 0), "active ");
            assert_eq!(people(&sandbox, 0).await, ["ada@example.com"]);
        });
    }
}

/// Upgrades, and starts a migration that waits for a report. Gives the session of the report, and one that sees both.
async fn migration_behind_a_report(
    sandbox: &Sandbox,
    newest: &str,
) -> (tokio_postgres::Client, tokio_postgres::Client) {
    juju(sandbox, &format!("refresh kratos --channel {newest}")).await;
    let report = session(sandbox).await;
    report.batch_execute(REPORT).await.unwrap();
    // A session sees others as they were when its transaction first looked.
    let operator = session(sandbox).await;
    juju(sandbox, "run kratos/leader run-migration timeout=60 --background").await;
    let waiting = "SELECT 1 FROM pg_stat_activity
                   WHERE application_name LIKE 'kratos-migrate%' AND wait_event_type = 'Lock'";
    eventually("the migration waits", async || !operator.query(waiting, &[]).await.unwrap().is_empty()).await;
    (report, operator)
}

#[test]
fn a_workload_that_dies_in_a_migration_leaves_nothing_behind() {
    let (older, newest) = upgrade();
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &older, 1).await;
        register(&sandbox, 0, "ada@example.com").await;
        let (report, operator) = migration_behind_a_report(&sandbox, &newest).await;

        let container = sandbox.container("kratos/0").unwrap();
        let image = container.lock().unwrap().image().clone();
        let dying = container.clone();
        tokio::task::spawn_blocking(move || dying.lock().unwrap().kill()).await.unwrap();
        eventually("the action fails", async || juju(&sandbox, "show-task 2").await.contains(" failed: "))
            .await;
        let left = "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'kratos-migrate%'";
        eventually("its session ends", async || operator.query(left, &[]).await.unwrap().is_empty()).await;
        let fences = operator.query("SELECT FROM pg_db_role_setting", &[]).await.unwrap();
        assert!(fences.is_empty(), "the fence is down");
        report.batch_execute("COMMIT").await.unwrap();

        tokio::task::spawn_blocking(move || container.lock().unwrap().restart(image).unwrap()).await.unwrap();
        sandbox.fire("kratos/0", "kratos-pebble-ready").await.unwrap();
        assert!(status(&sandbox, 0).contains("run-migration"), "{}", status(&sandbox, 0));
        juju(&sandbox, "run kratos/leader run-migration").await;
        assert_eq!(status(&sandbox, 0), "active ");
        assert_eq!(people(&sandbox, 0).await, ["ada@example.com"]);
    });
}

#[test]
fn a_charm_that_is_killed_in_a_migration_leaves_what_the_next_dispatch_mends() {
    let (older, newest) = upgrade();
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &older, 1).await;
        let (report, operator) = migration_behind_a_report(&sandbox, &newest).await;

        // Juju sends SIGKILL to the charm's process and to nothing else.
        juju(&sandbox, "cancel-task 2").await;
        let left = "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'kratos-%'";
        eventually("its sessions end", async || operator.query(left, &[]).await.unwrap().is_empty()).await;
        report.batch_execute("COMMIT").await.unwrap();
        sandbox.fire("kratos/0", "update-status").await.unwrap();
        let fences = operator.query("SELECT FROM pg_db_role_setting", &[]).await.unwrap();
        assert!(fences.is_empty(), "the next dispatch lifts the fence");
        juju(&sandbox, "run kratos/leader run-migration").await;
        assert_eq!(status(&sandbox, 0), "active ");
    });
}

#[test]
fn a_fence_left_while_kratos_serves_is_lifted_or_named_within_one_update_status() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 2).await;
        let admin = session(&sandbox).await;
        let dsn = Dsn::parse(&environment(&sandbox, 0, "DSN").await).unwrap();
        let side = Connection::open(&dsn, "kratos-operator killed/0", Duration::from_secs(5)).await.unwrap();
        admin.batch_execute("SELECT pg_advisory_lock(1263681876, 1296648018)").await.unwrap();
        fence::raise(&side, "killed/0", &["kratos-operator"], &[]).await.unwrap();
        sandbox.fire("kratos/0", "update-status").await.unwrap();
        let text = status(&sandbox, 0);
        assert!(text.starts_with("waiting Writes are refused by the write fence of killed/0"), "{text}");

        admin.batch_execute("SELECT pg_advisory_unlock_all()").await.unwrap();
        sandbox.fire("kratos/0", "update-status").await.unwrap();
        assert_eq!(status(&sandbox, 0), "active ");
        assert!(fence::state(&side).await.unwrap().is_none());
        register(&sandbox, 1, "ada@example.com").await;
    });
}

#[test]
fn a_kubelet_restarts_a_dead_container_and_none_in_which_a_migration_runs() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        register(&sandbox, 0, "ada@example.com").await;
        let pebble = pebble(&sandbox, 0);
        // Kratos runs below a migration where an older dump was restored under it.
        let admin = session(&sandbox).await;
        let back = "DELETE FROM schema_migration WHERE version = (SELECT max(version) FROM schema_migration)";
        admin.batch_execute(back).await.unwrap();
        let report = session(&sandbox).await;
        report.batch_execute("BEGIN; LOCK TABLE schema_migration IN SHARE MODE").await.unwrap();
        let kubelet = hasty(&sandbox, &pebble).await;
        juju(&sandbox, "run kratos/leader run-migration timeout=60 --background").await;
        let waiting = "SELECT FROM pg_stat_activity WHERE application_name LIKE 'kratos-migrate%' AND wait_event_type = 'Lock'";
        eventually("the migration waits", async || !admin.query(waiting, &[]).await.unwrap().is_empty())
            .await;
        assert!(!is_active(&sandbox, 0, "kratos").await);
        // Five times as long as a check and a kubelet take to call it dead.
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert!(kubelet.restarts().is_empty(), "{:?}", kubelet.restarts());
        report.batch_execute("COMMIT").await.unwrap();
        eventually("the migration ends", async || status(&sandbox, 0) == "active ").await;
        let checks = pebble.checks_all().await.unwrap();
        assert!(checks.iter().all(|check| check.status == CheckStatus::Up), "they run again: {checks:?}");
        assert!(kubelet.restarts().is_empty(), "{:?}", kubelet.restarts());

        pebble.stop(&["kratos"]).await.unwrap();
        eventually("the kubelet restarts it", async || !kubelet.restarts().is_empty()).await;
        drop(kubelet);
        eventually("Kratos serves again", async || is_active(&sandbox, 0, "kratos").await).await;
        assert_eq!(people(&sandbox, 0).await, ["ada@example.com"]);
    });
}

/// A kubelet, and a check of the workload, that need 0.6 s each where those of a cluster need 15 and 30.
async fn hasty(sandbox: &Sandbox, pebble: &Client) -> Kubelet {
    let mut alive = pebble.plan().await.unwrap().checks["alive"].clone();
    alive.period = Some("200ms".to_owned());
    let layer = Layer { checks: [("alive".to_owned(), alive)].into(), ..Layer::default() };
    pebble.add_layer("hasty", &layer, true).await.unwrap();
    sandbox.start_kubelet(Duration::from_millis(200))
}
