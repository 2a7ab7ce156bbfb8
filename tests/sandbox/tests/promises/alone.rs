//! P1, P5: at most one migration at a time, and a refused one changes nothing.

use kratos_operator::migration::preflight::OUR_SESSIONS;
use kratos_operator::postgres::fence;

use crate::support::*;
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
    fence::raise(&side(&database).await, "killed/0", &OUR_SESSIONS).await.unwrap();
    assert_eq!(migrate(&kratos(&world, "0=0"), &job(&database, 60)).await.unwrap().applied, 0);
    assert_clean(&database).await;
}
