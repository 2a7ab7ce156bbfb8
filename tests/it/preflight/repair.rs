//! Both wedges, built with a program that is killed or disturbed, found, repaired, and migrated.

use kratos_operator::kratos::WorkloadVersion;
use kratos_operator::kratos::program::command::Kratos;
use kratos_operator::migration::plan::plan;
use kratos_operator::migration::repair::{Diagnosis, apply, diagnose};
use kratos_operator::postgres::{AdvisoryLock, LockKey, fence};
use nix::sys::signal::Signal;

use super::support::*;
use crate::described::describe_schema;
use crate::world::*;

const UP: &str = "migrate sql up -e --yes";
const COLUMN: &str = "20250708190000000000";
const KEY: &str = "20241031094100000002";

/// Kills a migration while it waits for `lock` with a statement that holds `statement`, then lets the server
/// complete that.
async fn kill_at(world: &World, database: &Database, lock: &str, statement: &str) {
    let mut holder = database.client().await;
    let held = holder.transaction().await.unwrap();
    held.batch_execute(lock).await.unwrap();
    let mut up = Background::start(world, "up", database.command(NEW, UP));
    let operator = world.operator("postgres").await;
    let pid = blocked(&operator, statement).await;
    up.signal(Signal::SIGKILL);
    assert_eq!(up.end().await, -9);
    held.rollback().await.unwrap();
    eventually("the orphan ends", async || {
        let sql = "SELECT 1 FROM pg_stat_activity WHERE pid = $1";
        operator.query_opt(sql, &[&pid]).await.unwrap().is_none().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_is_done_and_not_booked_is_booked() {
    let world = World::new();
    let expected = undisturbed(&world).await;
    for (name, version, lock, statement, object) in [
        (
            "b1",
            COLUMN,
            "LOCK TABLE identities IN ACCESS SHARE MODE",
            "ADD COLUMN external_id",
            "the column identities.external_id: character varying(64) NULL CHECK",
        ),
        (
            "b2",
            KEY,
            "LOCK TABLE identity_login_codes IN ROW EXCLUSIVE MODE",
            "ADD CONSTRAINT identity_login_codes_identity_id_fk",
            "the constraint identity_login_codes_identity_id_fk of identity_login_codes: FOREIGN KEY (identity_id) \
             REFERENCES identities(id) ON DELETE CASCADE",
        ),
    ] {
        let database = world.database(name).await;
        // The indexes that are dropped before need the table too.
        database.migrate(if version == COLUMN { MIDDLE } else { OLD });
        let side = side(&database).await;
        if version == COLUMN {
            assert_eq!(database.run(MIDDLE, "migrate sql down -e --yes --steps 3").code, Some(0));
        }
        let migrations = listed(&world, &database).await;
        assert_eq!(diagnose(&side, &migrations).await.unwrap(), Diagnosis::None);
        kill_at(&world, &database, lock, statement).await;
        assert_eq!(database.run(NEW, UP).code, Some(1), "wedged");
        assert_eq!(database.run(NEW, UP).code, Some(1), "for ever");

        let wedged = describe_schema(&side).await;
        let found = diagnose(&side, &migrations).await.unwrap();
        let Diagnosis::WedgeB { version: named, objects, .. } = &found else { panic!("{found}") };
        assert_eq!(named, version);
        assert!(objects.len() == 1 && objects[0].starts_with(object), "{objects:?}");
        assert!(
            found
                .to_string()
                .ends_with(&format!(": INSERT INTO schema_migration (version) VALUES ('{version}')"))
        );
        assert_eq!(describe_schema(&side).await, wedged, "a diagnosis changes nothing");

        let repaired = guarded(&side, async || apply(&side, &migrations, &found).await.unwrap()).await;
        assert_eq!((repaired.now, Some(repaired.sql)), (Diagnosis::None, found.sql()));
        assert_eq!(database.run(NEW, UP).code, Some(0));
        assert_eq!(describe_schema(&side).await, expected);
        assert_eq!(diagnose(&side, &migrations).await.unwrap(), Diagnosis::None);
    }
}

/// A database that an old server wrote to after the first backfill was booked.
async fn wedge_a(world: &World, name: &str) -> Database {
    let database = world.database(name).await;
    database.migrate(MIDDLE);
    let server = Served::start(world, name, MIDDLE, &database, |_| {}).listening().await;
    assert_eq!(server.create("first@example.test").await.0, 201);
    database.migrate(NEW);
    assert_eq!(database.run(NEW, "migrate sql down -e --yes --steps 6").code, Some(0));
    let mut holder = database.client().await;
    let lock = holder.transaction().await.unwrap();
    // The second backfill waits for this lock; the old server does not need it.
    lock.batch_execute("LOCK TABLE session_devices IN SHARE MODE").await.unwrap();
    let mut up = Background::start(world, "up", database.command(NEW, UP));
    let client = database.client().await;
    booked(&client, "20251105000000000001").await;
    assert_eq!(server.create("late@example.test").await.0, 201);
    lock.rollback().await.unwrap();
    let code = up.end().await;
    assert_eq!(code, 1, "{}", up.output());
    database
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_written_behind_a_backfill_are_filled_by_the_next_run() {
    let world = World::new();
    let expected = undisturbed(&world).await;
    let database = wedge_a(&world, "a").await;
    assert_eq!(database.run(NEW, UP).code, Some(1), "wedged");
    let side = side(&database).await;
    let migrations = listed(&world, &database).await;
    let found = diagnose(&side, &migrations).await.unwrap();
    let backfills = vec!["20251105000000000001".to_owned(), "20251105000000000002".to_owned()];
    let columns = vec!["identity_credential_identifiers.identity_id".to_owned()];
    assert_eq!(found, Diagnosis::WedgeA { columns, backfills });
    let kratos = Kratos::Local(world.dir.path().join("kratos"));
    let plan = plan(&kratos, &WorkloadVersion::parse(NEW).unwrap(), &dsn(&database), None).await.unwrap();
    let obstacle = plan.obstacle.unwrap();
    assert_eq!((obstacle.kind, &obstacle.text), ("wedge-a", &found.to_string()), "the plan names it, too");

    // Without lock and fence nothing is done.
    let refused = apply(&side, &migrations, &found).await.unwrap_err();
    assert_eq!(refused.kind(), "not-locked");
    let lock = AdvisoryLock::try_acquire(&side, LockKey::MIGRATION).await.unwrap().unwrap();
    assert_eq!(apply(&side, &migrations, &found).await.unwrap_err().kind(), "not-fenced");
    lock.release().await.unwrap();
    assert_eq!(fence::state(&side).await.unwrap(), None);

    let repaired = guarded(&side, async || apply(&side, &migrations, &found).await.unwrap()).await;
    assert_eq!(repaired.now, Diagnosis::None);
    assert_eq!(database.run(NEW, UP).code, Some(0));
    assert_eq!(describe_schema(&side).await, expected);
    let nulls =
        "SELECT count(*) FILTER (WHERE identity_id IS NULL), count(*) FROM identity_credential_identifiers";
    let row = side.client().query_one(nulls, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1) >= 2), (0, true), "nothing is lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn anything_else_is_refused() {
    let world = World::new();
    let database = world.database("db").await;
    database.migrate(OLD);
    let side = side(&database).await;
    let migrations = listed(&world, &database).await;
    let before = describe_schema(&side).await;
    for (statement, why, undo) in [
        (
            "ALTER TABLE identities ADD COLUMN external_id VARCHAR(32) CHECK (external_id <> '')",
            "character varying(32) NULL CHECK",
            "ALTER TABLE identities DROP COLUMN external_id",
        ),
        (
            "ALTER TABLE identities ADD COLUMN external_id VARCHAR(64) NOT NULL DEFAULT 'x' CHECK (external_id <> '')",
            "NOT NULL DEFAULT 'x'",
            "ALTER TABLE identities DROP COLUMN external_id",
        ),
        (
            "ALTER TABLE identities ADD COLUMN external_id VARCHAR(64)",
            "character varying(64) NULL; the migration makes it",
            "ALTER TABLE identities DROP COLUMN external_id",
        ),
        (
            "ALTER TABLE identity_login_codes ADD CONSTRAINT identity_login_codes_identity_id_fk \
             FOREIGN KEY (identity_id) REFERENCES identities (id) ON DELETE CASCADE NOT VALID",
            "NOT VALID",
            "ALTER TABLE identity_login_codes DROP CONSTRAINT identity_login_codes_identity_id_fk",
        ),
        (
            "ALTER TABLE courier_messages ADD COLUMN request_headers JSONB",
            "it runs in a transaction",
            "ALTER TABLE courier_messages DROP COLUMN request_headers",
        ),
    ] {
        sql(&side, statement).await;
        let found = diagnose(&side, &migrations).await.unwrap();
        assert_eq!((found.kind(), found.sql()), ("unknown", None), "{found}");
        assert!(found.to_string().contains(why), "{found}");
        assert_eq!(apply(&side, &migrations, &found).await.unwrap_err().kind(), "refused");
        sql(&side, undo).await;
        assert_eq!(describe_schema(&side).await, before);
    }
    // A diagnosis of yesterday is not applied today.
    let name = "identities_external_id".to_owned();
    let stale = Diagnosis::WedgeB { version: COLUMN.to_owned(), name, objects: Vec::new() };
    let refused = guarded(&side, async || apply(&side, &migrations, &stale).await.unwrap_err()).await;
    assert_eq!(refused.kind(), "changed");
    let none = apply(&side, &migrations, &Diagnosis::None).await.unwrap_err();
    assert_eq!(none.kind(), "refused");
    assert_eq!(describe_schema(&side).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_well_or_new_has_nothing_to_repair() {
    let world = World::new();
    let database = world.database("db").await;
    let side = side(&database).await;
    let migrations = listed(&world, &database).await;
    for release in ["", OLD, MIDDLE, NEW] {
        if !release.is_empty() {
            database.migrate(release);
        }
        assert_eq!(diagnose(&side, &migrations).await.unwrap(), Diagnosis::None, "{release}");
    }
}
