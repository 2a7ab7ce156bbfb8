//! Where the server itself vacuums a table: an ordinary role may not end that, but the server gives way.

use kratos_operator::postgres::scratch::Scratch;
use kratos_operator::postgres::{Connection, Dsn, fence};
use sandbox::postgres::Options;

use super::support::{Server, block_on, eventually, open, open_as, sql, try_sql};

/// A table that the server vacuums as soon as it is filled, for minutes.
const TABLE: &str = "CREATE TABLE vacuumed (number int) WITH (autovacuum_vacuum_threshold = 0,
        autovacuum_vacuum_scale_factor = 0, autovacuum_analyze_threshold = 2000000000,
        autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1);
    INSERT INTO vacuumed SELECT generate_series(1, 100000);
    DELETE FROM vacuumed WHERE number % 2 = 0";

fn server() -> Server {
    let settings = [("autovacuum_naptime", "1"), ("autovacuum", "on")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Server::start(Options { settings, ..Options::default() })
}

/// Fills the table over a connection to `dsn`, and waits until the server is at it.
async fn vacuumed(server: &Server, dsn: &Dsn) -> Connection {
    // What a session has changed is told to the server when it ends, if not before.
    sql(&open(dsn).await, TABLE).await;
    let admin = open(&server.admin(dsn.database())).await;
    eventually("a vacuum", || async { is_vacuumed(&admin).await.then_some(()) }).await;
    admin
}

async fn is_vacuumed(admin: &Connection) -> bool {
    let sql = "SELECT EXISTS (SELECT FROM pg_stat_progress_vacuum WHERE relid = to_regclass('vacuumed'))";
    admin.client().query_one(sql, &[]).await.unwrap().get(0)
}

#[test]
fn a_scratch_database_goes() {
    block_on(async {
        let server = server();
        let dsn = server.database().await;
        let postgres = open(&server.admin("postgres")).await;
        sql(&postgres, &format!("ALTER ROLE {} CREATEDB", dsn.username())).await;
        let connection = open(&dsn).await;
        let scratch = Scratch::create(&connection, &dsn).await.unwrap();
        let inside = open(scratch.dsn()).await;
        // The superuser's session is not to be what is in the way.
        drop(vacuumed(&server, scratch.dsn()).await);
        let name = scratch.dsn().database().to_owned();
        eventually("only the role and the vacuum are there", || async {
            let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND usename = 'postgres'";
            let row = postgres.client().query_one(sql, &[&name]).await.unwrap();
            (row.get::<_, i64>(0) == 0).then_some(())
        })
        .await;
        let forced = try_sql(&connection, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
        assert_eq!(forced.unwrap_err().kind(), "permission", "the vacuum is in the way");
        scratch.remove(&connection).await.unwrap();
        let sql = "SELECT count(*) FROM pg_database WHERE datname = $1";
        assert_eq!(postgres.client().query_one(sql, &[&name]).await.unwrap().get::<_, i64>(0), 0);
        assert!(inside.client().query_one("SELECT 1", &[]).await.is_err(), "its session has ended");
    });
}

#[test]
fn the_fence_gets_its_triggers_and_ends_nobody() {
    block_on(async {
        let server = server();
        let dsn = server.database().await;
        let kratos = open_as(&dsn, "kratos").await;
        let admin = vacuumed(&server, &dsn).await;
        let engine = open_as(&dsn, "kratos-operator").await;
        fence::raise(&engine, "kratos/0", &["kratos-operator"], &[]).await.unwrap();
        let refused = try_sql(&kratos, "INSERT INTO vacuumed VALUES (1)").await.unwrap_err();
        assert_eq!(refused.kind(), "read-only");
        let row = kratos.client().query_one("SELECT count(*) FROM vacuumed", &[]).await;
        assert_eq!(row.unwrap().get::<_, i64>(0), 50_000, "the session lives, and reads");
        // It comes back, and the triggers go all the same.
        eventually("a vacuum", || async { is_vacuumed(&admin).await.then_some(()) }).await;
        assert!(fence::lift(&engine, &["kratos-operator"]).await.unwrap());
        sql(&kratos, "INSERT INTO vacuumed VALUES (1)").await;
        let sql = "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal";
        assert_eq!(admin.client().query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 0);
    });
}
