//! What every test needs: a cluster, databases, the program run to its end or in the background, and requests.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sandbox::postgres::{Cluster, Options};
use sandbox::programs;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// The releases that the double plays.
pub const OLD: &str = "v1.3.1";
pub const MIDDLE: &str = "v25.4.0";
pub const NEW: &str = "v26.2.0";

/// A change to a configuration.
pub type Change<'a> = &'a dyn Fn(&mut Value);

/// A loopback address that no other test uses.
pub fn address() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let pid = std::process::id();
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("127.{}.{}.{}", 128 + next, pid / 250 % 250, 1 + pid % 250)
}

/// A cluster with a directory for files.
pub struct World {
    pub dir: TempDir,
    pub cluster: Cluster,
}

impl World {
    pub fn new() -> Self {
        Self::with(Options::default())
    }

    pub fn with(options: Options) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cluster = Cluster::start_with(&dir.path().join("pg"), &address(), options).unwrap();
        World { dir, cluster }
    }

    /// The superuser in a database.
    pub async fn operator(&self, database: &str) -> Client {
        connect(&self.cluster.superuser_dsn(database)).await
    }

    /// A database `name` that the role `kratos` owns.
    pub async fn database(&self, name: &str) -> Database {
        let operator = self.operator("postgres").await;
        let role = "DO $$ BEGIN CREATE ROLE kratos LOGIN PASSWORD 's3cret'; EXCEPTION WHEN duplicate_object THEN NULL; END $$";
        operator.batch_execute(role).await.unwrap();
        operator.batch_execute(&format!("CREATE DATABASE {name} OWNER kratos")).await.unwrap();
        self.known(name)
    }

    /// A database as the role `kratos` reaches it.
    pub fn known(&self, name: &str) -> Database {
        let place = format!("{}:{}", self.cluster.host(), self.cluster.port());
        Database { dsn: format!("postgres://kratos:s3cret@{place}/{name}?sslmode=disable") }
    }

    /// A file of this world.
    pub fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

/// A database and the way to it.
#[derive(Clone)]
pub struct Database {
    pub dsn: String,
}

impl Database {
    /// The program with this database, to be started by the caller.
    pub fn command(&self, release: &str, args: &str) -> Command {
        command(&double(), release, &self.dsn, args)
    }

    /// Runs the program to its end.
    pub fn run(&self, release: &str, args: &str) -> Run {
        Run::of(self.command(release, args))
    }

    /// Brings the database to a release.
    pub fn migrate(&self, release: &str) {
        let run = self.run(release, "migrate sql -e --yes");
        assert_eq!(run.code, Some(0), "{}", run.err);
    }

    pub async fn client(&self) -> Client {
        connect(&self.dsn).await
    }

    /// The number of booked migrations.
    pub async fn booked(&self) -> i64 {
        self.client()
            .await
            .query_one("SELECT count(DISTINCT version) FROM schema_migration", &[])
            .await
            .unwrap()
            .get(0)
    }

    /// The versions that the newest release finds pending.
    pub fn pending(&self) -> Vec<String> {
        let mut command = self.command(NEW, "migrate sql status -e --format");
        command.arg(r#"jsonpath=#(state=="Pending")#.version"#);
        let run = Run::of(command);
        assert_eq!(run.code, Some(0), "{}", run.err);
        serde_json::from_str(&run.out).unwrap()
    }
}

/// A program with its arguments, one database and no other environment.
pub fn command(program: &Path, release: &str, dsn: &str, args: &str) -> Command {
    let mut command = Command::new(program);
    command
        .args(args.split_whitespace())
        .env_clear()
        .env("KRATOS_DOUBLE_VERSION", release)
        .stdin(Stdio::null());
    if !dsn.is_empty() {
        command.env("DSN", dsn);
    }
    command
}

/// The double, whose program may belong to another package than the test.
pub fn double() -> PathBuf {
    programs::program("kratos-double").unwrap()
}

/// The double, and the real program that `KRATOS_BIN` names, if any: both must behave alike.
pub fn programs() -> Vec<PathBuf> {
    std::iter::once(double()).chain(std::env::var_os("KRATOS_BIN").map(PathBuf::from)).collect()
}

pub async fn connect(dsn: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(dsn, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A program that ended.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Run {
    pub fn of(mut command: Command) -> Self {
        let output = command.output().unwrap();
        Run {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A program that runs in the background; its outputs go to files, and it ends with the test.
pub struct Background {
    child: Child,
    pub log: PathBuf,
}

impl Background {
    pub fn start(world: &World, name: &str, mut command: Command) -> Self {
        let log = world.dir.path().join(format!("{name}.log"));
        let file = fs::File::create(&log).unwrap();
        let child = command.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        Background { child, log }
    }

    pub fn output(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for the end: exit code, or the signal as a negative number.
    pub async fn end(&mut self) -> i32 {
        let status = eventually("the end of the program", async || self.child.try_wait().unwrap()).await;
        status.code().unwrap_or_else(|| -status.signal().unwrap_or_default())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks until there is an answer, for at most two minutes.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until a session of the role `kratos` waits for a lock with a statement that starts so.
pub async fn blocked(operator: &Client, statement: &str) -> i32 {
    let sql = "SELECT pid FROM pg_stat_activity WHERE usename = 'kratos' AND wait_event_type = 'Lock' AND query LIKE $1";
    let pattern = format!("%{statement}%");
    eventually(statement, async || {
        operator.query_opt(sql, &[&pattern]).await.unwrap().map(|row| row.get::<_, i32>(0))
    })
    .await
}

/// Waits until a migration is booked.
pub async fn booked(client: &Client, version: &str) {
    let sql = "SELECT 1 FROM schema_migration WHERE version = $1";
    eventually(version, async || client.query_opt(sql, &[&version]).await.ok().flatten()).await;
}

/// A running server with its own address.
pub struct Served {
    pub process: Background,
    pub admin: String,
    pub public: String,
    pub config: PathBuf,
    http: reqwest::Client,
}

impl Served {
    /// Starts a release on a database; does not wait.
    pub fn start(
        world: &World,
        name: &str,
        release: &str,
        database: &Database,
        change: impl Fn(&mut Value),
    ) -> Self {
        let address = address();
        let config = world.file(&format!("{name}.json"), &config(world, &address, change).to_string());
        let command = database.command(release, &format!("serve all -c {}", config.display()));
        Served {
            process: Background::start(world, name, command),
            admin: format!("http://{address}:4434"),
            public: format!("http://{address}:4433"),
            config,
            http: reqwest::Client::builder()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .unwrap(),
        }
    }

    /// Waits until the admin port answers.
    pub async fn listening(self) -> Self {
        eventually("listening", async || self.get("/admin/health/alive").await.ok()).await;
        self
    }

    pub async fn get(&self, path: &str) -> Result<(u16, Value), reqwest::Error> {
        self.send("GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send("POST", path, Some(body.to_string())).await.unwrap()
    }

    /// A request to the admin port, or to the public one if the path is not below `/admin`.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<String>,
    ) -> Result<(u16, Value), reqwest::Error> {
        let base = if path.starts_with("/admin") { &self.admin } else { &self.public };
        let request = self.http.request(method.parse().unwrap(), format!("{base}{path}"));
        let response = request.body(body.unwrap_or_default()).send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// Creates an identity with a password.
    pub async fn create(&self, email: &str) -> (u16, Value) {
        let password = json!({ "password": { "config": { "password": "Sup3rSecret" } } });
        self.post("/admin/identities", json!({ "traits": { "email": email }, "credentials": password })).await
    }

    /// Signs in; the answer holds the token.
    pub async fn login(&self, email: &str) -> (u16, Value) {
        let flow = self.get("/self-service/login/api").await.unwrap().1["id"].as_str().unwrap().to_owned();
        let body = json!({ "method": "password", "identifier": email, "password": "Sup3rSecret" });
        self.post(&format!("/self-service/login?flow={flow}"), body).await
    }

    pub fn is_listening(&self) -> bool {
        let address: SocketAddr = self.admin.trim_start_matches("http://").parse().unwrap();
        std::net::TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
    }
}

/// A configuration that every release takes, with a change.
pub fn config(world: &World, address: &str, change: impl Fn(&mut Value)) -> Value {
    let schema = world.file("identity.schema.json", &schema().to_string());
    let mut config = json!({
        "identity": { "default_schema_id": "default", "schemas": [{ "id": "default", "url": format!("file://{}", schema.display()) }] },
        "selfservice": {
            "default_browser_return_url": "http://127.0.0.1:4455/",
            "flows": { "recovery": { "enabled": true, "ui_url": "http://127.0.0.1:4455/recovery" } },
            "methods": { "link": { "enabled": true }, "code": { "enabled": true } },
        },
        "serve": {
            "public": { "host": address, "base_url": format!("http://{address}:4433/") },
            "admin": { "host": address, "base_url": format!("http://{address}:4434/") },
        },
        "log": { "format": "json" },
    });
    change(&mut config);
    config
}

/// An identity schema with an email address that does everything.
pub fn schema() -> Value {
    let email = json!({
        "type": "string",
        "format": "email",
        "ory.sh/kratos": {
            "credentials": { "password": { "identifier": true }, "code": { "identifier": true, "via": "email" } },
            "verification": { "via": "email" },
            "recovery": { "via": "email" },
        },
    });
    json!({ "properties": { "traits": {
        "type": "object",
        "properties": { "email": email, "name": { "type": "string" } },
        "required": ["email"],
        "additionalProperties": false,
    } } })
}
