//! Sandboxes in a known state, and the questions that tests ask.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kratos_operator::pebble::{Client, ServiceStatus};
use kratos_operator::postgres::{Connection, Dsn};
use sandbox::juju::version_name;
use sandbox::programs::Programs;
use sandbox::{Options, Sandbox};
use serde_json::Value;

use crate::described::describe_schema;

/// The database relation of every test's model.
pub const DATABASE: (&str, &str) = ("kratos:pg-database", "postgresql-k8s:database");

/// Runs a test with a sandbox of its own, which is gone when it ends.
pub fn with_sandbox<F: Future<Output = ()>>(test: impl FnOnce(std::sync::Arc<Sandbox>) -> F) {
    with_sandbox_of(Options::default(), test);
}

/// As [`with_sandbox`], of another kind.
pub fn with_sandbox_of<F: Future<Output = ()>>(
    options: Options,
    test: impl FnOnce(std::sync::Arc<Sandbox>) -> F,
) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let sandbox = std::sync::Arc::new(runtime.block_on(async { Sandbox::start(options) }).unwrap());
    runtime.block_on(test(sandbox.clone()));
    let sandbox = std::sync::Arc::into_inner(sandbox).expect("the test keeps no sandbox");
    runtime.block_on(sandbox.stop());
}

/// Runs a command that has to succeed; both its outputs.
pub async fn juju(sandbox: &Sandbox, line: &str) -> String {
    let output = sandbox.juju(line).await;
    assert_eq!(output.code, 0, "juju {line}: {}{}", output.stdout, output.stderr);
    output.stdout + &output.stderr
}

/// Runs an action that has to fail; both outputs. The exit code of `juju run` does not tell.
pub async fn action_fails(sandbox: &Sandbox, line: &str) -> String {
    let output = sandbox.juju(line).await;
    let text = output.stdout + &output.stderr;
    assert!(text.contains(" failed: "), "juju {line}: {text}");
    text
}

/// Channels of the Kratos versions at hand, oldest first, without those that cannot be upgraded to the newest in
/// one of these tests.
pub fn channels() -> Vec<String> {
    let programs = Programs::find().unwrap();
    programs.kratos.iter().map(|kratos| format!("{}/stable", version_name(&kratos.version))).collect()
}

/// Whether the Kratos at hand is the double.
pub fn is_kratos_double() -> bool {
    Programs::find().unwrap().kratos.iter().all(|kratos| kratos.double)
}

/// The two newest channels; a test of an upgrade with one Kratos only has nothing to upgrade.
pub fn upgrade() -> (String, String) {
    let mut channels = channels();
    let (newest, older) = (channels.pop(), channels.pop());
    older.zip(newest).expect(
        "an upgrade needs two versions of Kratos: name a second one by KRATOS_BIN_OLD, or none at all",
    )
}

/// Deploys Kratos of a channel with PostgreSQL and integrates both.
pub async fn deploy(sandbox: &Sandbox, channel: &str, units: u32) {
    juju(sandbox, "deploy postgresql-k8s --channel 14/stable").await;
    juju(sandbox, &format!("deploy kratos --channel {channel} -n {units} --trust")).await;
    juju(sandbox, &format!("integrate {} {}", DATABASE.0, DATABASE.1)).await;
    for unit in 0..units {
        assert_eq!(status(sandbox, unit), "active ");
    }
}

/// The newest Kratos.
pub fn newest() -> String {
    channels().pop().unwrap()
}

/// `KIND MESSAGE` of a unit.
pub fn status(sandbox: &Sandbox, unit: u32) -> String {
    let status = sandbox.status(&format!("kratos/{unit}")).unwrap();
    format!("{} {}", status.status, status.message)
}

/// The client of a unit's Pebble.
pub fn pebble(sandbox: &Sandbox, unit: u32) -> Client {
    let container = sandbox.container(&format!("kratos/{unit}")).unwrap();
    let socket = container.lock().unwrap().socket();
    Client::new(socket)
}

/// What a unit's Pebble says to a question that the charm never asks.
pub async fn pebble_says(sandbox: &Sandbox, unit: u32, path: &str) -> Value {
    let client = reqwest::Client::builder().unix_socket(pebble(sandbox, unit).socket()).build().unwrap();
    let answer = client.get(format!("http://pebble/v1/{path}")).send().await.unwrap();
    answer.json::<Value>().await.unwrap()["result"].take()
}

/// Whether a service of a unit runs.
pub async fn is_active(sandbox: &Sandbox, unit: u32, service: &str) -> bool {
    let services = pebble(sandbox, unit).services_all().await.unwrap();
    services.iter().any(|info| info.name == service && info.current == ServiceStatus::Active)
}

/// The environment that a unit's Kratos was given.
pub async fn environment(sandbox: &Sandbox, unit: u32, name: &str) -> String {
    let plan = pebble(sandbox, unit).plan().await.unwrap();
    plan.services["kratos"].environment[name].clone()
}

/// A superuser's session in the database of Kratos.
pub async fn session(sandbox: &Sandbox) -> tokio_postgres::Client {
    let relation = sandbox.relation(DATABASE.0, DATABASE.1).unwrap();
    let database = sandbox.databag(relation, "postgresql-k8s")["database"].clone();
    let dsn = sandbox.postgres_dsn(&database).await.unwrap();
    let (client, connection) = tokio_postgres::connect(&dsn, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// The digest of the schema of Kratos' database.
pub async fn digest(sandbox: &Sandbox) -> String {
    let relation = sandbox.relation(DATABASE.0, DATABASE.1).unwrap();
    let database = sandbox.databag(relation, "postgresql-k8s")["database"].clone();
    let dsn = sandbox.postgres_dsn(&database).await.unwrap();
    let dsn = Dsn::parse(&dsn).unwrap();
    let limit = Duration::from_secs(5);
    describe_schema(&Connection::open(&dsn, "test", limit).await.unwrap()).await
}

/// Creates an identity through the admin API of a unit.
pub async fn register(sandbox: &Sandbox, unit: u32, email: &str) {
    let body = serde_json::json!({"schema_id": "social_user_v0", "traits": {"email": email}});
    let response = http().post(admin(sandbox, unit)).json(&body).send().await.unwrap();
    assert_eq!(response.status(), 201, "{}", response.text().await.unwrap());
}

/// The e-mail addresses that a unit lists, sorted.
pub async fn people(sandbox: &Sandbox, unit: u32) -> Vec<String> {
    let response = http().get(admin(sandbox, unit)).send().await.unwrap();
    let identities: Vec<serde_json::Value> = response.json().await.unwrap();
    let email = |identity: &serde_json::Value| identity["traits"]["email"].as_str().unwrap().to_owned();
    let mut emails: Vec<_> = identities.iter().map(email).collect();
    emails.sort();
    emails
}

pub fn admin(sandbox: &Sandbox, unit: u32) -> String {
    format!("http://{}:4434/admin/identities", sandbox.address(&format!("kratos/{unit}")).unwrap())
}

pub fn http() -> reqwest::Client {
    reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap()
}

/// Asks until it holds, for at most two minutes.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(120);
    while !holds().await {
        assert!(std::time::Instant::now() < deadline, "{what}: this did not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Integrates with an application that is only a name; the number of the relation.
pub async fn relate(sandbox: &Sandbox, app: &str, endpoint: &str, interface: &str) -> u32 {
    sandbox.add_stub_application(app, "other", interface).unwrap();
    juju(sandbox, &format!("integrate kratos:{endpoint} {app}:other")).await;
    sandbox.relation(&format!("kratos:{endpoint}"), app).unwrap()
}

/// Gives Kratos a mail server, without which no courier runs.
pub async fn give_mail(sandbox: &Sandbox) {
    let id = relate(sandbox, "post", "smtp", "smtp").await;
    let server =
        [("host", "mail.example.com"), ("port", "25"), ("auth_type", "none"), ("transport_security", "none")];
    sandbox.set_databag(id, "post", &server).await.unwrap();
}

/// How many identities a test of many works on, unless `KRATOS_OPERATOR_IDENTITIES` says otherwise.
pub fn identities(otherwise: usize) -> usize {
    std::env::var("KRATOS_OPERATOR_IDENTITIES").ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// A watch on the memory of the charm's processes.
pub struct Memory {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<u64>,
}

impl Memory {
    /// Begins to watch every dispatch of this machine.
    pub fn watch() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let is_over = stop.clone();
        Self { stop, thread: std::thread::spawn(move || largest_dispatch(&is_over)) }
    }

    /// However many identities there are, a dispatch holds few of them at once.
    pub fn assert_small(self, identities: usize) {
        self.stop.store(true, Ordering::Relaxed);
        let peak = self.thread.join().unwrap();
        println!("{identities} identities: the largest dispatch had {peak} KiB");
        assert!(peak > 0 && peak < 64 * 1024, "{peak} KiB");
    }
}

/// The largest memory of any dispatch, in KiB, sampled until told to stop.
fn largest_dispatch(stop: &AtomicBool) -> u64 {
    let mut largest = 0;
    while !stop.load(Ordering::Relaxed) {
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let name = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            if name.trim() == "dispatch" {
                let status = std::fs::read_to_string(entry.path().join("status")).unwrap_or_default();
                let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
                let peak = peak.and_then(|text| text.split_whitespace().next()?.parse().ok());
                largest = largest.max(peak.unwrap_or(0));
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    largest
}
