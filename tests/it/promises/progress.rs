//! What a run tells while it goes on.

use kratos_operator::migration::{RunEvent, run};
use tokio::sync::mpsc;

use super::support::*;
use crate::world::*;

/// Each batch of a backfill takes three seconds: between the first and the last is time for a look, one each five seconds.
const SLOW_BATCHES: &str = "
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(3); RETURN NULL; END';
    CREATE TRIGGER slow BEFORE UPDATE ON identity_credential_identifiers EXECUTE FUNCTION slow();";

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_tells_how_far_it_is() {
    let world = World::new();
    let database = used(&world, "backfill", MIDDLE).await;
    let operator = world.operator("backfill").await;
    // Three batches.
    let seed = include_str!("../plan/seed.sql").replace("COUNT", "30000");
    operator.batch_execute(&seed).await.unwrap();
    operator.batch_execute(SLOW_BATCHES).await.unwrap();

    let (progress, mut told) = mpsc::unbounded_channel();
    let report = run(&kratos(&world, "0=0"), &job(&database, 120), None, &progress, async {}).await.unwrap();
    assert_eq!(report.applied, 7);
    drop(progress);
    let mut steps = Vec::new();
    while let Some(progress) = told.recv().await {
        if let RunEvent::Step(text) = progress {
            steps.push(text);
        }
    }
    // How many rows there are is an estimate, from the first pages if nobody has counted.
    let is_told = |step: &String| {
        let Some((_, told)) = step.split_once("now 20251105000000000001 ") else { return false };
        let Some((_, told)) = told.split_once(", backfill: about ") else { return false };
        let Some((told, _)) = told.split_once(" rows of identity_credential_identifiers, ") else {
            return false;
        };
        let Some((done, all)) = told.split_once(" of ") else { return false };
        let (done, all): (u64, u64) = (done.parse().unwrap(), all.parse().unwrap());
        (10_000..=all).contains(&done) && done % 10_000 == 0 && (27_000..=33_000).contains(&all)
    };
    assert!(steps.iter().any(is_told), "{steps:#?}");
}
