//! A dispatch in which nothing changed, on a leader with every endpoint related: what it works out, and how often.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context as LayerContext, Layer, SubscriberExt};

use crate::charm::apply::Applied;
use crate::charm::desired::{DesiredService, Running, desired};
use crate::charm::observe::{Seen, Sources, observe};
use crate::charm::observed::{Container, Observed, Version, Workload};
use crate::charm::situation::{Parsed, Situation};
use crate::charm::status::status;
use crate::charm::tests::migrated;
use crate::dispatch::dispatch;
use crate::integrations::ENDPOINTS;
use crate::juju::transport::Call;
use crate::juju::{Agent, Bag, CommandOutput, Context, Databag, Environment, Status, Transport};
use crate::kratos::names::{KRATOS, STAMP_PATH};
use crate::kratos::{Place, WorkloadVersion};
use crate::pebble::Client;

/// Data of the other applications; all other databags of theirs are empty.
const REMOTE: [(&str, &str, &str); 6] = [
    ("pg-database", "username", "u"),
    ("pg-database", "password", "sesame"),
    ("pg-database", "endpoints", "db:5432"),
    ("public-route", "external_host", "id.example.com"),
    ("public-route", "scheme", "https"),
    ("ui-endpoint-info", "login_url", "/ui/login"),
];

/// An agent with one relation on each endpoint.
#[derive(Default)]
struct Model {
    /// Our own databags: by relation, and `app` or `unit`.
    own: Mutex<BTreeMap<(String, &'static str), Databag>>,
    status: Mutex<Value>,
    calls: Mutex<Vec<String>>,
}

impl Model {
    fn answer(&self, command: &str, args: &[&str]) -> Value {
        let endpoint = |id: &str| id.split(':').next().unwrap_or_default().to_owned();
        match (command, args) {
            ("is-leader", _) => json!(true),
            ("relation-ids", [_, endpoint]) => json!([format!("{endpoint}:1")]),
            ("relation-list", [_, "-r", _, "--app"]) => json!("other"),
            ("relation-list", [_, "-r", "kratos-peers:1"]) => json!([]),
            ("relation-list", _) => json!(["other/0"]),
            ("relation-get", [_, "-r", id, "--app", "-", "kratos"]) => self.own(id, "app"),
            ("relation-get", [_, "-r", id, "-", "kratos/0"]) => self.own(id, "unit"),
            ("relation-get", [_, "-r", id, "--app", ..]) => {
                let of_endpoint = REMOTE.iter().filter(|(name, ..)| *name == endpoint(id));
                of_endpoint.map(|(_, key, value)| ((*key).to_owned(), json!(value))).collect()
            }
            ("secret-get", [_, "--label", "cookie_secret", ..]) => json!({"cookiesecret": "x"}),
            ("secret-get", _) => json!({"default": "y", "cipher": "0123456789abcdef0123456789abcdef"}),
            ("opened-ports", _) => json!(["4433/tcp", "4434/tcp"]),
            ("status-get", _) => self.status.lock().unwrap().clone(),
            _ => json!({}),
        }
    }

    fn own(&self, id: &str, bag: &'static str) -> Value {
        json!(self.own.lock().unwrap().get(&(id.to_owned(), bag)).cloned().unwrap_or_default())
    }
}

impl Transport for Model {
    fn call<'a>(&'a self, command: &'a str, args: &'a [&'a str], _: Option<&'a [u8]>) -> Call<'a> {
        self.calls.lock().unwrap().push([&[command], args].concat().join(" "));
        let stdout = self.answer(command, args).to_string().into_bytes();
        Box::pin(std::future::ready(Ok(CommandOutput { stdout, ..CommandOutput::default() })))
    }
}

/// A Pebble that runs exactly what it was made of, and notes its requests.
struct FakePebble {
    socket: std::path::PathBuf,
    requests: Arc<Mutex<Vec<String>>>,
    _server: JoinSet<()>,
    _dir: TempDir,
}

impl FakePebble {
    fn start(running: Option<Running>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("pebble.socket");
        let listener = UnixListener::bind(&socket).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let mut server = JoinSet::new();
        let seen = requests.clone();
        server.spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let line = request_line(&mut stream).await;
                let (kind, body) = pebble_answer(&line, running.as_ref());
                seen.lock().unwrap().push(line);
                let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n");
                stream.write_all((head + &body).as_bytes()).await.unwrap();
            }
        });
        Self { socket, requests, _server: server, _dir: dir }
    }
}

async fn request_line(stream: &mut UnixStream) -> String {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        assert!(stream.read_buf(&mut request).await.unwrap() > 0, "a request without an end");
    }
    String::from_utf8(request).unwrap().lines().next().unwrap().to_owned()
}

fn pebble_answer(line: &str, running: Option<&Running>) -> (&'static str, String) {
    let sync = |result: Value| json!({"type": "sync", "status-code": 200, "status": "OK", "result": result});
    let path = line.split(' ').nth(1).unwrap();
    let result = match path.split('?').next().unwrap() {
        "/v1/files" => return files(path, running, sync),
        "/v1/plan" => json!(running.map_or("{}".to_owned(), |it| serde_yaml::to_string(&it.layer).unwrap())),
        "/v1/services" => {
            let service = |name: &String| {
                // There is no mail server, so no courier.
                let current = if name == KRATOS { "active" } else { "inactive" };
                json!({"name": name, "startup": "disabled", "current": current})
            };
            running.map_or(json!([]), |it| it.layer.services.keys().map(service).collect())
        }
        _ => json!([]),
    };
    ("application/json", sync(result).to_string())
}

fn files(path: &str, running: Option<&Running>, sync: impl Fn(Value) -> Value) -> (&'static str, String) {
    let (mut body, mut results) = (String::new(), Vec::new());
    let stamp = running.map(|running| running.stamp.to_text());
    for named in path.split('&').filter_map(|pair| pair.strip_prefix("path=")) {
        let file = named.replace("%2F", "/");
        let content = match (running, file.as_str()) {
            (Some(_), STAMP_PATH) => stamp.clone(),
            (Some(running), file) => running.files.get(file).cloned().flatten(),
            (None, _) => None,
        };
        match content {
            Some(content) => {
                body += &format!(
                    "--end\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{file}\"\r\n\r\n{content}\r\n"
                );
                results.push(json!({"path": file}));
            }
            None => results.push(json!({"path": file, "error": {"kind": "not-found", "message": "gone"}})),
        }
    }
    let response = sync(json!(results));
    body += &format!(
        "--end\r\nContent-Disposition: form-data; name=\"response\"\r\n\r\n{response}\r\n--end--\r\n"
    );
    ("multipart/form-data; boundary=end", body)
}

/// Counts the trace events by their message.
#[derive(Clone, Default)]
struct Counts(Arc<Mutex<BTreeMap<String, usize>>>);

impl<S: tracing::Subscriber> Layer<S> for Counts {
    fn on_event(&self, event: &tracing::Event<'_>, _: LayerContext<'_, S>) {
        struct Message(String);
        impl Visit for Message {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                let text = format!("{value:?}");
                match field.name() {
                    "message" => self.0.insert_str(0, &text),
                    _ => self.0 += &format!(" {text}"),
                }
            }
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        *self.0.lock().unwrap().entry(message.0).or_default() += 1;
    }
}

fn context(pebble: &FakePebble) -> (Context, Place) {
    let environment = Environment::from([
        ("JUJU_DISPATCH_PATH", "hooks/update-status"),
        ("JUJU_UNIT_NAME", "kratos/0"),
        ("JUJU_MODEL_NAME", "idp"),
        ("JUJU_MODEL_UUID", "6f5b1b3e-0000-4000-8000-000000000000"),
        ("PEBBLE_SOCKET", pebble.socket.to_str().unwrap()),
    ]);
    (Context::from_environment(&environment).unwrap(), Place::from_environment(&environment))
}

/// What a first dispatch would have made of this model: it runs and everything is published.
async fn settle(model: &Arc<Model>, agent: &Agent) -> FakePebble {
    let empty = FakePebble::start(None);
    let (context, place) = context(&empty);
    let sources = Sources { agent, pebble: &Client::new(&empty.socket), kubernetes: None };
    let Seen { observed, .. } = observe(sources, context, place, false).await.unwrap();
    let version = Version::Known(WorkloadVersion::parse("v26.2.0").unwrap());
    let workload = Workload::Reachable(Container { version, ..Container::default() });
    let observed = Observed { workload, schema: migrated(), ..observed };
    let situation = Situation::new(&observed, Parsed::new(&observed));
    let desired = desired(&situation);
    let Status { kind, message, .. } = status(&situation, &Applied::default());
    *model.status.lock().unwrap() = json!({"status": kind.word(), "message": message});
    for bag in &desired.databags {
        let which = if bag.bag == Bag::App { "app" } else { "unit" };
        let keys = bag.keys.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?)));
        model.own.lock().unwrap().entry((bag.relation.to_string(), which)).or_default().extend(keys);
    }
    match desired.service {
        DesiredService::Running(running) => FakePebble::start(Some(running)),
        other => panic!("{other:?} {:?}", situation.blockers),
    }
}

#[tokio::test]
async fn a_quiet_dispatch_parses_renders_and_reads_each_thing_once() {
    let model = Arc::new(Model::default());
    let agent = Agent::with_transport(model.clone());
    let pebble = settle(&model, &agent).await;
    model.calls.lock().unwrap().clear();
    let counts = Counts::default();
    // A single dispatcher is asked only by the thread that first meets an event, which may be another test's.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(counts.clone()));
    let (context, place) = context(&pebble);
    dispatch(&agent, context, place, None).await.unwrap();
    drop(guard);

    let calls = model.calls.lock().unwrap().clone();
    let is_write = |call: &&String| {
        [
            "relation-set",
            "status-set",
            "secret-",
            "open-port",
            "close-port",
            "application-version-set",
            "juju-log",
        ]
        .iter()
        .any(|write| call.starts_with(write) && !call.starts_with("secret-get"))
    };
    let writes: Vec<_> = calls.iter().filter(is_write).collect();
    assert!(writes.is_empty(), "{writes:?}");
    let requests = pebble.requests.lock().unwrap().clone();
    assert!(requests.len() == 4 && requests.iter().all(|line| line.starts_with("GET ")), "{requests:?}");

    let mut reads: Vec<_> = calls.iter().filter(|call| call.starts_with("relation-")).collect();
    let all = reads.len();
    reads.sort();
    reads.dedup();
    assert_eq!(reads.len(), all, "a relation is read twice: {calls:?}");
    for endpoint in ENDPOINTS {
        let read = format!("relation-get --format=json -r {}:1 ", endpoint.name);
        assert!(calls.iter().any(|call| call.starts_with(&read)), "{} is not read", endpoint.name);
    }

    // Fixed questions, the numbers of each endpoint's relations, the other side's name of each relation, and databags.
    let asked = |command: &str| calls.iter().filter(|call| call.split(' ').next() == Some(command)).count();
    let ours: Vec<_> = ENDPOINTS.iter().filter(|endpoint| endpoint.answer.is_some()).collect();
    let remote_units = ENDPOINTS.iter().filter(|endpoint| endpoint.remote_units).count();
    for (command, count) in [
        ("config-get", 1),
        ("is-leader", 1),
        ("secret-get", 2),
        ("opened-ports", 1),
        ("status-get", 1),
        ("network-get", 1),
        ("relation-ids", ENDPOINTS.len() + 2),
        ("relation-list", ENDPOINTS.len() + 1),
        // Of database and peers both, of others the remote one, ours where we write it, and that of the scraped unit.
        ("relation-get", 4 + ENDPOINTS.len() + ours.len() + remote_units + 1),
    ] {
        assert_eq!(asked(command), count, "{command}: {calls:?}");
    }
    assert!(remote_units > 0 && ours.len() < ENDPOINTS.len());

    let counts = counts.0.lock().unwrap().clone();
    assert_eq!(counts.get("parsing the options"), Some(&1), "{counts:?}");
    assert_eq!(counts.get("rendering kratos.yaml"), Some(&1), "{counts:?}");
    let relations: Vec<_> =
        counts.iter().filter(|(text, _)| text.starts_with("parsing a relation")).collect();
    assert!(relations.len() >= 10 && relations.iter().all(|(_, count)| **count == 1), "{relations:?}");
}
