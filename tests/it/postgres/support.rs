//! The cluster that the tests share, and small helpers.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use kratos_operator::postgres::{Connection, Dsn, DsnParts, Error, HostPort, Tls};
use sandbox::postgres::{Cluster, Options};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// Long enough for a busy machine; no test that passes waits as long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A server and its directory, which go when the last test lets go of them.
pub struct Server {
    pub cluster: Cluster,
    _dir: TempDir,
}

impl Server {
    pub fn start(options: Options) -> Self {
        let dir = tempfile::Builder::new().prefix("pg").tempdir().unwrap();
        let cluster = Cluster::start_with(dir.path(), "127.0.0.1", options).unwrap();
        Self { cluster, _dir: dir }
    }

    /// The superuser's DSN for `database`.
    pub fn admin(&self, database: &str) -> Dsn {
        Dsn::parse(&self.cluster.superuser_dsn(database)).unwrap()
    }

    pub fn endpoint(&self) -> HostPort {
        HostPort { host: self.cluster.host(), port: self.cluster.port() }
    }

    /// Makes a database with an owner of the same name and returns the owner's DSN.
    pub async fn database(&self) -> Dsn {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("db{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let admin = open(&self.admin("postgres")).await;
        sql(&admin, &format!("CREATE ROLE {name} LOGIN PASSWORD 'pass of {name}'")).await;
        sql(&admin, &format!("CREATE DATABASE {name} OWNER {name}")).await;
        self.dsn(&name, &format!("pass of {name}"), &name)
    }

    pub fn dsn(&self, username: &str, password: &str, database: &str) -> Dsn {
        dsn(username, password, database, vec![self.endpoint()], Tls::Prefer)
    }
}

/// The cluster that all running tests share.
pub fn shared() -> Arc<Server> {
    static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let server = Arc::new(Server::start(Options::default()));
        *shared = Arc::downgrade(&server);
        server
    })
}

pub fn dsn(username: &str, password: &str, database: &str, endpoints: Vec<HostPort>, tls: Tls) -> Dsn {
    let (username, password, database) = (username.to_owned(), password.to_owned(), database.to_owned());
    Dsn::new(DsnParts { username, password, endpoints, database, tls }).unwrap()
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(4 * PATIENCE, future).await.expect("the test hangs") })
}

pub async fn open(dsn: &Dsn) -> Connection {
    open_as(dsn, "test").await
}

pub async fn open_as(dsn: &Dsn, name: &str) -> Connection {
    Connection::open(dsn, name, PATIENCE).await.unwrap()
}

/// The error of a DSN that must not open.
pub async fn refused(dsn: &Dsn, limit: Duration) -> Error {
    match Connection::open(dsn, "test", limit).await {
        Ok(connection) => panic!("{dsn} opened at {}", connection.host()),
        Err(error) => error,
    }
}

pub async fn sql(connection: &Connection, statement: &str) {
    try_sql(connection, statement).await.unwrap();
}

pub async fn try_sql(connection: &Connection, statement: &str) -> Result<(), Error> {
    connection.client().batch_execute(statement).await.map_err(|error| connection.explain(&error))
}

pub async fn show(connection: &Connection, setting: &str) -> String {
    let sql = "SELECT current_setting($1)";
    connection.client().query_one(sql, &[&setting]).await.unwrap().get(0)
}

/// Asks until `probe` answers with something.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut probe: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(Instant::now() < deadline, "never happened: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}
