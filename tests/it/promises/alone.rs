//! P1, P5: at most one migration at a time, and a refused one changes nothing.

use kratos_operator::migration::OUR_SESSIONS;
use kratos_operator::migration::{FenceLift, RunEvent, lift_leftover_fence, run};
use kratos_operator::postgres::{AdvisoryLock, LockKey, fence};
use tokio::sync::mpsc;

use super::support::*;
use crate::world::*;

#[tokio::test(flavor = "multi_thread")]
async fn of_two_runs_one_migrates_and_the_other_names_it() {
    let world = World::new();
    let database = used(&world, "shared", MIDDLE).await;
    let first = {
        let (kratos, job) = (kratos(&world, "20251105000000000003=3"), job(&database, 60));
        tokio::spawn(async move { migrate(&kratos, &job).await })
    };
    let operator = world.operator("shared").await;
    let locked = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted";
    eventually("the lock", async || operator.query_opt(locked, &[]).await.unwrap()).await;
    let before = digest(&database).await;
    let second = migrate(&kratos(&world, "0=0"), &job(&database, 60)).await.unwrap_err();
    assert_eq!(second.kind(), "locked");
    assert!(second.to_string().contains(&format!("kratos-operator {WHO}")), "{second}");
    assert!(!before.is_empty());
    assert_eq!(first.await.unwrap().unwrap().applied, 7);
    assert_clean(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_run_changes_nothing() {
    let world = World::new();
    let database = used(&world, "refused", MIDDLE).await;
    let before = digest(&database).await;
    let operator = world.operator("refused").await;
    operator.batch_execute("ALTER TABLE identities OWNER TO CURRENT_USER").await.unwrap();
    let failure = migrate(&kratos(&world, "0=0"), &job(&database, 60)).await.unwrap_err();
    assert_eq!(failure.kind(), "refused", "{failure}");
    assert!(failure.to_string().contains("identities"), "{failure}");
    operator.batch_execute("ALTER TABLE identities OWNER TO kratos").await.unwrap();
    assert_eq!(digest(&database).await, before);
    assert_clean(&database).await;
    finish(&world, &database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fence_that_was_left_is_lifted_although_nothing_is_pending() {
    let world = World::new();
    let database = used(&world, "fenced", NEW).await;
    fence::raise(&side(&database).await, "killed/0", &OUR_SESSIONS, &[]).await.unwrap();
    assert_eq!(migrate(&kratos(&world, "0=0"), &job(&database, 60)).await.unwrap().applied, 0);
    assert_clean(&database).await;
}

/// Somebody changes the same settings just then.
#[tokio::test(flavor = "multi_thread")]
async fn a_fence_that_is_not_lifted_at_once_is_lifted_over_another_connection() {
    let world = World::new();
    let database = used(&world, "held", NEW).await;
    // The fence is a setting of the role where triggers cannot be had.
    let language = "REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC";
    world.operator("held").await.batch_execute(language).await.unwrap();
    fence::raise(&side(&database).await, "killed/0", &OUR_SESSIONS, &[]).await.unwrap();
    let (operator, watcher) = (world.operator("held").await, world.operator("held").await);
    operator
        .batch_execute("BEGIN; ALTER ROLE kratos IN DATABASE held SET application_name = 'x'")
        .await
        .unwrap();
    let let_go = async {
        let waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE 'kratos-operator%'";
        let side = eventually("a wait", async || watcher.query_opt(waiting, &[]).await.unwrap()).await;
        let other = format!("{waiting} AND pid <> {}", side.get::<_, i32>(0));
        eventually("another one's wait", async || watcher.query_opt(&other, &[]).await.unwrap()).await;
        operator.batch_execute("ROLLBACK").await.unwrap();
    };
    let (kratos, job) = (kratos(&world, "0=0"), job(&database, 60));
    let (outcome, ()) = tokio::join!(migrate(&kratos, &job), let_go);
    assert_eq!(outcome.unwrap().applied, 0);
    assert_clean(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_fence_that_was_left_goes_the_session_that_was_left() {
    let world = World::new();
    let database = used(&world, "leftover", MIDDLE).await;
    let name = format!("kratos-migrate {WHO}").replace(' ', "%20").replace('/', "%2F");
    let left = connect(&format!("{}&application_name={name}", database.dsn)).await;
    fence::raise(&side(&database).await, "killed/0", &OUR_SESSIONS, &[]).await.unwrap();
    let working =
        tokio::spawn(async move { left.query_one("SELECT 1 FROM pg_sleep(60)", &[]).await.is_ok() });
    assert_eq!(lift_leftover_fence(&job(&database, 60).dsn, "next/0").await.unwrap(), FenceLift::Lifted);
    assert!(!working.await.unwrap(), "it would go on without the fence");
    assert_clean(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_the_role_are_not_those_of_the_migration() {
    let world = World::new();
    let database = used(&world, "limited", MIDDLE).await;
    let limits = "ALTER ROLE kratos SET statement_timeout = '4s'; ALTER ROLE kratos SET lock_timeout = '1s'";
    world.operator("limited").await.batch_execute(limits).await.unwrap();
    let report = migrate(&kratos(&world, "20251105000000000003=6"), &job(&database, 60)).await.unwrap();
    assert_eq!(report.applied, 7);
}

/// The connection that holds the lock dies while the run waits to try again, and another run takes the lock.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_lost_its_lock_goes_no_further() {
    let world = World::new();
    let database = used(&world, "lost", NEW).await;
    assert_eq!(database.run(NEW, "migrate sql down -e --yes --steps 2").code, Some(0));
    let operator = world.operator("lost").await;
    // What is left is one migration in a transaction, which alone is tried again.
    operator
        .batch_execute("INSERT INTO schema_migration (version) VALUES ('20260114175904000000')")
        .await
        .unwrap();
    let holder = world.operator("lost").await;
    holder.batch_execute("BEGIN; SELECT count(*) FROM courier_messages").await.unwrap();

    let (progress, mut told) = mpsc::unbounded_channel();
    let (kratos, job) = (kratos(&world, "0=0"), job(&database, 60));
    let running = tokio::spawn(async move { run(&kratos, &job, None, &progress, async {}).await });
    while let Some(progress) = told.recv().await {
        if matches!(progress, RunEvent::Step(text) if text.starts_with("a lock was not free")) {
            break;
        }
    }
    let end = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'kratos-operator {WHO}'"
    );
    operator.execute(&end, &[]).await.unwrap();
    let other = side(&database).await;
    let lock = loop {
        if let Some(lock) = AdvisoryLock::try_acquire(&other, LockKey::MIGRATION).await.unwrap() {
            break lock;
        }
    };
    let failure = running.await.unwrap().unwrap_err();
    assert_eq!((failure.kind(), failure.reached().map(|reached| reached.applied)), ("failed", Some(0)));
    assert!(failure.to_string().contains("the connection to PostgreSQL"), "{failure}");
    assert!(told.recv().await.is_none(), "no further attempt was told");
    assert!(fence::state(&other).await.unwrap().is_some(), "the fence is the other run's now");
    lock.release().await.unwrap();
}

/// As with a login hook, or a setting of an administrator: objects belong to a role that all of us act as.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_acts_as_another_ends_its_own_sessions() {
    let world = World::new();
    let database = used(&world, "acting", MIDDLE).await;
    let operator = world.operator("acting").await;
    for statement in [
        "CREATE ROLE owners",
        "GRANT owners TO kratos",
        "GRANT CREATE ON DATABASE acting TO owners",
        "REASSIGN OWNED BY kratos TO owners",
        "ALTER ROLE kratos SET role = 'owners'",
    ] {
        operator.batch_execute(statement).await.unwrap();
    }
    let old = connect(&database.dsn).await;
    let writing = connect(&database.dsn).await;
    // Its lock keeps the fence from being made of triggers.
    writing.batch_execute("BEGIN; UPDATE networks SET updated_at = updated_at").await.unwrap();
    fence::raise(&side(&database).await, "killed/0", &OUR_SESSIONS, &[]).await.unwrap();
    for connection in [&old, &writing] {
        assert!(connection.query_one("SELECT 1", &[]).await.is_err(), "the fence has ended it");
    }
    lift_leftover_fence(&job(&database, 60).dsn, "next/0").await.unwrap();
    let old = connect(&database.dsn).await;
    let report = migrate(&kratos(&world, "0=0"), &job(&database, 60)).await.unwrap();
    assert_eq!(report.applied, 7);
    assert!(old.query_one("SELECT 1", &[]).await.is_ok(), "it was connected all the time");
    assert_clean(&database).await;
}
