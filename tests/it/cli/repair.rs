//! A database in which every run fails, and the repair.

use kratos_operator::migration::OUR_SESSIONS;
use kratos_operator::postgres::{AdvisoryLock, Connection, Dsn, LockKey, fence};
use serde_json::{Value, json};

use super::support::*;

const COLUMN: &str = "20250708190000000000";

#[test]
fn nothing_to_repair_is_no_failure() {
    block_on(async {
        let database = Database::served(MIDDLE).await;
        let before = database.digest().await;
        for words in ["repair", "repair --apply"] {
            let run = database.run(words);
            assert_eq!((run.code, run.out.as_str()), (Some(0), "Nothing to repair was found\n"), "{run:?}");
        }
        assert_eq!(database.digest().await, before);
    });
}

#[test]
fn a_wedge_is_shown_and_repaired_only_on_request() {
    block_on(async {
        // Done and not booked, as a run leaves it that was killed in between.
        let database = Database::served(MIDDLE).await;
        let booked = format!("DELETE FROM schema_migration WHERE version = '{COLUMN}'");
        sql(&database.superuser().await, &booked).await;
        let before = database.digest().await;
        let run = database.run("run --json");
        assert_eq!(run.code, Some(1), "{run:?}");
        let plan = database.run("plan --json").json();
        assert_eq!(plan["obstacle"]["kind"], "wedge-b", "{plan}");
        let plan = database.run("plan");
        let repair = "Repair it with: kratos-operator migrate repair --kratos-bin ";
        assert!(plan.out.contains(&format!("Migration {COLUMN} ")) && plan.out.contains(repair), "{plan:?}");
        let look = database.run("repair --json");
        assert_eq!(look.code, Some(0), "{look:?}");
        let found = look.json();
        assert_eq!((&found["found"], &found["done"]), (&json!("wedge-b"), &Value::Null), "{found}");
        let sql = format!("INSERT INTO schema_migration (version) VALUES ('{COLUMN}')");
        assert_eq!(found["sql"], sql);
        assert!(found["next"].as_str().unwrap().ends_with(" --apply"), "{found}");
        let text = database.run("repair");
        assert!(
            text.out.contains(&sql) && text.out.contains("\nNext: kratos-operator migrate repair"),
            "{text:?}"
        );
        assert_eq!(database.digest().await, before, "a dry run changes nothing");

        let (repaired, listings) = database.count_listings("repair --apply --json");
        assert_eq!(listings, 1, "what the diagnosis has learned of the program is handed on");
        let now = repaired.json();
        assert_eq!((&now["found"], &now["done"]), (&json!("none"), &json!(sql)), "{now}");
        database.check_nothing_left().await;
        assert_eq!(database.run("run").code, Some(0));
        assert_eq!(database.digest().await, undisturbed().await);
    });
}

#[test]
fn a_fence_that_a_killed_run_left_is_told_and_lifted() {
    block_on(async {
        let database = Database::fresh().await;
        assert_eq!(database.run("run").code, Some(0));
        let dsn = Dsn::parse(&database.dsn).unwrap();
        let side = Connection::open(&dsn, "kratos-operator killed", PATIENCE).await.unwrap();
        fence::raise(&side, "killed", &OUR_SESSIONS, &[]).await.unwrap();
        let status = database.run("status --json");
        assert_eq!(status.code, Some(1), "{status:?}");
        let next = status.json()["next"].as_str().unwrap().to_owned();
        assert!(next.starts_with("kratos-operator migrate repair") && next.ends_with(" --apply"), "{next}");
        assert!(database.run("status").out.ends_with(&format!("Next:     {next}\n")));

        let found = database.run("repair");
        assert!(found.out.starts_with("a write fence is up, left by killed\n"), "{found:?}");
        assert!(found.out.ends_with(&format!("Next: {next}\n")), "{found:?}");

        // While its run goes on, it is named, and not taken away.
        let lock = AdvisoryLock::try_acquire(&side, LockKey::MIGRATION).await.unwrap().unwrap();
        let held = format!("kratos-operator killed (pid {}", backend_pid(&side).await);
        let found = database.run("repair");
        assert!(found.out.contains("its run goes on") && found.out.contains(&held), "{found:?}");
        assert!(!found.out.contains("Next: "), "{found:?}");
        let refused = database.run("repair --apply");
        assert!(refused.code == Some(1) && refused.err.contains(&held), "{refused:?}");
        assert!(refused.err.contains("SELECT pg_terminate_backend("), "{refused:?}");
        lock.release().await.unwrap();

        let repaired = database.run("repair --apply --json");
        let json = repaired.json();
        assert_eq!((repaired.code, &json["lifted-fence"]), (Some(0), &json!(true)), "{json}");
        assert_eq!(database.run("status").code, Some(0));
        database.check_nothing_left().await;
    });
}

async fn backend_pid(connection: &Connection) -> i32 {
    connection.client().query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0)
}
