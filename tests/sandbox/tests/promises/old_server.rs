//! An old server goes on all through a migration: it cannot wedge it, its reads are answered, and nothing that it
//! accepted is lost.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::*;
use crate::world::*;

/// The connections that a server keeps idle. Raising and lifting the fence end each once, which the next request on it may
/// meet.
const POOLED: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn every_accepted_identity_is_there_afterwards() {
    let world = World::new();
    let database = world.database("live").await;
    database.migrate(MIDDLE);
    let old = Arc::new(Served::start(&world, "old", MIDDLE, &database, |_| {}).listening().await);
    let (code, body) = old.create("first@example.com").await;
    assert_eq!(code, 201, "{body}");

    let is_over = Arc::new(AtomicBool::new(false));
    let writing = tokio::spawn({
        let (old, is_over) = (old.clone(), is_over.clone());
        async move {
            let mut accepted = BTreeSet::from(["first@example.com".to_owned()]);
            let mut refused = 0;
            for number in 0.. {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                let email = format!("person-{number}@example.com");
                match old.create(&email).await.0 {
                    201 => drop(accepted.insert(email)),
                    _ => refused += 1,
                }
            }
            (accepted, refused)
        }
    });
    let reading = tokio::spawn({
        let (old, is_over) = (old.clone(), is_over.clone());
        async move {
            let mut answers = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                answers.push(old.get("/admin/identities?page_size=5").await.map(|(code, _)| code).ok());
            }
            answers
        }
    });
    let report = migrate(&kratos(&world, "20251105000000000003=1"), &job(&database, 60)).await.unwrap();
    assert_eq!(report.applied, 7);
    is_over.store(true, Ordering::Relaxed);
    let (accepted, refused) = writing.await.unwrap();
    let answers = reading.await.unwrap();
    assert!(refused > 0, "the fence was never met");
    let failed = answers.iter().filter(|answer| **answer != Some(200)).count();
    assert!(failed <= POOLED * 2, "{failed} of {} reads failed", answers.len());
    assert_clean(&database).await;

    drop(old);
    let new = Served::start(&world, "new", NEW, &database, |_| {}).listening().await;
    let (_, listed) = new.get("/admin/identities?page_size=1000").await.unwrap();
    let emails =
        listed.as_array().unwrap().iter().map(|it| it["traits"]["email"].as_str().unwrap().to_owned());
    let missing: Vec<_> = accepted.difference(&emails.collect()).cloned().collect();
    assert!(missing.is_empty(), "{missing:?}");
}
