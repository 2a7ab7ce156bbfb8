//! Roles that may not do what a migration does.

use super::world::*;

#[tokio::test(flavor = "multi_thread")]
async fn only_the_owner_and_its_members_can_change_tables() {
    let world = World::new();
    let database = world.database("db").await;
    database.migrate(MIDDLE);
    let operator = world.operator("db").await;
    let roles = "CREATE ROLE granted LOGIN PASSWORD 's3cret'; GRANT ALL ON ALL TABLES IN SCHEMA public TO granted; \
        GRANT ALL ON SCHEMA public TO granted; CREATE ROLE member LOGIN PASSWORD 's3cret' IN ROLE kratos";
    operator.batch_execute(roles).await.unwrap();
    let as_role =
        |role: &str| Database { dsn: database.dsn.replace("kratos:s3cret", &format!("{role}:s3cret")) };
    let status = as_role("granted").run(NEW, "migrate sql status -e");
    assert_eq!(status.code, Some(0), "reading is allowed");
    let run = as_role("granted").run(NEW, "migrate sql up -e --yes");
    assert_eq!(run.code, Some(1));
    let reason = "Could not apply migrations:\nERROR: must be owner of table identity_credential_identifiers (SQLSTATE 42501)\n";
    assert!(run.err.contains(reason), "{}", run.err);
    let run = as_role("member").run(NEW, "migrate sql up -e --yes");
    assert_eq!((run.code, database.booked().await), (Some(0), 338), "{}", run.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_database_needs_create_on_schema_and_database() {
    let world = World::new();
    let operator = world.operator("postgres").await;
    operator.batch_execute("CREATE ROLE kratos LOGIN PASSWORD 's3cret'").await.unwrap();
    operator.batch_execute("CREATE DATABASE db").await.unwrap();
    let database = world.known("db");
    let run = database.run(NEW, "migrate sql up -e --yes");
    assert_eq!(run.code, Some(1));
    let reason = "ERROR: permission denied for schema public (SQLSTATE 42501)\nunable to execute statement: CREATE TABLE schema_migration (";
    assert!(run.err.contains(reason), "{}", run.err);

    let inside = world.operator("db").await;
    inside.batch_execute("GRANT ALL ON SCHEMA public TO kratos").await.unwrap();
    let run = database.run(NEW, "migrate sql up -e --yes");
    assert_eq!(run.code, Some(1));
    let reason = "ERROR: permission denied to create extension \"pg_trgm\" (SQLSTATE 42501)";
    assert!(run.err.contains(reason), "{}", run.err);
    assert_eq!(database.pending().first().map(String::as_str), Some("20230920171028000000"));
    assert_eq!(database.booked().await, 304);

    inside.batch_execute("CREATE EXTENSION pg_trgm; CREATE EXTENSION btree_gin").await.unwrap();
    let run = database.run(NEW, "migrate sql up -e --yes");
    assert_eq!((run.code, database.booked().await), (Some(0), 338), "{}", run.err);
}
