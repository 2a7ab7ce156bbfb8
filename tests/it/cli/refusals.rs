//! What cannot succeed is refused within seconds, with the remedy, and nothing is changed.

use std::net::TcpListener;
use std::time::Duration;

use super::support::*;
use crate::preflight::pooler;

const QUICK: Duration = Duration::from_secs(10);

/// A run as `dsn` is refused with `kind`, and says `remedy`.
async fn check(database: &Database, dsn: &str, kind: &str, remedy: &str) {
    let before = database.digest().await;
    let run = Run::of(database.operator_as(dsn, "run --json"));
    assert!(run.took < QUICK, "{run:?}");
    assert_eq!(run.code, Some(1), "{run:?}");
    let result = run.json();
    assert_eq!(result["kind"], kind, "{result}");
    assert!(result["error"].as_str().unwrap().contains(remedy), "{result}");
    assert!(result["next"].as_str().unwrap().contains("kratos-operator migrate run"), "{result}");
    assert!(run.err.contains(remedy), "{run:?}");
    assert_eq!(database.digest().await, before);
    database.check_nothing_left().await;
}

#[test]
fn a_wrong_password() {
    block_on(async {
        let database = Database::served(OLD).await;
        let dsn = database.dsn.replace(&format!("{}@", database.name), &format!("{}-not@", database.name));
        check(&database, &dsn, "database", "refused the password").await;
    });
}

#[test]
fn a_host_that_cannot_be_reached() {
    block_on(async {
        let database = Database::served(OLD).await;
        // Nobody accepts there, so that a connection hangs.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let silent = silent.local_addr().unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        // An address that belongs to nobody: packets to it are lost, or refused on the way.
        let nobody = "192.0.2.1:5432".parse().unwrap();
        for (address, remedy) in [
            (silent, "check that it is active"),
            (closed, "cannot reach PostgreSQL at"),
            (nobody, "check that it is active"),
        ] {
            let dsn = format!("postgres://kratos:{PASSWORD}@{address}/kratos");
            check(&database, &dsn, "database", remedy).await;
            for verb in ["plan", "status", "repair", "repair --apply"] {
                let run = Run::of(database.operator_as(&dsn, &format!("{verb} --json")));
                assert!(run.took < QUICK && run.code == Some(1), "{verb}: {run:?}");
                assert_eq!(run.json()["kind"], "database");
                assert!(run.err.contains(remedy), "{verb}: {run:?}");
            }
        }
    });
}

#[test]
fn a_host_without_an_address() {
    block_on(async {
        let database = Database::served(OLD).await;
        let dsn = format!("postgres://kratos:{PASSWORD}@no-such-host.invalid:5432/kratos");
        check(&database, &dsn, "database", "check that it is active").await;
    });
}

#[test]
fn a_standby() {
    block_on(async {
        let database = Database::served(OLD).await;
        let standby = database.server.standby();
        let place = format!("{}:{}", standby.host(), standby.port());
        let dsn = database.dsn.replace(&database.server.place(), &place);
        let remedy = "takes no writes: connect to the primary";
        check(&database, &dsn, "database", remedy).await;
        let run = Run::of(database.operator_as(&dsn, "repair --apply"));
        assert!(run.took < QUICK && run.code == Some(0), "nothing to repair is no failure: {run:?}");
        let status = Run::of(database.operator_as(&dsn, "status --json"));
        assert_eq!((status.code, status.json()["applied"].as_u64().is_some()), (Some(1), true), "{status:?}");
    });
}

#[test]
fn a_proxy_that_pools_transactions() {
    block_on(async {
        for database in [Database::served(OLD).await, Database::fresh().await] {
            let port = pooler::start("127.0.0.1", database.server.place()).await;
            let dsn = database.dsn.replace(&database.server.place(), &format!("127.0.0.1:{port}"));
            check(&database, &dsn, "database", "connect to the database itself, past the proxy").await;
            let locks = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND database =
                         (SELECT oid FROM pg_database WHERE datname = current_database())";
            let admin = database.superuser().await;
            assert!(admin.client().query(locks, &[]).await.unwrap().is_empty(), "no session keeps a lock");
        }
    });
}

#[test]
fn a_role_that_an_administrator_made_read_only() {
    block_on(async {
        let database = Database::served(OLD).await;
        let name = &database.name;
        let set = format!("ALTER ROLE {name} IN DATABASE {name} SET default_transaction_read_only = on");
        sql(&database.superuser().await, &set).await;
        let remedy = format!("ALTER ROLE {name} IN DATABASE {name} RESET default_transaction_read_only");
        check(&database, &database.dsn, "refused", &remedy).await;
    });
}

#[test]
fn a_role_that_owns_nothing() {
    block_on(async {
        let database = Database::served(OLD).await;
        let role = format!("{}_other", database.name);
        let admin = database.superuser().await;
        sql(&admin, &format!("CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}-{role}'")).await;
        let dsn = database.server.dsn(&role, &database.name);
        check(&database, &dsn, "database", "permission denied for table schema_migration").await;
        sql(&admin, &format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")).await;
        check(&database, &dsn, "refused", "(the owner of ").await;
    });
}

#[test]
fn a_role_that_may_create_nothing() {
    block_on(async {
        let database = Database::served(OLD).await;
        let name = &database.name;
        let admin = database.superuser().await;
        let revoke = format!(
            "REVOKE ALL ON SCHEMA public FROM PUBLIC, {name}; ALTER SCHEMA public OWNER TO operator;
                              GRANT USAGE ON SCHEMA public TO {name}"
        );
        sql(&admin, &revoke).await;
        check(&database, &database.dsn, "refused", &format!("GRANT CREATE ON SCHEMA public TO {name}")).await;
    });
}

#[test]
fn a_role_that_may_create_nothing_in_a_fresh_database() {
    block_on(async {
        let database = Database::fresh().await;
        let name = &database.name;
        let admin = database.superuser().await;
        // Kratos itself would stop at the extensions, after 303 migrations.
        sql(
            &admin,
            &format!("ALTER DATABASE {name} OWNER TO operator; GRANT ALL ON SCHEMA public TO {name}"),
        )
        .await;
        let remedy = "CREATE EXTENSION pg_trgm; CREATE EXTENSION btree_gin";
        check(&database, &database.dsn, "refused", remedy).await;
        sql(&admin, &format!("{remedy}; REVOKE ALL ON SCHEMA public FROM {name}")).await;
        check(&database, &database.dsn, "refused", &format!("GRANT CREATE ON SCHEMA public TO {name}")).await;
        sql(&admin, &format!("GRANT CREATE ON SCHEMA public TO {name}")).await;
        let run = database.run("run");
        assert_eq!(run.code, Some(0), "{run:?}");
    });
}
