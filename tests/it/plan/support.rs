//! A server, Kratos in each release (the real one if it is named, or the double), and databases in the state of an older release.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use kratos_operator::kratos::WorkloadVersion;
use kratos_operator::kratos::program::command::Kratos;
use kratos_operator::migration::plan::{LockMode, MigrationPlan, plan};
use kratos_operator::postgres::{Connection, Dsn, DsnParts, HostPort, Tls};
use sandbox::postgres::Cluster;
use sandbox::programs::{self, Programs};
use tempfile::TempDir;

/// Long enough for a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);
const RELEASES: [&str; 3] = ["v1.3.1", "v25.4.0", "v26.2.0"];

/// The cluster that all running tests share, and the programs.
pub struct Server {
    cluster: Cluster,
    dir: TempDir,
}

pub fn shared() -> Arc<Server> {
    static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let dir = tempfile::Builder::new().prefix("plan").tempdir().unwrap();
        let double = programs::program("kratos-double").unwrap();
        let programs = Programs::find().unwrap();
        for release in RELEASES {
            let run = match programs.real(release) {
                Some(real) => format!("exec '{}' \"$@\"", real.display()),
                None => format!("KRATOS_DOUBLE_VERSION={release} exec '{}' \"$@\"", double.display()),
            };
            program(&dir.path().join(release), &run);
        }
        // Fails in the middle of a replay.
        let up = dir.path().join("v26.2.0");
        let script = format!(
            "case \"$*\" in *down*) echo 'no way back' >&2; exit 1;; esac; exec '{}' \"$@\"",
            up.display()
        );
        program(&dir.path().join("without-down"), &script);
        let cluster = Cluster::start(&dir.path().join("pg"), "127.0.0.1").unwrap();
        let server = Arc::new(Server { cluster, dir });
        *shared = Arc::downgrade(&server);
        server
    })
}

fn program(path: &std::path::Path, script: &str) {
    programs::write(path, &format!("#!/bin/sh\n{script}\n")).unwrap();
}

/// A database with its own role.
pub struct Database {
    pub dsn: Dsn,
    pub name: String,
}

impl Server {
    pub fn kratos(&self, program: &str) -> Kratos {
        Kratos::Local(PathBuf::from(self.dir.path()).join(program))
    }

    pub async fn superuser(&self, database: &str) -> Connection {
        open(&Dsn::parse(&self.cluster.superuser_dsn(database)).unwrap()).await
    }

    /// A new database, a copy of `template` if one is given, whose role may create databases.
    pub async fn database(&self, template: Option<&Database>) -> Database {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let admin = self.superuser("postgres").await;
        let name = format!("plan{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let role = template.map_or(name.as_str(), |template| template.dsn.username());
        if template.is_none() {
            sql(&admin, &format!("CREATE ROLE {role} LOGIN CREATEDB PASSWORD 'pass of {role}'")).await;
        }
        let copied = template.map_or(String::new(), |template| format!("TEMPLATE {}", template.name));
        sql(&admin, &format!("CREATE DATABASE {name} OWNER {role} {copied}")).await;
        Database { dsn: self.dsn(role, &name), name }
    }

    pub fn dsn(&self, role: &str, database: &str) -> Dsn {
        Dsn::new(DsnParts {
            username: role.to_owned(),
            password: format!("pass of {role}"),
            endpoints: vec![HostPort { host: self.cluster.host(), port: self.cluster.port() }],
            database: database.to_owned(),
            tls: Tls::Disable,
        })
        .unwrap()
    }

    /// The same role and database behind another port.
    pub fn dsn_at(&self, port: u16, database: &Database) -> Dsn {
        let role = database.dsn.username();
        Dsn::new(DsnParts {
            username: role.to_owned(),
            password: format!("pass of {role}"),
            endpoints: vec![HostPort { host: self.cluster.host(), port }],
            database: database.name.clone(),
            tls: Tls::Disable,
        })
        .unwrap()
    }

    /// A database as Kratos v1.3.1 leaves it with so many identities.
    pub async fn served(&self, identities: u32) -> Database {
        let database = self.database(None).await;
        self.migrate("v1.3.1", &database.dsn).await;
        let admin = self.superuser(&database.name).await;
        sql(&admin, &include_str!("seed.sql").replace("COUNT", &identities.to_string())).await;
        database
    }

    pub async fn migrate(&self, release: &str, dsn: &Dsn) {
        self.kratos(release).up(&version(release), dsn, 2 * PATIENCE).await.unwrap();
    }

    pub async fn plan(&self, release: &str, dsn: &Dsn) -> MigrationPlan {
        plan(&self.kratos(release), &version(release), dsn, None).await.unwrap()
    }

    /// The scratch databases that belong to the role of `dsn`.
    pub async fn scratch_databases(&self, dsn: &Dsn) -> Vec<String> {
        let text = "SELECT datname::text FROM pg_database
                    WHERE datname LIKE 'kratos\\_plan\\_%' AND pg_get_userbyid(datdba) = $1 ORDER BY 1";
        let rows = self.superuser("postgres").await.client().query(text, &[&dsn.username()]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }
}

pub fn version(release: &str) -> WorkloadVersion {
    WorkloadVersion::parse(release).unwrap()
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(10 * PATIENCE, future).await.expect("the test hangs") })
}

pub async fn open(dsn: &Dsn) -> Connection {
    let connection = Connection::open(dsn, "test", PATIENCE).await.unwrap();
    // Tables are filled with many rows.
    connection.limit_statements(10 * PATIENCE).await.unwrap();
    connection
}

pub async fn sql(connection: &Connection, statement: &str) {
    let done = connection.client().batch_execute(statement).await;
    done.map_err(|error| connection.explain(&error)).unwrap();
}

/// The locks of a session on tables that `old` names, the strongest of each.
pub type Locks = BTreeMap<String, LockMode>;

/// The locks of a plan by version.
pub fn locks_of(plan: &MigrationPlan) -> BTreeMap<String, Locks> {
    let locks = |step: &kratos_operator::migration::plan::Step| {
        step.tables.iter().map(|touched| (touched.table.clone(), touched.lock)).collect()
    };
    plan.migrations.iter().map(|step| (step.version.clone(), locks(step))).collect()
}
