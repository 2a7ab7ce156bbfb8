//! Old and new releases on one database: writers in the way, holes, the fence.

use serde_json::json;

use super::world::*;

/// A database of v25.4.0 with a server on it and one identity.
async fn old_server(world: &World) -> (Database, Served) {
    let database = world.database("db").await;
    database.migrate(MIDDLE);
    let server = Served::start(world, "old", MIDDLE, &database, |_| {}).listening().await;
    assert_eq!(server.create("first@example.test").await.0, 201);
    (database, server)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_server_on_a_new_database_seems_well_and_cannot_write() {
    let world = World::new();
    let (database, server) = old_server(&world).await;
    assert_eq!(server.login("first@example.test").await.0, 200);
    database.migrate(NEW);
    let mut second = Served::start(&world, "old2", MIDDLE, &database, |_| {}).listening().await;
    for server in [&server, &second] {
        assert_eq!(server.get("/admin/health/ready").await.unwrap(), (200, json!({ "status": "ok" })));
        assert_eq!(server.get("/admin/identities").await.unwrap().0, 200);
        let (status, body) = server.create("second@example.test").await;
        let message = "ERROR: null value in column \"identity_id\" of relation \"identity_credential_identifiers\" violates not-null constraint (SQLSTATE 23502)";
        assert_eq!((status, &body["error"]["message"]), (500, &json!(message)));
        let (status, body) = server.login("first@example.test").await;
        let message = "named insert: ERROR: null value in column \"identity_id\" of relation \"session_devices\" violates not-null constraint (SQLSTATE 23502)";
        assert_eq!((status, &body["error"]["message"]), (400, &json!(message)));
    }
    second.process.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(second.process.end().await, 0);
    let new = Served::start(&world, "new", NEW, &database, |_| {}).listening().await;
    assert_eq!(new.login("first@example.test").await.0, 200);
    assert_eq!(new.create("second@example.test").await.0, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_written_behind_the_backfill_wedge_for_good_until_it_is_unbooked() {
    let world = World::new();
    let (database, server) = old_server(&world).await;
    database.migrate(NEW);
    assert_eq!(database.run(NEW, "migrate sql down -e --yes --steps 6").code, Some(0));
    let mut holder = database.client().await;
    let lock = holder.transaction().await.unwrap();
    // The second backfill waits for this lock; the old server does not need it.
    lock.batch_execute("LOCK TABLE session_devices IN SHARE MODE").await.unwrap();
    let mut up = Background::start(&world, "up", database.command(NEW, "migrate sql up -e --yes"));
    let client = database.client().await;
    booked(&client, "20251105000000000001").await;
    assert_eq!(server.create("late@example.test").await.0, 201);
    lock.rollback().await.unwrap();
    assert_eq!(up.end().await, 1, "{}", up.output());
    drop(server);
    let reason = "ERROR: column \"identity_id\" of relation \"identity_credential_identifiers\" contains null values (SQLSTATE 23502)";
    assert!(up.output().contains(reason), "{}", up.output());
    for _ in 0..2 {
        let again = database.run(NEW, "migrate sql up -e --yes");
        assert_eq!((again.code, again.err.contains(reason)), (Some(1), true), "{}", again.err);
    }
    let down = database.run(NEW, "migrate sql down -e --yes --steps 2");
    assert_eq!(down.code, Some(0), "{}", down.err);
    let again = database.run(NEW, "migrate sql up -e --yes");
    assert_eq!((again.code, database.booked().await), (Some(0), 338), "{}", again.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_backfills_keep_their_batches() {
    let world = World::new();
    let (database, server) = old_server(&world).await;
    drop(server);
    let client = database.client().await;
    let copies = "INSERT INTO identity_credential_identifiers (id, identifier, identity_credential_id, created_at, updated_at, nid, identity_credential_type_id) \
        SELECT gen_random_uuid(), n::text, c.id, now(), now(), c.nid, c.identity_credential_type_id FROM generate_series(1, 25000) n, \
        (SELECT * FROM identity_credentials LIMIT 1) c";
    client.execute(copies, &[]).await.unwrap();
    database.migrate(NEW);
    let filled =
        "SELECT count(*) FROM identity_credential_identifiers i JOIN identities s ON s.id = i.identity_id";
    assert_eq!(client.query_one(filled, &[]).await.unwrap().get::<_, i64>(0), 25_002);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_program_sees_nothing_new_and_rolls_back_its_own() {
    let world = World::new();
    let database = world.database("db").await;
    database.migrate(NEW);
    let up = database.run(MIDDLE, "migrate sql up -e --yes");
    assert_eq!(up.code, Some(0));
    assert!(up.err.contains("msg=Migrations already up to date, nothing to apply"), "{}", up.err);
    let down = database.run(MIDDLE, "migrate sql down -e --yes --steps 1");
    assert_eq!(down.code, Some(0), "{}", down.err);
    assert_eq!(database.pending(), ["20250710085000000000"], "a hole in the middle");
    assert_eq!(database.run(NEW, "migrate sql up -e --yes").code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_and_a_new_upgrade_give_the_same_schema() {
    let world = World::new();
    let columns = "SELECT string_agg(format('%s.%s %s %s', table_name, column_name, data_type, is_nullable), E'\\n' ORDER BY table_name, column_name) \
        FROM information_schema.columns WHERE table_schema = 'public'";
    let indexes =
        "SELECT string_agg(indexdef, E'\\n' ORDER BY indexname) FROM pg_indexes WHERE schemaname = 'public'";
    let shape = async |database: &Database| {
        let client = database.client().await;
        let mut shape = Vec::new();
        for sql in [columns, indexes] {
            shape.push(client.query_one(sql, &[]).await.unwrap().get::<_, String>(0));
        }
        shape
    };
    let (old, new) = (world.database("old").await, world.database("new").await);
    old.migrate(OLD);
    new.migrate(NEW);
    let (before, after) = (shape(&old).await, shape(&new).await);
    old.migrate(NEW);
    assert_eq!(shape(&old).await, after);
    let down = old.run(NEW, "migrate sql down -e --yes --steps 23");
    assert_eq!((down.code, shape(&old).await), (Some(0), before), "{}", down.err);
    assert_eq!(old.run(NEW, "migrate sql down -e --yes --steps 315").code, Some(0));
    let tables = "SELECT string_agg(tablename, ' ') FROM pg_tables WHERE schemaname = 'public'";
    let left: String = old.client().await.query_one(tables, &[]).await.unwrap().get(0);
    assert_eq!(left, "schema_migration");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_server_on_an_old_database_turns_ready_by_itself() {
    let world = World::new();
    let database = world.database("db").await;
    database.migrate(MIDDLE);
    let server = Served::start(&world, "new", NEW, &database, |_| {}).listening().await;
    let (status, body) = server.get("/admin/health/ready").await.unwrap();
    let message = "migrations have not yet been fully applied";
    let envelope = json!({ "error": { "code": 500, "status": "Internal Server Error", "message": message } });
    assert_eq!((status, body), (503, envelope));
    let (status, body) = server.get("/health/ready").await.unwrap();
    let hidden = "error may contain sensitive information and was obfuscated";
    assert_eq!((status, &body["error"]["message"]), (503, &json!(hidden)));
    let (status, body) = server.create("a@example.test").await;
    assert_eq!((status, &body["error"]["message"]), (500, &json!("Unable to locate the column")));
    database.migrate(NEW);
    assert_eq!(server.get("/admin/health/ready").await.unwrap().0, 200);
    assert_eq!(server.create("a@example.test").await.0, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fence_stops_writes_and_lets_the_migration_through() {
    let world = World::new();
    let (database, server) = old_server(&world).await;
    let fence = database.client().await;
    fence
        .batch_execute("ALTER ROLE CURRENT_USER IN DATABASE db SET default_transaction_read_only = on")
        .await
        .unwrap();
    // The server looks only at connections that rested for a second before it uses them.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = current_user AND datname = 'db' AND pid <> pg_backend_pid()";
    let ended = fence.query(others, &[]).await.unwrap().len();
    assert!(ended > 0, "an idle server holds connections");
    assert_eq!(server.get("/admin/identities").await.unwrap().0, 200);
    assert_eq!(server.get("/admin/health/ready").await.unwrap().0, 200);
    let (status, body) = server.create("late@example.test").await;
    let message = "ERROR: cannot execute INSERT in a read-only transaction (SQLSTATE 25006)";
    assert_eq!((status, &body["error"]["message"]), (500, &json!(message)));

    let through = Database {
        dsn: format!(
            "{}&default_transaction_read_only=off&application_name=up&client_connection_check_interval=500",
            database.dsn
        ),
    };
    let up = through.run(NEW, "migrate sql up -e --yes");
    assert_eq!((up.code, database.booked().await), (Some(0), 338), "{}", up.err);
    assert_eq!(server.get("/admin/identities").await.unwrap().0, 200);
    assert_eq!(database.run(NEW, "migrate sql up -e --yes").code, Some(0), "nothing to do needs no write");
}
