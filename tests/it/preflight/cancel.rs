//! Canceling so that a migration which is committed already still gets booked.

use kratos_operator::migration::repair::diagnose;
use kratos_operator::postgres::activity::{Cancellation, cancel_unless_booking};

use super::support::*;
use crate::world::*;

const NAME: &str = "kratos-migrate test/0";

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_canceled_and_a_booking_is_not() {
    let world = World::new();
    let database = world.database("db").await;
    database.migrate(MIDDLE);
    assert_eq!(database.run(MIDDLE, "migrate sql down -e --yes --steps 3").code, Some(0));
    let side = side(&database).await;
    let operator = world.operator("db").await;
    let named = Database { dsn: format!("{}&application_name=kratos-migrate%20test%2F0", database.dsn) };
    let migrations = listed(&world, &database).await;

    let mut tables = database.client().await;
    let tables = tables.transaction().await.unwrap();
    tables.batch_execute("LOCK TABLE identities IN ACCESS SHARE MODE").await.unwrap();
    let mut up = Background::start(&world, "up", named.command(NEW, "migrate sql up -e --yes"));
    let pid = blocked(&operator, "ADD COLUMN external_id").await;
    assert_eq!(cancel_unless_booking(&side, NAME).await.unwrap(), of(&[pid], &[]));
    assert_eq!(up.end().await, 1);
    assert!(up.output().contains("canceling statement due to user request"), "{}", up.output());
    assert_eq!(diagnose(&side, &migrations).await.unwrap().kind(), "none", "it is undone");
    assert_eq!(cancel_unless_booking(&side, NAME).await.unwrap(), of(&[], &[]));

    // The same once more; now the column is committed, and the row waits for a lock.
    let mut up = Background::start(&world, "up2", named.command(NEW, "migrate sql up -e --yes"));
    blocked(&operator, "ADD COLUMN external_id").await;
    let mut books = database.client().await;
    let books = books.transaction().await.unwrap();
    books.batch_execute("LOCK TABLE schema_migration IN SHARE MODE").await.unwrap();
    tables.rollback().await.unwrap();
    let pid = blocked(&operator, "INSERT INTO schema_migration").await;
    assert_eq!(cancel_unless_booking(&side, NAME).await.unwrap(), of(&[], &[pid]));
    assert!(up.is_running());
    assert_eq!(diagnose(&side, &migrations).await.unwrap().kind(), "wedge-b", "as long as it waits");
    // Canceling without looking is how it is wedged; that is seen as soon as the process has ended.
    sql(&side, &format!("SELECT pg_cancel_backend({pid})")).await;
    assert_eq!(up.end().await, 1);
    books.rollback().await.unwrap();
    assert_eq!(diagnose(&side, &migrations).await.unwrap().kind(), "wedge-b");
}

fn of(canceled: &[i32], spared: &[i32]) -> Cancellation {
    Cancellation { canceled: canceled.to_vec(), spared: spared.to_vec() }
}
