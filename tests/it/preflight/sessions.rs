//! The checks that look at other sessions, transactions and replicas.

use kratos_operator::migration::OUR_SESSIONS;
use kratos_operator::migration::preflight::{CheckName, Severity};
use kratos_operator::postgres::transactions;
use sandbox::postgres::Options;

use super::checks::{Case, assert_finding};
use super::support::side;
use crate::world::*;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_in_the_way_is_named() {
    let settings = vec![("max_prepared_transactions".to_owned(), "5".to_owned())];
    let world = World::with(Options { settings, ..Options::default() });
    let database = world.database("db").await;
    database.migrate(MIDDLE);
    let side = side(&database).await;
    let case = Case::new(&world, &database).await;
    let operator = world.operator("db").await;
    operator
        .batch_execute("CREATE ROLE report LOGIN PASSWORD 's3cret'; GRANT kratos TO report")
        .await
        .unwrap();

    let foreign =
        connect(&format!("{}&application_name=weekly", database.dsn.replace("kratos:", "report:"))).await;
    foreign.batch_execute("BEGIN; SELECT 1 FROM identities; SAVEPOINT a").await.unwrap();
    let own = connect(&format!("{}&application_name=serve", database.dsn)).await;
    own.batch_execute("BEGIN; UPDATE networks SET updated_at = updated_at; PREPARE TRANSACTION 'left over'")
        .await
        .unwrap();
    operator.batch_execute("BEGIN; DELETE FROM identities; PREPARE TRANSACTION 'it''s worse'").await.unwrap();
    let orphan = connect(&format!("{}&application_name=kratos-migrate%20test%2F0", database.dsn)).await;
    let pid: i32 = orphan.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);

    let report = case.run(&side).await;
    let parts = ["\"weekly\", user report", "has locked identities", "SELECT pg_terminate_backend("];
    assert_finding(&report, CheckName::LongTransactions, Severity::Warning, &parts);
    let parts = [
        "ROLLBACK PREPARED 'it''s worse'",
        "has locked identities",
        "ROLLBACK PREPARED 'left over'",
        "of operator",
    ];
    assert_finding(&report, CheckName::PreparedTransactions, Severity::Refusal, &parts);
    let parts = [
        "does not cover may write: \"weekly\", user report",
        "the fence lets these sessions of our role only read: \"serve\"",
    ];
    assert_finding(&report, CheckName::OtherWriters, Severity::Refusal, &parts);
    let parts = ["kratos-migrate test/0", &format!("SELECT pg_cancel_backend({pid})")];
    assert_finding(&report, CheckName::OtherMigration, Severity::Refusal, &parts);

    foreign.batch_execute("ROLLBACK").await.unwrap();
    for statement in ["ROLLBACK PREPARED 'it''s worse'", "ROLLBACK PREPARED 'left over'"] {
        operator.batch_execute(statement).await.unwrap();
    }
    drop((foreign, orphan));
    let report = eventually("the sessions are gone", async || {
        let report = case.run(&side).await;
        (!report.is_refused()).then_some(report)
    })
    .await;
    let warned: Vec<_> = report.findings(Severity::Warning).map(|(name, _)| name).collect();
    // The administrator's session, and the one that the fence lets only read.
    assert_eq!(warned, [CheckName::OtherWriters; 2], "{report}");
    assert_finding(&report, CheckName::LongTransactions, Severity::Ok, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_of_our_role_is_told_with_its_age_and_locks() {
    let world = World::new();
    let database = world.database("db").await;
    database.migrate(MIDDLE);
    let side = side(&database).await;
    let own = connect(&format!("{}&application_name=serve", database.dsn)).await;
    own.batch_execute("BEGIN; SELECT 1 FROM sessions, identities").await.unwrap();
    let open = async |tables: &[&str], age: f64| {
        let tables: Vec<_> = tables.iter().map(|table| (*table).to_owned()).collect();
        transactions::open(&side, &tables, age, &OUR_SESSIONS).await.unwrap()
    };
    for (touched, locked) in [
        (&["identities", "networks"][..], &["identities"][..]),
        (&[], &["identities", "sessions"]),
        (&["networks"], &[]),
    ] {
        let found = open(touched, 0.0).await;
        assert_eq!(found.len(), 1, "{found:?}");
        let found = &found[0];
        assert_eq!(
            (found.application_name.as_str(), found.user.as_str(), found.own_role),
            ("serve", "kratos", true)
        );
        assert!(
            found.since.is_some() && found.seconds.is_some_and(|age| (0.0..60.0).contains(&age)),
            "{found:?}"
        );
        assert_eq!(found.tables, locked);
    }
    assert_eq!(open(&[], 600.0).await, [], "it is young");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_nobody_reads_is_warned_of() {
    let world =
        World::with(Options { settings: vec![("wal_level".into(), "replica".into())], ..Options::default() });
    let database = world.database("db").await;
    let side = side(&database).await;
    let case = Case::new(&world, &database).await;
    assert_finding(&case.run(&side).await, CheckName::Replication, Severity::Ok, &[]);
    let operator = world.operator("db").await;
    operator.batch_execute("SELECT pg_create_physical_replication_slot('gone', true)").await.unwrap();
    let parts = ["'gone'", "SELECT pg_drop_replication_slot('gone')"];
    assert_finding(&case.run(&side).await, CheckName::Replication, Severity::Warning, &parts);
}
