//! P2, P4, P6: whatever is killed at whatever point, nothing is left behind, and the next run ends in the same schema as an
//! undisturbed one.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::support::*;
use crate::world::*;

/// A point of a run: from which release, and the migration that lasts long there.
struct Instant {
    name: &'static str,
    from: &'static str,
    version: &'static str,
    /// Whether an old server is connected, which decides how the fence is made.
    is_connected: bool,
}

const INSTANTS: [Instant; 4] = [
    Instant { name: "in_transaction", from: MIDDLE, version: "20251105000000000003", is_connected: true },
    Instant { name: "in_backfill", from: MIDDLE, version: "20251105000000000001", is_connected: false },
    // Its statement is committed, its row is not there yet.
    Instant { name: "unbooked", from: OLD, version: "20250708190000000000", is_connected: true },
    Instant { name: "in_the_last", from: MIDDLE, version: "20260114175904000000", is_connected: false },
];

/// Runs until the slow migration sleeps, disturbs, and sees the run fail.
async fn disturb(
    world: &mut World,
    instant: &Instant,
    disturbance: impl AsyncFnOnce(&mut World),
) -> Database {
    let database = used(world, instant.name, instant.from).await;
    let old = match instant.is_connected {
        true => Some(connect(&database.dsn).await),
        false => None,
    };
    let kratos = kratos(world, &format!("{}=60", instant.version));
    let job = job(&database, 120);
    let running = tokio::spawn(async move { migrate(&kratos, &job).await });
    let operator = world.operator(instant.name).await;
    let sleeping = "SELECT pid FROM pg_stat_activity
                    WHERE application_name LIKE 'kratos-migrate%' AND query ~ 'pg_sleep' AND state = 'active'";
    eventually("the slow migration", async || operator.query_opt(sleeping, &[]).await.unwrap().map(drop))
        .await;
    disturbance(world).await;
    let failure = running.await.unwrap().unwrap_err();
    assert!(!failure.to_string().contains("s3cret"), "a failure shows no password");
    drop(old);
    database
}

async fn converges(mut world: World, disturbance: impl AsyncFn(&mut World), leaves_fence: bool) {
    for instant in &INSTANTS {
        let expected = {
            let database = used(&world, &format!("{}_undisturbed", instant.name), instant.from).await;
            finish(&world, &database).await;
            digest(&database).await
        };
        let database = disturb(&mut world, instant, &disturbance).await;
        if !leaves_fence {
            assert_clean(&database).await;
        }
        finish(&world, &database).await;
        assert_eq!(digest(&database).await, expected, "{}", instant.name);
        assert_clean(&database).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_is_killed() {
    let kill_process = async |world: &mut World| {
        let pid = fs::read_to_string(world.dir.path().join(PID)).unwrap();
        kill(Pid::from_raw(pid.trim().parse().unwrap()), Signal::SIGKILL).unwrap();
    };
    converges(World::new(), kill_process, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_session_is_ended() {
    let end_session = async |world: &mut World| {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'kratos-migrate%'";
        world.operator("postgres").await.execute(end, &[]).await.unwrap();
    };
    converges(World::new(), end_session, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_is_killed() {
    let restart_server = async |world: &mut World| {
        world.cluster.kill();
        world.cluster.start_again().unwrap();
    };
    // A run whose server was away cannot lift its fence; the next one does.
    converges(World::new(), restart_server, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_leaves_nothing_behind() {
    let world = World::new();
    for instant in &INSTANTS {
        let database = used(&world, instant.name, instant.from).await;
        let failure = migrate(&kratos(&world, &format!("{}=60", instant.version)), &job(&database, 2))
            .await
            .unwrap_err();
        assert!(["stopped", "wedged"].contains(&failure.kind()), "{failure}");
        assert_clean(&database).await;
        finish(&world, &database).await;
    }
}

/// Kratos is done and has not ended yet: the database tells that nothing is pending, whatever the process says.
#[tokio::test(flavor = "multi_thread")]
async fn after_the_last_migration_the_database_is_believed() {
    for kills_server in [false, true] {
        let mut world = World::new();
        let expected = {
            let database = used(&world, "undisturbed", MIDDLE).await;
            finish(&world, &database).await;
            digest(&database).await
        };
        let database = used(&world, "done", MIDDLE).await;
        let kratos = lingering_kratos(&world);
        let job = job(&database, 120);
        let running = tokio::spawn(async move { migrate(&kratos, &job).await });
        let pid = world.dir.path().join(PID);
        let done = world.dir.path().join(DONE);
        eventually("the last migration", async || done.exists().then_some(())).await;
        let pid = Pid::from_raw(fs::read_to_string(pid).unwrap().trim().parse().unwrap());
        if kills_server {
            world.cluster.kill();
            world.cluster.start_again().unwrap();
        }
        kill(pid, Signal::SIGKILL).unwrap();
        let outcome = running.await.unwrap();
        assert_eq!(outcome.unwrap().applied, 7);
        finish(&world, &database).await;
        assert_eq!(digest(&database).await, expected);
        assert_clean(&database).await;
    }
}
