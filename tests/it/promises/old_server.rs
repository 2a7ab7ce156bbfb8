//! An old server goes on all through a migration: it cannot wedge it, its reads are answered, and nothing that it
//! accepted is lost.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::sleep;

use super::support::*;
use crate::world::*;

/// Between two requests to a server that has little to do; the connection may end unnoticed meanwhile.
const NOW_AND_THEN: Duration = Duration::from_millis(1300);
/// So many requests come after the migration.
const AFTERWARDS: usize = 4;

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
    assert_eq!(failed, 0, "of {} reads", answers.len());
    assert_clean(&database).await;
    drop(old);
    assert_all_there(&world, &database, &accepted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_little_to_do_answers_every_read() {
    let world = World::new();
    let database = world.database("quiet").await;
    database.migrate(MIDDLE);
    let old = Served::start(&world, "old", MIDDLE, &database, |_| {}).listening().await;
    // Two at once, so that both connections of the pool are there.
    let (first, second) = tokio::join!(old.create("first@example.com"), old.create("second@example.com"));
    assert_eq!((first.0, second.0), (201, 201));
    let mut accepted = BTreeSet::from(["first@example.com".to_owned(), "second@example.com".to_owned()]);

    let kratos = kratos(&world, "20251105000000000003=3");
    let job = job(&database, 60);
    let running = tokio::spawn(async move { migrate(&kratos, &job).await });
    let (mut refused, mut afterwards, mut number) = (0, 0, 0);
    while afterwards < AFTERWARDS {
        afterwards += usize::from(running.is_finished());
        sleep(NOW_AND_THEN).await;
        let read = old.get("/admin/identities?page_size=5").await;
        assert!(read.as_ref().is_ok_and(|(code, _)| *code == 200), "{read:?}");
        sleep(NOW_AND_THEN).await;
        let email = format!("person-{number}@example.com");
        number += 1;
        match old.create(&email).await {
            (201, _) => drop(accepted.insert(email)),
            // On the new schema an old server can write no more.
            (_, body) => {
                let text = body.to_string();
                assert!(text.contains("SQLSTATE 25006") || text.contains("SQLSTATE 23502"), "{text}");
                refused += usize::from(text.contains("SQLSTATE 25006"));
            }
        }
    }
    assert_eq!(running.await.unwrap().unwrap().applied, 7);
    assert!(refused > 0, "the fence was never met");
    assert_clean(&database).await;
    drop(old);
    assert_all_there(&world, &database, &accepted).await;
}

/// The new server lists every identity that the old one accepted.
async fn assert_all_there(world: &World, database: &Database, accepted: &BTreeSet<String>) {
    let new = Served::start(world, "new", NEW, database, |_| {}).listening().await;
    let (_, listed) = new.get("/admin/identities?page_size=1000").await.unwrap();
    let emails =
        listed.as_array().unwrap().iter().map(|it| it["traits"]["email"].as_str().unwrap().to_owned());
    let missing: Vec<_> = accepted.difference(&emails.collect()).cloned().collect();
    assert!(missing.is_empty(), "{missing:?}");
}
