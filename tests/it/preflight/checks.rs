//! Each check before a run, once well and once not; nothing changes anything.

use std::time::{Duration, Instant};

use kratos_operator::kratos::program::command::ListedMigration;
use kratos_operator::migration::preflight::{
    CheckName, PlannedRun, PreflightReport, Severity, own_tables, preflight, unreachable,
};
use kratos_operator::migration::{Known, Migration, MigrationVersion, OUR_SESSIONS, Schema, Timeout};
use kratos_operator::postgres::{Connection, Dsn, Error, catalog, fence};
use sandbox::postgres::{Cluster, Options};

use super::pooler;
use super::support::*;
use crate::described::describe_schema;
use crate::world::*;

/// What the checks are asked about, with what a run would know.
pub struct Case {
    pub dsn: Dsn,
    pub schema: Schema,
    pub listed: Vec<ListedMigration>,
    pub touched: Vec<String>,
    pub estimate: Option<Duration>,
    pub force: bool,
}

impl Case {
    pub async fn new(world: &World, database: &Database) -> Self {
        let listed = listed(world, database).await;
        let dsn = dsn(database);
        let schema = schema(&side(database).await, &listed).await;
        let touched = ["identities", "session_devices"].map(str::to_owned).to_vec();
        Self { dsn, schema, listed, touched, estimate: None, force: false }
    }

    pub async fn run(&self, side: &Connection) -> PreflightReport {
        let before = describe_schema(side).await;
        let begun = Instant::now();
        let run = PlannedRun {
            dsn: &self.dsn,
            schema: &self.schema,
            listed: &self.listed,
            touched: &self.touched,
            own: &own_tables(&self.touched),
            estimate: self.estimate,
            timeout: Timeout::DEFAULT,
            force: self.force,
        };
        let report = preflight(side, run).await;
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        assert_eq!(describe_schema(side).await, before, "nothing is changed");
        report
    }
}

async fn schema(side: &Connection, listed: &[ListedMigration]) -> Schema {
    let rows = catalog::applied_versions(side).await.unwrap().unwrap_or_default();
    let known = listed.iter().map(|migration| Migration {
        version: MigrationVersion::parse(&migration.version).unwrap(),
        name: migration.name.clone(),
    });
    Schema::compare(&rows, &Known::Listed(known.collect()), false)
}

/// The severity and the text of one check.
fn severity(report: &PreflightReport, name: CheckName) -> (Severity, String) {
    let check = report
        .checks
        .iter()
        .find(|check| check.name == name)
        .unwrap_or_else(|| panic!("no check {name}: {report}"));
    let texts = check.findings.iter().map(|finding| format!("{} -> {}\n", finding.text, finding.remedy));
    (check.severity(), texts.collect())
}

pub fn assert_finding(report: &PreflightReport, name: CheckName, expected: Severity, parts: &[&str]) {
    let (found, text) = severity(report, name);
    assert_eq!(found, expected, "{name}: {report}");
    for part in parts {
        assert!(text.contains(part), "{name} does not say {part:?}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_well_passes_every_check() {
    let world = World::new();
    for (name, release) in [("fresh", ""), ("old", OLD), ("middle", MIDDLE), ("new", NEW)] {
        let database = world.database(name).await;
        if !release.is_empty() {
            database.migrate(release);
        }
        let side = side(&database).await;
        let mut case = Case::new(&world, &database).await;
        case.estimate = Some(Duration::from_secs(3));
        let report = case.run(&side).await;
        assert_eq!(report.findings(Severity::Refusal).count(), 0, "{name}: {report}");
        assert_eq!(report.findings(Severity::Warning).count(), 0, "{name}: {report}");
        assert!(!report.is_refused());
        let skipped: Vec<_> = report.findings(Severity::Skipped).map(|(name, _)| name).collect();
        assert_eq!(skipped, [CheckName::Disk], "{report}");
        let asked: Vec<_> = report.checks.iter().map(|check| check.name).collect();
        assert_eq!(asked, CheckName::ALL);
        assert!(report.to_string().starts_with("preflight: 15 ok, 1 skipped\nskipped disk: "), "{report}");
        // The fence of a run that was killed is ours to go on with.
        raise(&side).await;
        assert!(!case.run(&side).await.is_refused());
        fence::lift(&side, &OUR_SESSIONS).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_be_reached_is_told_at_once() {
    let world = World::new();
    let database = world.database("db").await;
    let port = format!(":{}/", world.cluster.port());
    for (dsn, kind) in [
        (database.dsn.replace("s3cret", "wrong"), "wrong-password"),
        (database.dsn.replace("/db?", "/other?"), "no-database"),
        (database.dsn.replace(&port, ":1/"), "unreachable"),
        (database.dsn.replace("disable", "require"), "tls-refused"),
    ] {
        let begun = Instant::now();
        let Err(error) = Connection::open(&Dsn::parse(&dsn).unwrap(), "kratos-operator", PATIENCE).await
        else {
            panic!("{dsn} opened");
        };
        assert_eq!(error.kind(), kind);
        let report = unreachable(&error);
        assert!(
            report.is_refused()
                && report.to_string().starts_with("preflight: 1 refused\nrefused reachable: ")
        );
        assert!(report.to_string().contains(" -> "), "{report}");
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
    // What worked for the side connection may fail a moment later.
    let side = side(&database).await;
    let mut case = Case::new(&world, &database).await;
    case.dsn = Dsn::parse(&database.dsn.replace("s3cret", "wrong")).unwrap();
    assert_finding(
        &case.run(&side).await,
        CheckName::Reachable,
        Severity::Refusal,
        &["refused the password of kratos"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_writes_is_refused_with_the_setting_that_says_so() {
    let world = World::new();
    let database = world.database("db").await;
    let side = side(&database).await;
    let mut case = Case::new(&world, &database).await;
    let operator = world.operator("postgres").await;
    for (setting, undo) in [
        ("ALTER ROLE kratos IN DATABASE db SET", "ALTER ROLE kratos IN DATABASE db RESET"),
        ("ALTER ROLE kratos SET", "ALTER ROLE kratos RESET"),
        ("ALTER DATABASE db SET", "ALTER DATABASE db RESET"),
    ] {
        operator.batch_execute(&format!("{setting} default_transaction_read_only = on")).await.unwrap();
        let remedy = format!("{undo} default_transaction_read_only");
        assert_finding(
            &case.run(&side).await,
            CheckName::WritablePrimary,
            Severity::Refusal,
            &["kratos are read-only", &remedy],
        );
        operator.batch_execute(&remedy).await.unwrap();
    }
    case.dsn = case.dsn.with_param("default_transaction_read_only", "on");
    assert_finding(
        &case.run(&side).await,
        CheckName::WritablePrimary,
        Severity::Refusal,
        &["out of the DSN"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start_with(&dir.path().join("pg"), &address(), Options::default()).unwrap();
    let operator = connect(&cluster.superuser_dsn("postgres")).await;
    operator.batch_execute("CREATE ROLE kratos LOGIN PASSWORD 's3cret'; ").await.unwrap();
    operator.batch_execute("CREATE DATABASE db OWNER kratos").await.unwrap();
    cluster.stop();
    // With nobody to follow it waits for more, and answers reads.
    std::fs::write(cluster.dir().join("data/standby.signal"), "").unwrap();
    cluster.start_again().unwrap();
    let place = format!("{}:{}", cluster.host(), cluster.port());
    let dsn = Dsn::parse(&format!("postgres://kratos:s3cret@{place}/db")).unwrap();
    let side = open(&dsn, "kratos-operator test/0").await;
    let schema = schema(&side, &[]).await;
    let case = Case { dsn, schema, listed: vec![], touched: vec![], estimate: None, force: false };
    let report = case.run(&side).await;
    assert_finding(
        &report,
        CheckName::WritablePrimary,
        Severity::Refusal,
        &["is a standby", "connect to the primary"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_pools_transactions_is_refused() {
    let world = World::new();
    let database = world.database("db").await;
    let server = format!("{}:{}", world.cluster.host(), world.cluster.port());
    let port = pooler::start(&world.cluster.host(), server).await;
    let mut case = Case::new(&world, &database).await;
    case.dsn =
        Dsn::parse(&database.dsn.replace(&format!(":{}/", world.cluster.port()), &format!(":{port}/")))
            .unwrap();
    let side = open(&case.dsn, "kratos-operator test/0").await;
    let run = PlannedRun {
        dsn: &case.dsn,
        schema: &case.schema,
        listed: &case.listed,
        touched: &[],
        own: &[],
        estimate: None,
        timeout: Timeout::DEFAULT,
        force: true,
    };
    let report = preflight(&side, run).await;
    assert_finding(&report, CheckName::Pooler, Severity::Refusal, &["transaction pooling", "past the proxy"]);

    // PgBouncer itself refuses the options that our connections are opened with.
    let message = "unsupported startup parameter: options".to_owned();
    let report = unreachable(&Error::Pooler { host: "proxy:6432".to_owned(), message });
    assert_finding(&report, CheckName::Pooler, Severity::Refusal, &["startup parameter", "past the proxy"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_rights_are_named_with_what_grants_them() {
    let world = World::new();
    let database = world.database("db").await;
    let operator = world.operator("db").await;
    let side = side(&database).await;
    let case = Case::new(&world, &database).await;
    for statement in [
        "ALTER DATABASE db OWNER TO operator",
        "REVOKE CREATE ON DATABASE db FROM PUBLIC",
        "ALTER SCHEMA public OWNER TO operator",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        "CREATE TABLE identities (id UUID)",
        "GRANT ALL ON identities TO kratos",
    ] {
        operator.batch_execute(statement).await.unwrap();
    }
    let report = case.run(&side).await;
    assert_finding(&report, CheckName::Ownership, Severity::Refusal, &["kratos does not own identities"]);
    let parts =
        ["GRANT CREATE ON SCHEMA public TO kratos", "pg_trgm and btree_gin", "CREATE EXTENSION pg_trgm"];
    assert_finding(&report, CheckName::Create, Severity::Refusal, &parts);

    for statement in [
        "GRANT CREATE ON SCHEMA public TO kratos",
        "CREATE EXTENSION pg_trgm",
        "CREATE EXTENSION btree_gin",
        "CREATE ROLE owners",
        "ALTER TABLE identities OWNER TO owners",
        "GRANT owners TO kratos",
    ] {
        operator.batch_execute(statement).await.unwrap();
    }
    // Somebody else's in the same schema is none of ours.
    operator.batch_execute("CREATE TABLE weekly_report (id UUID)").await.unwrap();
    let report = case.run(&side).await;
    assert_finding(&report, CheckName::Ownership, Severity::Ok, &[]);
    assert_finding(&report, CheckName::Create, Severity::Ok, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_a_run_would_trip_over_are_named() {
    let world = World::new();
    let database = world.database("db").await;
    database.migrate(OLD);
    let side = side(&database).await;
    let case = Case::new(&world, &database).await;
    let sessions =
        "INSERT INTO networks VALUES (gen_random_uuid(), now(), now()), (gen_random_uuid(), now(), now())";
    sql(&side, sessions).await;
    let build = "CREATE UNIQUE INDEX CONCURRENTLY broken ON networks ((created_at IS NULL))";
    assert!(side.client().batch_execute(build).await.is_err(), "it cannot be unique");
    sql(&side, "ALTER TABLE identities ADD COLUMN external_id VARCHAR(64)").await;
    sql(&side, "ALTER TABLE courier_messages ADD COLUMN request_headers JSONB").await;
    let report = case.run(&side).await;
    let parts = ["public.broken of networks is invalid", "REINDEX INDEX CONCURRENTLY public.broken"];
    assert_finding(&report, CheckName::InvalidIndexes, Severity::Refusal, &parts);
    let half = ["the column identities.external_id is there", "20250708190000000000", "repair-migration"];
    assert_finding(&report, CheckName::HalfApplied, Severity::Refusal, &half);
    let warned: Vec<_> =
        report.findings(Severity::Warning).map(|(name, finding)| (name, &finding.text)).collect();
    assert!(
        warned.len() == 1 && warned[0].1.contains("courier_messages.request_headers is there"),
        "{warned:?}"
    );

    let mut blind = case;
    blind.listed.clear();
    let report = blind.run(&side).await;
    assert_finding(&report, CheckName::HalfApplied, Severity::Skipped, &["does not show the SQL"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nulls_behind_a_booked_backfill_are_refused() {
    let world = World::new();
    let database = world.database("db").await;
    database.migrate(NEW);
    assert_eq!(database.run(NEW, "migrate sql down -e --yes --steps 4").code, Some(0));
    let side = side(&database).await;
    let case = Case::new(&world, &database).await;
    assert_finding(&case.run(&side).await, CheckName::NullRows, Severity::Ok, &[]);
    sql(&side, "INSERT INTO networks VALUES (gen_random_uuid(), now(), now())").await;
    let server = Served::start(&world, "old", MIDDLE, &database, |_| {}).listening().await;
    assert_eq!(server.create("late@example.test").await.0, 201);
    drop(server);
    let parts = [
        "identity_credential_identifiers.identity_id holds nulls",
        "20251105000000000003",
        "repair-migration",
    ];
    assert_finding(&case.run(&side).await, CheckName::NullRows, Severity::Refusal, &parts);
    // While the backfills are pending, nulls are theirs.
    assert_eq!(database.run(NEW, "migrate sql down -e --yes --steps 2").code, Some(0));
    let case = Case::new(&world, &database).await;
    assert_finding(&case.run(&side).await, CheckName::NullRows, Severity::Ok, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_fit_into_the_timeout_is_refused_unless_forced() {
    let world = World::new();
    let database = world.database("db").await;
    let side = side(&database).await;
    let mut case = Case::new(&world, &database).await;
    assert_finding(&case.run(&side).await, CheckName::Time, Severity::Skipped, &[]);
    case.estimate = Some(Duration::from_millis(300_400));
    let parts = ["about 301 s", "the timeout is 120 s", "timeout=602, or force=true"];
    assert_finding(&case.run(&side).await, CheckName::Time, Severity::Refusal, &parts);
    case.force = true;
    assert_finding(&case.run(&side).await, CheckName::Time, Severity::Warning, &["timeout=602"]);
}
