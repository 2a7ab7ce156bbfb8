//! What a plan leaves behind, and what it does where it cannot measure.

use kratos_operator::migration::Failure;
use kratos_operator::migration::plan::{Method, Mode, plan};
use kratos_operator::postgres::scratch::{Scratch, sweep};

use super::proxy;
use super::support::{block_on, open, shared, sql, version};

#[test]
fn what_a_killed_plan_left_is_removed_and_nothing_else() {
    block_on(async {
        let server = shared();
        let served = server.served(1).await;
        let connection = open(&served.dsn).await;
        let now = "SELECT extract(epoch FROM clock_timestamp())::int8::text";
        let now: String = connection.client().query_one(now, &[]).await.unwrap().get(0);
        let mark = "kratos-operator: scratch database of a migration plan";
        let names = |kind: &str| match kind {
            "left" => "kratos_plan_1700000000_0000000a".to_owned(),
            "uncommented" => "kratos_plan_1700000000_0000000b".to_owned(),
            "foreign" => "kratos_plan_1700000000_0000000c".to_owned(),
            "alike" => "kratos_plan_of_mine".to_owned(),
            "killed" => format!("kratos_plan_{now}_0000000e"),
            _ => format!("kratos_plan_{now}_0000000d"),
        };
        let killed = format!("kratos-operator: scratch database made by session {} for a plan", i32::MAX / 4);
        for kind in ["left", "uncommented", "foreign", "alike", "killed", "fresh"] {
            sql(&connection, &format!("CREATE DATABASE {}", names(kind))).await;
        }
        for (kind, comment) in
            [("left", mark), ("foreign", "accounting"), ("killed", &killed), ("fresh", mark)]
        {
            sql(&connection, &format!("COMMENT ON DATABASE {} IS '{comment}'", names(kind))).await;
        }
        server.plan("v26.2.0", &served.dsn).await;
        let mut kept: Vec<_> = ["foreign", "fresh", "alike"].map(names).to_vec();
        kept.sort();
        assert_eq!(server.scratch_databases(&served.dsn).await, kept);
        for name in kept {
            sql(&connection, &format!("DROP DATABASE {name}")).await;
        }
    });
}

#[test]
fn a_scratch_database_in_use_is_left_alone() {
    block_on(async {
        let server = shared();
        let database = server.database(None).await;
        let connection = open(&database.dsn).await;
        let scratch = Scratch::create(&connection, &database.dsn).await.unwrap();
        let user = open(scratch.dsn()).await;
        assert_eq!(sweep(&connection).await.unwrap(), 0);
        assert_eq!(server.scratch_databases(&database.dsn).await, [scratch.dsn().database()]);
        scratch.remove(&connection).await.unwrap();
        assert!(user.client().query_one("SELECT 1", &[]).await.is_err(), "its session has ended");
        assert_eq!(server.scratch_databases(&database.dsn).await, [""; 0]);
    });
}

#[test]
fn a_replay_that_fails_is_cleaned_up_and_told() {
    block_on(async {
        let server = shared();
        let served = server.served(1).await;
        let kratos = server.kratos("without-down");
        let made = plan(&kratos, &version("v26.2.0"), &served.dsn, None).await.unwrap();
        let Method::Classified { why } = &made.method else { panic!("{:?}", made.method) };
        assert!(why.contains("down -e --yes --steps 23") && why.contains("no way back"), "{why}");
        assert_eq!(server.scratch_databases(&served.dsn).await, [""; 0]);
        let text = made.render("kratos");
        assert!(text.contains("not measured") && !text.contains("pass of"), "{text}");
    });
}

#[test]
fn a_hole_in_the_middle_is_told_from_its_sql() {
    block_on(async {
        let server = shared();
        let served = server.served(1).await;
        server.migrate("v25.4.0", &served.dsn).await;
        let connection = open(&served.dsn).await;
        let hole = "20240923095000000001";
        sql(&connection, &format!("DELETE FROM schema_migration WHERE version = '{hole}'")).await;
        let made = server.plan("v26.2.0", &served.dsn).await;
        assert_eq!((made.migrations.len(), &made.method), (8, &Method::Measured));
        assert_eq!((made.migrations[0].version.as_str(), made.migrations[0].tables.len()), (hole, 1));

        sql(&connection, "INSERT INTO schema_migration (version) SELECT '20260114175904000000'").await;
        let made = server.plan("v26.2.0", &served.dsn).await;
        assert!(matches!(&made.method, Method::Classified { why } if why.contains("older")), "{made:?}");
    });
}

#[test]
fn an_empty_database_has_nothing_that_could_be_locked() {
    block_on(async {
        let server = shared();
        let database = server.database(None).await;
        let made = server.plan("v26.2.0", &database.dsn).await;
        assert_eq!((made.migrations.len(), &made.method), (338, &Method::Measured));
        assert!(made.migrations.iter().all(|step| step.tables.is_empty() && !step.is_unclear));
        assert_eq!(server.scratch_databases(&database.dsn).await, [""; 0]);
        server.migrate("v26.2.0", &database.dsn).await;
        let made = server.plan("v26.2.0", &database.dsn).await;
        assert_eq!(made.results()["pending"], "0");
        let error =
            plan(&server.kratos("v25.4.0"), &version("v25.4.0"), &database.dsn, None).await.unwrap_err();
        assert!(matches!(error, Failure::Newer { unknown: 7, .. }), "{error}");
    });
}

#[test]
fn a_program_that_does_not_list_its_migrations_is_not_asked() {
    block_on(async {
        let server = shared();
        let database = server.database(None).await;
        let kratos = server.kratos("v1.3.1");
        let made = plan(&kratos, &version("v1.3.1"), &database.dsn, None).await.unwrap();
        assert!(matches!(&made.method, Method::Classified { why } if why.contains("v1.3.1")), "{made:?}");
        assert_eq!(made.migrations.len(), 315);
        assert!(made.migrations.iter().all(|step| step.is_unclear && step.mode == Mode::Transaction));
        let error = plan(&kratos, &version("v1.1.0"), &database.dsn, None).await.unwrap_err();
        assert_eq!(error.kind(), "program");
        let missing = server.kratos("missing");
        let error = plan(&missing, &version("v26.2.0"), &database.dsn, None).await.unwrap_err();
        assert_eq!(error.kind(), "program");
    });
}

#[test]
fn a_plan_through_a_proxy_that_maps_every_name_to_production_changes_nothing() {
    block_on(async {
        let server = shared();
        let served = server.served(1).await;
        let endpoint = &served.dsn.endpoints()[0];
        let port = proxy::start(format!("{}:{}", endpoint.host, endpoint.port), served.name.clone()).await;
        let production = open(&served.dsn).await;
        let state = "SELECT (SELECT count(*) FROM schema_migration),
                            (SELECT count(*) FROM pg_namespace WHERE nspname = 'kratos_plan')";
        let state = async || {
            let row = production.client().query_one(state, &[]).await.unwrap();
            (row.get::<_, i64>(0), row.get::<_, i64>(1))
        };
        let before = state().await;
        let made = server.plan("v26.2.0", &server.dsn_at(port, &served)).await;
        let Method::Classified { why } = &made.method else { panic!("{:?}", made.method) };
        assert!(why.contains("leads to another database"), "{why}");
        assert_eq!((state().await, before.1), (before, 0));
        assert_eq!(server.scratch_databases(&served.dsn).await, [""; 0]);
    });
}
