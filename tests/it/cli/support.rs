//! A server, databases in the state of a release, and the binary run to its end or in the background.

use std::fs;
use std::future::Future;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use kratos_operator::postgres::{Connection, Dsn};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sandbox::postgres::Cluster;
use sandbox::programs::{self, Programs};
use serde_json::Value;
use tempfile::TempDir;

use crate::described::describe_schema;

/// Long enough for a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const OLD: &str = "v1.3.1";
pub const MIDDLE: &str = "v25.4.0";
pub const NEW: &str = "v26.2.0";
/// One of the last migrations of the newest release, in a transaction.
pub const LATE: &str = "20251215000000000000";
/// What no output may show.
pub const PASSWORD: &str = "s3cr3t-of";
const SLOW: &str = "KRATOS_DOUBLE_SLOW";

/// The cluster that all running tests share, and the programs.
pub struct Server {
    cluster: Cluster,
    charm: PathBuf,
    dir: TempDir,
}

pub fn shared() -> Arc<Server> {
    static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let dir = tempfile::Builder::new().prefix("cli").tempdir().unwrap();
        let double = programs::program("kratos-double").unwrap();
        let double = double.display();
        for release in [OLD, MIDDLE, NEW] {
            let script = format!("#!/bin/sh\nKRATOS_DOUBLE_VERSION={release} exec '{double}' \"$@\"\n");
            programs::write(&dir.path().join(release), &script).unwrap();
        }
        let cluster = Cluster::start(&dir.path().join("pg"), "127.0.0.1").unwrap();
        let server = Arc::new(Server { cluster, charm: Programs::find().unwrap().charm, dir });
        *shared = Arc::downgrade(&server);
        server
    })
}

/// A database that a role of the same name owns; the role may not create databases, so that no plan is measured.
pub struct Database {
    pub server: Arc<Server>,
    pub name: String,
    pub dsn: String,
}

impl Server {
    pub fn kratos(&self, release: &str) -> PathBuf {
        self.dir.path().join(release)
    }

    /// The address of the server, `host:port`.
    pub fn place(&self) -> String {
        format!("{}:{}", self.cluster.host(), self.cluster.port())
    }

    /// A standby that follows the server.
    pub fn standby(&self) -> Cluster {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("standby{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.cluster.standby(&self.dir.path().join(name)).unwrap()
    }

    pub async fn superuser(&self, database: &str) -> Connection {
        let dsn = Dsn::parse(&self.cluster.superuser_dsn(database)).unwrap();
        Connection::open(&dsn, "test", PATIENCE).await.unwrap()
    }

    /// The DSN of a role that [`Database::fresh`] or a test made.
    pub fn dsn(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}:{PASSWORD}-{role}@{}/{database}?sslmode=disable", self.place())
    }

    /// The binary, with no environment but the `PATH`.
    pub fn operator(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.charm);
        command.args(arguments).env_clear().stdin(Stdio::null());
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command
    }
}

impl Database {
    pub async fn fresh() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = shared();
        let name = format!("cli{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let admin = server.superuser("postgres").await;
        sql(&admin, &format!("CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}-{name}'")).await;
        sql(&admin, &format!("CREATE DATABASE {name} OWNER {name}")).await;
        let dsn = server.dsn(&name, &name);
        Self { server, name, dsn }
    }

    /// A database from which a Kratos of this release served: its run is careful.
    pub async fn served(release: &str) -> Self {
        let database = Self::fresh().await;
        database.kratos(release, &["migrate", "sql", "-e", "--yes"]);
        let network = "INSERT INTO networks VALUES (gen_random_uuid(), now(), now())";
        sql(&database.superuser().await, network).await;
        database
    }

    /// Runs Kratos itself.
    pub fn kratos(&self, release: &str, arguments: &[&str]) {
        let mut command = Command::new(self.server.kratos(release));
        let output = command.args(arguments).env("DSN", &self.dsn).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    pub async fn superuser(&self) -> Connection {
        self.server.superuser(&self.name).await
    }

    pub async fn digest(&self) -> String {
        describe_schema(&self.superuser().await).await
    }

    /// The binary with this database and the newest Kratos; `words` begin with the verb.
    pub fn operator(&self, words: &str) -> Command {
        self.operator_as(&self.dsn, words)
    }

    /// The same with another DSN.
    pub fn operator_as(&self, dsn: &str, words: &str) -> Command {
        let mut command = self.server.operator(&["migrate"]);
        command.args(words.split_whitespace()).env("DSN", dsn);
        command.arg("--kratos-bin").arg(self.server.kratos(NEW));
        command
    }

    pub fn run(&self, words: &str) -> Run {
        Run::of(self.operator(words))
    }

    /// The same with a migration that takes some seconds longer.
    pub fn slow(&self, version: &str, seconds: u32, words: &str) -> Command {
        let mut command = self.operator(words);
        command.env(SLOW, format!("{version}={seconds}"));
        command
    }

    /// How many sessions of migration processes there are.
    pub async fn migrating(&self) -> i64 {
        let text = "SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name LIKE 'kratos-migrate %'";
        self.superuser().await.client().query_one(text, &[]).await.unwrap().get(0)
    }

    /// The binary with the newest Kratos, run to its end, which has to be well; and how often it asked Kratos for its
    /// migrations.
    pub fn count_listings(&self, words: &str) -> (Run, usize) {
        let dir = tempfile::Builder::new().prefix("calls").tempdir().unwrap();
        let (calls, program) = (dir.path().join("calls"), dir.path().join("kratos"));
        let kratos = self.server.kratos(NEW);
        let script = format!("#!/bin/sh\necho \"$*\" >>{}\nexec {} \"$@\"\n", shown(&calls), shown(&kratos));
        programs::write(&program, &script).unwrap();
        let mut command = self.server.operator(&["migrate"]);
        command.args(words.split_whitespace()).env("DSN", &self.dsn).arg("--kratos-bin").arg(program);
        let run = Run::of(command);
        assert_eq!(run.code, Some(0), "{run:?}");
        let calls = fs::read_to_string(calls).unwrap();
        (run, calls.lines().filter(|call| call.starts_with("migrate sql status")).count())
    }

    /// Waits until a migration sleeps.
    pub async fn until_slow(&self) {
        let text = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()
                    AND application_name LIKE 'kratos-migrate %' AND wait_event = 'PgSleep'";
        let admin = self.superuser().await;
        eventually("a migration is slow", async || {
            admin.client().query_opt(text, &[]).await.unwrap().is_some()
        })
        .await;
    }

    /// Neither fence, lock nor session is left of a run.
    pub async fn check_nothing_left(&self) {
        assert_eq!(self.migrating().await, 0);
        let status = self.run("status --json").json();
        assert_eq!((&status["fence"], &status["lock-holder"]), (&Value::Null, &Value::Null));
    }
}

/// What an undisturbed run ends in.
pub async fn undisturbed() -> String {
    let database = Database::fresh().await;
    database.kratos(NEW, &["migrate", "sql", "up", "-e", "--yes"]);
    database.digest().await
}

/// A run of the binary that has ended.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
    pub took: Duration,
}

impl Run {
    pub fn of(mut command: Command) -> Self {
        let begun = Instant::now();
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let run = Self {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
            took: begun.elapsed(),
        };
        assert!(!format!("{run:?}").contains(PASSWORD), "{run:?}");
        run
    }

    /// The last line of the answer.
    pub fn json(&self) -> Value {
        let line = self.out.lines().last().unwrap_or_else(|| panic!("no answer: {self:?}"));
        serde_json::from_str(line).unwrap()
    }

    pub fn events(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// A run of the binary that goes on; with `--json`, its events can be waited for.
pub struct Background {
    child: Child,
    events: BufReader<ChildStdout>,
}

impl Background {
    /// Starts it in a process group of its own, as a shell does.
    pub fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        let mut child = command.spawn().unwrap();
        let events = BufReader::new(child.stdout.take().unwrap());
        Self { child, events }
    }

    pub fn pid(&self) -> i32 {
        self.child.id().try_into().unwrap()
    }

    /// The processes that it started; there is at least one.
    pub fn children(&self) -> Vec<Pid> {
        let pid = self.pid();
        let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        let children: Vec<_> =
            text.split_whitespace().map(|pid| Pid::from_raw(pid.parse().unwrap())).collect();
        assert!(!children.is_empty());
        children
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// As a terminal does at Ctrl-C.
    pub fn signal_group(&self, signal: Signal) {
        kill(Pid::from_raw(-self.pid()), signal).unwrap();
    }

    /// Reads events until one whose text begins so.
    pub fn until(&mut self, text: &str) {
        while let Some(event) = self.event() {
            if event["text"].as_str().is_some_and(|found| found.starts_with(text)) {
                return;
            }
        }
        panic!("ended without {text:?}");
    }

    fn event(&mut self) -> Option<Value> {
        let mut line = String::new();
        let length = self.events.read_line(&mut line).unwrap();
        (length > 0).then(|| serde_json::from_str(&line).unwrap())
    }

    /// Waits for the end; the exit code and the last event.
    pub fn end(mut self) -> (Option<i32>, Value) {
        let mut last = Value::Null;
        while let Some(event) = self.event() {
            last = event;
        }
        (self.child.wait().unwrap().code(), last)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(5 * PATIENCE, future).await.expect("the test hangs") })
}

pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < end, "not so: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub async fn sql(connection: &Connection, statement: &str) {
    let done = connection.client().batch_execute(statement).await;
    done.map_err(|error| connection.explain(&error)).unwrap();
}

pub fn shown(path: &Path) -> String {
    path.display().to_string()
}
