//! The locks of a plan are those of the real run.

use std::collections::BTreeMap;

use kratos_operator::kratos::program::command::Kratos;
use kratos_operator::migration::plan::{LockMode, Method, Mode};
use kratos_operator::postgres::Dsn;

use super::support::{Database, Locks, Server, block_on, locks_of, open, shared, sql, version};

/// Notes what each migration holds when it is booked, on tables that were there before.
const TRACER: &str = "
    CREATE TABLE old_tables AS SELECT oid, relname::text AS name FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'schema_migration';
    CREATE TABLE seen (version text, name text, mode text);
    CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO seen SELECT NEW.version, o.name, l.mode FROM pg_locks l JOIN old_tables o ON o.oid = l.relation
            WHERE l.pid = pg_backend_pid() AND l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database());
        RETURN NULL; END $$;
    CREATE TRIGGER see AFTER INSERT ON schema_migration FOR EACH ROW EXECUTE FUNCTION see()";

fn strongest(rows: &[tokio_postgres::Row]) -> BTreeMap<String, Locks> {
    let mut locks: BTreeMap<String, Locks> = BTreeMap::new();
    for row in rows {
        let mode = LockMode::from_catalog(row.get(2)).unwrap();
        let lock = locks.entry(row.get(0)).or_default().entry(row.get(1)).or_insert(mode);
        *lock = mode.max(*lock);
    }
    locks
}

/// Migrates for real, under the trigger.
async fn traced_run(server: &Server, release: &str, dsn: &Dsn) -> BTreeMap<String, Locks> {
    let connection = open(dsn).await;
    sql(&connection, TRACER).await;
    server.migrate(release, dsn).await;
    let rows = connection.client().query("SELECT version, name, mode FROM seen", &[]).await.unwrap();
    strongest(&rows)
}

/// Runs the SQL of every pending migration in a transaction, autocommit ones too, and notes what it holds at its end.
async fn locks_of_sql(kratos: &Kratos, plan_order: &[String], dsn: &Dsn) -> BTreeMap<String, Locks> {
    let connection = open(dsn).await;
    sql(&connection, TRACER).await;
    // The backfills are no SQL; without rows nothing misses them.
    sql(&connection, "TRUNCATE identities CASCADE").await;
    let listed = kratos.migrations(dsn).await.unwrap();
    let text = "SELECT $1::text, o.name, l.mode FROM pg_locks l JOIN old_tables o ON o.oid = l.relation
                WHERE l.pid = pg_backend_pid() AND l.granted AND l.locktype = 'relation'";
    let mut locks = BTreeMap::new();
    for migration in listed.iter().filter(|migration| plan_order.contains(&migration.version)) {
        sql(&connection, "BEGIN").await;
        sql(&connection, &migration.content).await;
        locks.extend(strongest(&connection.client().query(text, &[&migration.version]).await.unwrap()));
        sql(&connection, "COMMIT").await;
    }
    locks
}

async fn without_createdb(server: &Server, database: &Database) {
    let admin = server.superuser("postgres").await;
    sql(&admin, &format!("ALTER ROLE {} NOCREATEDB", database.dsn.username())).await;
}

async fn compare(from: &str, to: &str) {
    let server = shared();
    let served = server.served(300).await;
    if from != "v1.3.1" {
        server.migrate(from, &served.dsn).await;
    }
    let connection = open(&served.dsn).await;
    let catalog = "SELECT md5(string_agg(c::text, ',' ORDER BY oid)) FROM pg_class c WHERE relnamespace = 'public'::regnamespace";
    let before: String = connection.client().query_one(catalog, &[]).await.unwrap().get(0);
    let plan = server.plan(to, &served.dsn).await;
    let after: String = connection.client().query_one(catalog, &[]).await.unwrap().get(0);
    connection.close().await;
    assert_eq!(before, after, "a plan changes nothing");
    assert_eq!(plan.method, Method::Measured);
    assert_eq!(server.scratch_databases(&served.dsn).await, [""; 0]);

    let copy = server.database(Some(&served)).await;
    let seen = traced_run(&server, to, &copy.dsn).await;
    let planned = locks_of(&plan);
    let mut compared = 0;
    for step in plan.migrations.iter().filter(|step| step.mode == Mode::Transaction) {
        let seen = seen.get(&step.version).cloned().unwrap_or_default();
        assert_eq!(planned[&step.version], seen, "{} {}", step.version, step.name);
        compared += seen.len();
    }
    assert!(compared >= 5, "{compared} locks compared");

    // Autocommit migrations hold nothing when they are booked; their SQL in a transaction does.
    let versions: Vec<_> = plan.migrations.iter().map(|step| step.version.clone()).collect();
    let copy = server.database(Some(&served)).await;
    let of_sql = locks_of_sql(&server.kratos(to), &versions, &copy.dsn).await;
    for step in plan.migrations.iter().filter(|step| step.mode != Mode::Code) {
        let mut expected = of_sql.get(&step.version).cloned().unwrap_or_default();
        if step.mode == Mode::Transaction {
            expected = seen.get(&step.version).cloned().unwrap_or_default();
        }
        assert_eq!(planned[&step.version], expected, "{} {}", step.version, step.name);
    }

    without_createdb(&server, &served).await;
    let classified = server.plan(to, &served.dsn).await;
    let Method::Classified { why } = &classified.method else { panic!("{:?}", classified.method) };
    assert!(why.contains("CREATEDB"), "{why}");
    assert_eq!(locks_of(&classified), planned, "the SQL says the same");
    assert_eq!(classified.digest, plan.digest);
    let works = |plan: &kratos_operator::migration::plan::MigrationPlan| -> Vec<_> {
        plan.migrations.iter().flat_map(|step| &step.tables).map(|touched| touched.work.clone()).collect()
    };
    assert_eq!(works(&classified), works(&plan));
}

#[test]
fn the_locks_of_v26_2_0_are_those_of_the_real_run() {
    block_on(compare("v25.4.0", "v26.2.0"));
}

#[test]
fn the_locks_of_an_upgrade_over_two_releases_are_those_of_the_real_run() {
    block_on(compare("v1.3.1", "v26.2.0"));
}

#[test]
fn the_locks_of_v25_4_0_are_those_of_the_real_run() {
    block_on(compare("v1.3.1", "v25.4.0"));
}

#[test]
fn backfills_are_code_on_the_table_they_name() {
    block_on(async {
        let server = shared();
        let served = server.served(10).await;
        let plan = server.plan("v26.2.0", &served.dsn).await;
        let code: Vec<_> = plan.migrations.iter().filter(|step| step.mode == Mode::Code).collect();
        let tables: Vec<_> = code.iter().map(|step| step.tables[0].table.as_str()).collect();
        assert_eq!(tables, ["identity_credential_identifiers", "session_devices"]);
        let autocommit = plan.migrations.iter().filter(|step| step.mode == Mode::Autocommit).count();
        assert_eq!((plan.migrations.len(), autocommit), (23, 8));
        assert_eq!(plan.version, version("v26.2.0").to_string());
    });
}
