//! The fence: what it keeps out, what survives a crash, and what it leaves alone.

use std::collections::BTreeSet;
use std::time::Duration;

use kratos_operator::migration::OUR_SESSIONS;
use kratos_operator::migration::preflight::own_tables;
use kratos_operator::postgres::Connection;
use kratos_operator::postgres::fence::{Phase, lift, raise, state, writers};
use tokio::time::timeout;

use super::support::{dsn, open, side, sql};
use crate::world::*;

/// The settings of the role in the database, as the catalog holds them.
async fn settings(connection: &Connection) -> Vec<String> {
    let sql = "SELECT unnest(setconfig) FROM pg_db_role_setting ORDER BY 1";
    connection.client().query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// What a fence of triggers leaves in the catalog.
async fn triggers(connection: &Connection) -> i64 {
    let sql = "SELECT (SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal)
                    + (SELECT count(*) FROM pg_proc WHERE proname LIKE 'kratos_operator%')";
    connection.client().query_one(sql, &[]).await.unwrap().get(0)
}

async fn may_write(connection: &Connection) -> bool {
    connection.client().batch_execute("UPDATE networks SET updated_at = updated_at").await.is_ok()
}

async fn may_read(connection: &Connection) -> bool {
    connection.client().query("SELECT * FROM networks", &[]).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_server_goes_on_reading_under_the_fence() {
    let world = World::new();
    let database = world.database("db").await;
    database.migrate(MIDDLE);
    let server = Served::start(&world, "old", MIDDLE, &database, |_| {}).listening().await;
    assert_eq!(server.create("first@example.test").await.0, 201);
    let side = side(&database).await;
    let before = writers(&side, &[], &OUR_SESSIONS).await.unwrap();
    assert!(before.iter().any(|writer| writer.own_role && writer.user == "kratos"), "{before:?}");

    let up = raise(&side, "kratos/0 task 7", &OUR_SESSIONS, &[]).await.unwrap();
    assert_eq!((up.phase, up.who.as_deref()), (Phase::Up, Some("kratos/0 task 7")));
    assert_eq!(writers(&side, &[], &OUR_SESSIONS).await.unwrap(), []);
    for path in ["/admin/health/ready", "/admin/identities"] {
        assert_eq!(server.get(path).await.unwrap().0, 200, "{path}");
    }
    let (status, body) = server.create("second@example.test").await;
    assert_eq!(status, 500);
    assert!(body.to_string().contains("read-only transaction (SQLSTATE 25006)"), "{body}");
    assert_eq!(writers(&side, &[], &OUR_SESSIONS).await.unwrap(), []);
    assert_eq!(settings(&side).await, [""; 0], "it was connected: triggers do it");

    let spared = format!("{}&application_name=kratos-migrate%20test", database.dsn);
    let run = Run::of(Database { dsn: spared }.command(NEW, "migrate sql up -e --yes"));
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert_eq!(server.get("/admin/identities").await.unwrap().0, 200);
    assert!(lift(&side, &OUR_SESSIONS).await.unwrap());
    drop(server);
    let new = Served::start(&world, "new", NEW, &database, |_| {}).listening().await;
    assert_eq!(new.create("second@example.test").await.0, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_raised_and_lifted_any_number_of_times() {
    let world = World::new();
    let database = world.database("db").await;
    database.migrate(NEW);
    let side = side(&database).await;
    without_triggers(&world, "db").await;
    assert_eq!(state(&side).await.unwrap(), None);
    assert!(!lift(&side, &OUR_SESSIONS).await.unwrap());

    let first = raise(&side, "kratos/0 7", &OUR_SESSIONS, &[]).await.unwrap();
    let fenced = open(&dsn(&database), "old").await;
    assert!(!may_write(&fenced).await && may_write(&side).await);
    // The name of its sessions tells who fenced them.
    let names =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'fenced by kratos/0 7 since 2%Z'";
    let unnamed = connect(&database.dsn).await;
    assert_eq!(side.client().query_one(names, &[]).await.unwrap().get::<_, i64>(0), 1);
    drop(unnamed);
    assert_eq!(state(&fenced).await.unwrap(), Some(first.clone()));

    // Whoever takes it over ends nobody who is fenced already.
    let second = raise(&side, "kratos/1 9", &OUR_SESSIONS, &[]).await.unwrap();
    assert_eq!((second.who.as_deref(), &second.since), (Some("kratos/1 9"), &first.since));
    fenced.client().query("SELECT 1", &[]).await.unwrap();

    // A fenced session can lift it, too.
    assert!(lift(&fenced, &OUR_SESSIONS).await.unwrap());
    assert_eq!((state(&side).await.unwrap(), settings(&side).await), (None, vec![]));
    assert!(may_write(&open(&dsn(&database), "old").await).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_is_connected_is_ended() {
    let world = World::new();
    let database = world.database("db").await;
    database.migrate(NEW);
    let side = side(&database).await;
    let owner = world.operator("db").await;
    owner.batch_execute("CREATE TABLE weekly_report (id UUID)").await.unwrap();
    let old = open(&dsn(&database), "old").await;
    let first = raise(&side, "kratos/0 7", &OUR_SESSIONS, &[]).await.unwrap();
    assert_eq!((first.phase, first.who.as_deref()), (Phase::Up, Some("kratos/0 7")));
    assert_eq!(settings(&side).await, [""; 0]);
    let late = open(&dsn(&database), "late").await;
    for connection in [&old, &late] {
        assert!(may_read(connection).await && !may_write(connection).await);
        for statement in ["DELETE FROM networks", "TRUNCATE identities CASCADE"] {
            let refused = connection.client().batch_execute(statement).await.unwrap_err();
            assert_eq!(refused.code().unwrap().code(), "25006", "{refused}");
        }
        assert_eq!(state(connection).await.unwrap(), Some(first.clone()));
    }
    assert!(
        may_write(&side).await && writers(&side, &own_tables(&[]), &OUR_SESSIONS).await.unwrap().is_empty()
    );

    // Whoever takes it over knows since when nobody could write.
    let second = raise(&side, "kratos/1 9", &OUR_SESSIONS, &[]).await.unwrap();
    assert_eq!((second.who.as_deref(), &second.since), (Some("kratos/1 9"), &first.since));
    // Somebody reads for long: what refuses goes at once, and the rest with the next try.
    late.client().batch_execute("BEGIN; SELECT count(*) FROM networks").await.unwrap();
    assert!(lift(&side, &OUR_SESSIONS).await.unwrap());
    assert!(may_write(&old).await);
    assert_eq!((state(&side).await.unwrap(), triggers(&side).await), (None, 2), "one table's is left");
    assert!(!writers(&side, &[], &OUR_SESSIONS).await.unwrap().is_empty());
    late.client().batch_execute("COMMIT").await.unwrap();
    assert!(!lift(&side, &OUR_SESSIONS).await.unwrap(), "nothing was refused any more");
    assert_eq!(triggers(&side).await, 0);
    assert!(may_write(&late).await);
}

/// Takes the language of trigger functions from everybody, so that a fence is a read-only default of the role.
async fn without_triggers(world: &World, database: &str) {
    let operator = world.operator(database).await;
    operator.batch_execute("REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC").await.unwrap();
}

/// A role that may become one with the rights (`SET ROLE`) writes as that one, though it has no right itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_become_a_writer_is_a_writer() {
    let world = World::new();
    let database = world.database("db").await;
    database.migrate(NEW);
    let side = side(&database).await;
    let operator = world.operator("db").await;
    operator
        .batch_execute("CREATE ROLE guest LOGIN NOINHERIT PASSWORD 's3cret'; GRANT kratos TO guest")
        .await
        .unwrap();
    let guest = connect(&database.dsn.replace("kratos:", "guest:")).await;
    drop(operator);
    guest.batch_execute("SET ROLE kratos").await.unwrap();
    let update = "UPDATE networks SET updated_at = updated_at";

    raise(&side, "kratos/0", &OUR_SESSIONS, &[]).await.unwrap();
    assert_eq!(writers(&side, &own_tables(&[]), &OUR_SESSIONS).await.unwrap(), []);
    assert_eq!(guest.batch_execute(update).await.unwrap_err().code().unwrap().code(), "25006");
    lift(&side, &OUR_SESSIONS).await.unwrap();

    without_triggers(&world, "db").await;
    raise(&side, "kratos/0", &OUR_SESSIONS, &[]).await.unwrap();
    let found = writers(&side, &own_tables(&[]), &OUR_SESSIONS).await.unwrap();
    assert!(found.iter().any(|writer| writer.user == "guest"), "{found:?}");
    guest.batch_execute(update).await.unwrap();
}

/// The tables of Kratos alone refuse what others write.
#[tokio::test(flavor = "multi_thread")]
async fn another_applications_table_in_the_same_schema_takes_writes() {
    let world = World::new();
    let database = world.database("db").await;
    database.migrate(NEW);
    let side = side(&database).await;
    let other = open(&dsn(&database), "another application").await;
    other.client().batch_execute("CREATE TABLE invoices (id INT)").await.unwrap();
    raise(&side, "kratos/0", &OUR_SESSIONS, &own_tables(&[])).await.unwrap();
    other.client().batch_execute("INSERT INTO invoices VALUES (1)").await.unwrap();
    let refused = other.client().batch_execute("DELETE FROM identities").await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "25006");
}

/// What a subscription to another database writes comes as from a replica.
#[tokio::test(flavor = "multi_thread")]
async fn the_fence_holds_for_a_replica_too() {
    let world = World::new();
    let database = world.database("db").await;
    database.migrate(NEW);
    let side = side(&database).await;
    let apply = world.operator("db").await;
    apply.batch_execute("SET session_replication_role = replica").await.unwrap();
    raise(&side, "kratos/0", &OUR_SESSIONS, &[]).await.unwrap();
    let refused = apply.batch_execute("DELETE FROM identities").await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "25006");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_triggers_cannot_be_had_sessions_are_ended() {
    let world = World::new();
    let database = world.database("db").await;
    database.migrate(NEW);
    let side = side(&database).await;
    let old = open(&dsn(&database), "old").await;
    old.client().batch_execute("BEGIN; UPDATE networks SET updated_at = updated_at").await.unwrap();
    raise(&side, "kratos/0", &OUR_SESSIONS, &[]).await.unwrap();
    assert_eq!((settings(&side).await.len(), triggers(&side).await), (2, 0));
    assert!(!may_read(&old).await, "it was ended");
    assert!(lift(&side, &OUR_SESSIONS).await.unwrap());

    let old = open(&dsn(&database), "old").await;
    without_triggers(&world, "db").await;
    raise(&side, "kratos/0", &OUR_SESSIONS, &[]).await.unwrap();
    assert!(!may_read(&old).await, "it was ended");
    assert!(lift(&side, &OUR_SESSIONS).await.unwrap());
    assert_eq!(settings(&side).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_made_of_the_same_name_is_in_nobodys_way() {
    let world = World::new();
    let database = world.database("db").await;
    database.migrate(NEW);
    let side = side(&database).await;
    let operator = world.operator("db").await;
    // A role that is gone has left its fence on tables of the group.
    for statement in [
        "CREATE ROLE owners; GRANT owners TO kratos; REASSIGN OWNED BY kratos TO owners",
        "ALTER SCHEMA public OWNER TO CURRENT_USER; GRANT USAGE, CREATE ON SCHEMA public TO kratos, owners",
        "CREATE FUNCTION kratos_operator_fence() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no'; END$$",
        "COMMENT ON FUNCTION kratos_operator_fence() IS 'fenced by gone/0 since 2020-01-01T00:00:00.000000Z'",
        "CREATE TRIGGER kratos_operator_fence BEFORE UPDATE ON networks EXECUTE FUNCTION kratos_operator_fence()",
    ] {
        operator.batch_execute(statement).await.unwrap();
    }
    let old = open(&dsn(&database), "old").await;
    assert_eq!(state(&side).await.unwrap().unwrap().who.as_deref(), Some("gone/0"));
    assert!(lift(&side, &OUR_SESSIONS).await.unwrap());
    assert!(state(&side).await.unwrap().is_none() && may_write(&old).await);
    // The function alone, which we may not change.
    raise(&side, "kratos/0", &OUR_SESSIONS, &[]).await.unwrap();
    assert_eq!(settings(&side).await.len(), 2, "the role is read-only instead");
    assert!(lift(&side, &OUR_SESSIONS).await.unwrap());
    assert_eq!((state(&side).await.unwrap(), settings(&side).await), (None, vec![]));

    // One without a comment, as in a copy.
    operator
        .batch_execute(
            "ALTER FUNCTION kratos_operator_fence() OWNER TO owners; COMMENT ON FUNCTION kratos_operator_fence() IS NULL; \
             CREATE TRIGGER other_name BEFORE UPDATE ON networks EXECUTE FUNCTION kratos_operator_fence()",
        )
        .await
        .unwrap();
    assert_eq!(state(&side).await.unwrap().unwrap().who.as_deref(), Some("unknown"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_administrator_set_is_left_alone() {
    let world = World::new();
    let database = world.database("db").await;
    database.migrate(NEW);
    let side = side(&database).await;
    let operator = world.operator("postgres").await;
    let alter = |what: &str| format!("ALTER ROLE kratos IN DATABASE db {what}");
    operator.batch_execute(&alter("SET application_name = 'it was kratos'")).await.unwrap();
    raise(&side, "kratos/0", &OUR_SESSIONS, &[]).await.unwrap();
    raise(&side, "kratos/0", &OUR_SESSIONS, &[]).await.unwrap();
    assert!(lift(&side, &OUR_SESSIONS).await.unwrap());
    assert_eq!(settings(&side).await, ["application_name=it was kratos"]);

    operator.batch_execute(&alter("SET default_transaction_read_only = 'yes'")).await.unwrap();
    let found = state(&side).await.unwrap().unwrap();
    assert!(!found.is_marked_ours(), "{found:?}");
    let refused = raise(&side, "kratos/0", &OUR_SESSIONS, &[]).await.unwrap_err();
    assert_eq!(refused.kind(), "read-only-by-administrator");
    assert!(
        refused.to_string().ends_with("ALTER ROLE kratos IN DATABASE db RESET default_transaction_read_only")
    );
    assert!(!lift(&side, &OUR_SESSIONS).await.unwrap());
    assert_eq!(settings(&side).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_point_leaves_what_can_be_lifted_and_raised() {
    let world = World::new();
    let database = world.database("db").await;
    database.migrate(NEW);
    let look = side(&database).await;
    let old = open(&dsn(&database), "old").await;
    for delay in [0, 1, 2, 3, 4, 6, 8, 12, 20, 40, 80, 110, 150] {
        for (lifting, is_connected) in [(false, false), (true, false), (false, true), (true, true)] {
            // An older name is spared: nobody else is connected then.
            let name = if is_connected { "old" } else { "kratos-operator old" };
            sql(&old, &format!("SET application_name = '{name}'")).await;
            let crashing = side(&database).await;
            if lifting {
                raise(&crashing, "kratos/0", &OUR_SESSIONS, &[]).await.unwrap();
            }
            let limit = Duration::from_millis(delay);
            // The connection goes with the process.
            let _ = match lifting {
                true => timeout(limit, lift(&crashing, &OUR_SESSIONS)).await.is_ok(),
                false => timeout(limit, raise(&crashing, "kratos/0", &OUR_SESSIONS, &[])).await.is_ok(),
            };
            drop(crashing);
            eventually("the session is gone", async || {
                let sql = "SELECT 1 FROM pg_stat_activity WHERE usename = 'kratos' AND pid <> pg_backend_pid() \
                           AND application_name NOT LIKE '%old'";
                look.client().query(sql, &[]).await.unwrap().is_empty().then_some(())
            })
            .await;
            let left = state(&look).await.unwrap();
            assert!(left.as_ref().is_none_or(|fence| fence.is_marked_ours()), "{left:?}");
            assert_eq!(lift(&look, &OUR_SESSIONS).await.unwrap(), left.is_some());
            assert_eq!((settings(&look).await, triggers(&look).await), (vec![], 0), "{delay} {lifting}");
            assert!(may_write(&old).await, "it was never ended");
        }
    }
    drop(old);
    for phase in [Phase::Raising, Phase::Lifting] {
        // Another run can also go on from each step.
        let mark = if phase == Phase::Raising { "-" } else { "2020-01-01T00:00:00.000000Z" };
        let fence =
            if phase == Phase::Raising { "SET default_transaction_read_only = on" } else { "RESET ALL" };
        let alter = "ALTER ROLE kratos IN DATABASE db";
        sql(&look, &format!("{alter} {fence}; {alter} SET application_name = 'fenced by a/0 since {mark}'"))
            .await;
        assert_eq!(state(&look).await.unwrap().unwrap().phase, phase);
        let writer = open(&dsn(&database).with_param("default_transaction_read_only", "off"), "w").await;
        assert_eq!(writers(&look, &[], &OUR_SESSIONS).await.unwrap().len(), 1);
        assert_eq!(raise(&look, "b/0", &OUR_SESSIONS, &[]).await.unwrap().phase, Phase::Up);
        assert!(writer.client().query("SELECT 1", &[]).await.is_err());
        assert!(lift(&look, &OUR_SESSIONS).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_of_other_roles_are_seen() {
    let world = World::new();
    let database = world.database("db").await;
    database.migrate(NEW);
    let side = side(&database).await;
    let operator = world.operator("db").await;
    for role in ["writer", "reader", "fenced"] {
        operator.batch_execute(&format!("CREATE ROLE {role} LOGIN PASSWORD 's3cret'")).await.unwrap();
    }
    operator
        .batch_execute("GRANT SELECT ON identities TO reader; GRANT kratos TO writer, fenced")
        .await
        .unwrap();
    operator
        .batch_execute("ALTER ROLE fenced IN DATABASE db SET default_transaction_read_only = true")
        .await
        .unwrap();
    let mut sessions = Vec::new();
    for role in ["writer", "reader", "fenced"] {
        sessions.push(connect(&database.dsn.replace("kratos:", &format!("{role}:"))).await);
    }
    without_triggers(&world, "db").await;
    raise(&side, "kratos/0", &OUR_SESSIONS, &[]).await.unwrap();
    let found = writers(&side, &[], &OUR_SESSIONS).await.unwrap();
    let mut found: Vec<_> = found.iter().map(|it| (it.user.as_str(), it.own_role, it.superuser)).collect();
    found.sort_unstable();
    assert_eq!(found, [("operator", false, true), ("writer", false, false)]);

    // One that may write to a table of its own does Kratos' tables no harm.
    operator
        .batch_execute("CREATE TABLE weekly_report (id UUID); GRANT ALL ON weekly_report TO reader")
        .await
        .unwrap();
    let users = async |tables: &[String]| {
        let found = writers(&side, tables, &OUR_SESSIONS).await.unwrap();
        found.into_iter().map(|writer| writer.user).collect::<BTreeSet<_>>()
    };
    let named = |users: &[&str]| users.iter().map(|user| (*user).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(users(&[]).await, named(&["operator", "reader", "writer"]));
    assert_eq!(users(&own_tables(&[])).await, named(&["operator", "writer"]));
}
