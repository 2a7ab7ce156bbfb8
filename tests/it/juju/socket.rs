//! The agent's socket: the bytes of real conversations, what hands a dispatch over to the tools, and what must not.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kratos_operator::juju::transport::{Address, DEADLINE};
use kratos_operator::juju::{Agent, Bag, ExecTransport, NewSecret, Scope, SocketTransport, Transport};
use sandbox::agent::{Handler, Reply, Request, serve};
use sandbox::programs;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

const CONTEXT: &str = "test/0-config-changed-1";

/// A directory with the agent's socket and tools that write down that they ran.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (tool, output) in [("is-leader", "true"), ("config-get", "{}"), ("status-set", "")] {
            let script =
                format!("#!/bin/sh\necho {tool} >> '{}'\necho '{output}'\n", Self::ran_file(&dir).display());
            programs::write(&dir.path().join(tool), &script).unwrap();
        }
        Self { dir }
    }

    fn ran_file(dir: &TempDir) -> PathBuf {
        dir.path().join("ran")
    }

    /// The tools that ran, in order.
    fn ran(&self) -> Vec<String> {
        let text = fs::read_to_string(Self::ran_file(&self.dir)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("agent.socket")
    }

    fn listener(&self) -> UnixListener {
        UnixListener::bind(self.socket()).unwrap()
    }

    /// The socket alone, for calls that may take `deadline`.
    fn transport(&self, deadline: Duration) -> SocketTransport {
        transport(&self.socket(), deadline)
    }

    /// The charm's side: the socket first, the tools otherwise.
    fn agent(&self) -> Agent {
        let tools = ExecTransport::new(self.dir.path().as_os_str(), DEADLINE);
        Agent::with_transport(Arc::new(self.transport(DEADLINE).or_else(tools)))
    }
}

fn transport(socket: &Path, deadline: Duration) -> SocketTransport {
    let address = Address { socket: socket.into(), context_id: CONTEXT.into(), dir: "/".into() };
    SocketTransport::new(address, deadline)
}

/// An agent that remembers requests. It answers `is-leader` and secrets, echoes input, and knows nothing else.
#[derive(Default)]
struct Commands {
    seen: Mutex<Vec<Request>>,
}

impl Handler for Commands {
    async fn call(&self, request: Request) -> Reply {
        self.seen.lock().unwrap().push(request.clone());
        let stdout = match request.command.as_str() {
            "is-leader" => b"true\n".to_vec(),
            "secret-add" => b"secret:9m4e2mr0ui3e8a215n4g\n".to_vec(),
            "echo" => request.stdin.unwrap_or_default(),
            "noop" | "status-set" | "config-get" | "relation-set" => Vec::new(),
            other => return Reply::Rpc(format!("bad request: unknown command: {other}")),
        };
        Reply::Exit { code: 0, stdout, stderr: Vec::new() }
    }
}

/// Accepts one connection, reads what arrives first, and hands it to `answer`.
fn answering<F: Future<Output = ()> + Send>(
    listener: UnixListener,
    answer: impl FnOnce(UnixStream) -> F + Send + 'static,
) {
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 64 * 1024];
        let _ = stream.read(&mut request).await.unwrap();
        answer(stream).await;
    });
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// The turns of a recorded conversation: what the client sent, what the agent answered.
fn recording(name: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/jujuc").join(name);
    let chunks: Vec<serde_json::Value> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    chunks
        .chunks(2)
        .map(|turn| (bytes(turn[0]["hex"].as_str().unwrap()), bytes(turn[1]["hex"].as_str().unwrap())))
        .collect()
}

/// What the client of a recording asked, as the sandbox's reader understands it.
async fn requests(turns: &[(Vec<u8>, Vec<u8>)]) -> Vec<Request> {
    let place = Place::new();
    let commands = Arc::new(Commands::default());
    let serving = tokio::spawn(serve(place.listener(), Arc::clone(&commands)));
    let mut stream = UnixStream::connect(place.socket()).await.unwrap();
    for (number, (sent, _)) in turns.iter().enumerate() {
        stream.write_all(sent).await.unwrap();
        while commands.seen.lock().unwrap().len() <= number {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    serving.abort();
    commands.seen.lock().unwrap().clone()
}

#[tokio::test]
async fn the_bytes_of_requests_are_those_of_jujus_own_client_and_its_replies_are_read() {
    let names = ["aftererr", "badctx", "code255", "config", "errfirst", "fail", "noop", "stdin", "twice"];
    for name in names {
        let turns = recording(&format!("cap-{name}.json"));
        let requests = requests(&turns).await;
        assert_eq!(requests.len(), turns.len(), "{name}");
        let place = Place::new();
        let listener = place.listener();
        let agent = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            for (expected, answer) in turns {
                let mut sent = vec![0; expected.len()];
                stream.read_exact(&mut sent).await.unwrap();
                assert_eq!(sent, expected, "{name}");
                stream.write_all(&answer).await.unwrap();
            }
        });
        let Request { context_id, dir, .. } = requests[0].clone();
        let address = Address { socket: place.socket(), context_id, dir };
        let transport = SocketTransport::new(address, DEADLINE);
        for request in requests {
            let args: Vec<&str> = request.args.iter().map(String::as_str).collect();
            let output = transport.call(&request.command, &args, request.stdin.as_deref()).await.unwrap();
            let expected: (i32, &str, &str) = match (name, request.command.as_str(), request.stdin.is_some())
            {
                (_, "fail", _) => (1, "", "ERROR permission denied\n"),
                ("code255", ..) => (255, "", ""),
                ("badctx" | "errfirst", ..) => (1, "", "ERROR bad request: wrong context ID; got \"nope\""),
                (_, "config-get", _) if request.args.last().unwrap() == "http-port" => (0, "4433\n", ""),
                (_, "config-get", _) => (0, "\"info\"\n", ""),
                (_, "relation-set", false) => (1, "", "ERROR hook tool requires stdin, none supplied"),
                _ => (0, "", ""),
            };
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            assert_eq!(
                (output.code, text(&output.stdout), text(&output.stderr)),
                (expected.0, expected.1.to_owned(), expected.2.to_owned()),
                "{name} {}",
                request.command
            );
        }
        agent.await.unwrap();
    }
}

#[tokio::test]
async fn what_is_unexpected_before_the_first_answer_hands_over_to_the_tools_once() {
    // No socket at all, and a file in its place.
    let place = Place::new();
    assert!(place.agent().is_leader().await.unwrap());
    fs::write(place.socket(), "").unwrap();
    assert!(place.agent().is_leader().await.unwrap());
    assert_eq!(place.ran(), ["is-leader", "is-leader"]);

    let config = recording("cap-config.json").remove(0).1;
    let refusal = |text: &str| {
        // The recorded refusal with another text of at most 63 bytes.
        let recorded = recording("cap-badctx.json").remove(0).1;
        let (old, new) = (b"bad request: wrong context ID; got \"nope\"", text.as_bytes());
        let at = recorded.windows(old.len()).position(|window| window == old).unwrap();
        let difference =
            |length: u8| length + u8::try_from(new.len()).unwrap() - u8::try_from(old.len()).unwrap();
        let mut bytes = recorded[..at - 1].to_vec();
        let header = bytes.iter().rposition(|byte| *byte == 0xff).unwrap() - 1;
        bytes[header] = difference(bytes[header]);
        bytes.push(u8::try_from(new.len()).unwrap());
        bytes.extend(new);
        bytes.extend(&recorded[at + old.len()..]);
        bytes
    };
    let mut answers: Vec<Vec<u8>> = (0..config.len()).map(|end| config[..end].to_vec()).collect();
    answers.extend([
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        // A length of 1 GB, one of 2^64-1, and one of nine bytes.
        bytes("fc40000000"),
        bytes("f8ffffffffffffffff"),
        bytes("f7ffffffffffffffffff"),
        refusal("gob: unknown type id or corrupted data!!!"),
        refusal("rpc: can't find service Jujuc.Main, sorry"),
        refusal("bad request: token does not match"),
    ]);
    for answer in answers {
        let place = Place::new();
        let shown = format!("{answer:02x?}");
        answering(place.listener(), |mut stream| async move {
            stream.write_all(&answer).await.unwrap();
        });
        let agent = place.agent();
        assert!(agent.is_leader().await.unwrap(), "{shown}");
        assert!(agent.config_get().await.unwrap().is_empty(), "{shown}");
        assert_eq!(place.ran(), ["is-leader", "config-get"], "{shown}");
    }
}

#[tokio::test]
async fn a_command_that_may_have_run_is_not_sent_again() {
    // The first call changes something, and its answer is lost.
    let place = Place::new();
    answering(place.listener(), |stream| async move { drop(stream) });
    let agent = place.agent();
    let status = kratos_operator::juju::Status::new(kratos_operator::juju::StatusKind::Active, "");
    assert_eq!(agent.status_set(Scope::Unit, &status).await.unwrap_err().kind(), "agent-unavailable");
    assert_eq!(agent.is_leader().await.unwrap_err().kind(), "agent-unavailable");
    assert!(place.ran().is_empty());

    // The agent goes away after an answer.
    let place = Place::new();
    answering(place.listener(), |mut stream| async move {
        stream.write_all(&recording("cap-config.json").remove(0).1).await.unwrap();
    });
    let transport =
        place.transport(DEADLINE).or_else(ExecTransport::new(place.dir.path().as_os_str(), DEADLINE));
    assert_eq!(transport.call("config-get", &[], None).await.unwrap().stdout, b"\"info\"\n");
    for _ in 0..2 {
        let error = Agent::with_transport(Arc::new(place.transport(DEADLINE))).config_get().await;
        assert_eq!(error.unwrap_err().kind(), "agent-unavailable");
        assert!(transport.call("is-leader", &[], None).await.is_err());
    }
    assert!(place.ran().is_empty());
}

#[tokio::test]
async fn the_agents_refusals_are_answers() {
    let place = Place::new();
    let serving = tokio::spawn(serve(place.listener(), Arc::new(Commands::default())));
    let agent = place.agent();
    let error = agent.resource_get("image").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "resource-get failed with exit code 1: bad request: unknown command: resource-get"
    );
    assert!(agent.is_leader().await.unwrap());
    assert!(place.ran().is_empty());
    serving.abort();
}

#[tokio::test]
async fn an_agent_that_says_nothing_is_named_and_not_waited_for_again() {
    let place = Place::new();
    answering(place.listener(), |stream| async move {
        let _kept = stream;
        std::future::pending::<()>().await;
    });
    let tools = ExecTransport::new(place.dir.path().as_os_str(), DEADLINE);
    let transport = place.transport(Duration::from_millis(100)).or_else(tools);
    let agent = Agent::with_transport(Arc::new(transport));
    let error = agent.is_leader().await.unwrap_err();
    assert_eq!(error.kind(), "agent-unavailable");
    assert!(error.to_string().contains("the agent has not answered is-leader"), "{error}");
    assert_eq!(agent.config_get().await.unwrap_err().kind(), "agent-unavailable");
    assert!(place.ran().is_empty());
}

#[tokio::test]
async fn a_call_whose_caller_stopped_waiting_disturbs_no_later_one() {
    let place = Place::new();
    let serving = tokio::spawn(serve(place.listener(), Arc::new(Commands::default())));
    let transport = place.transport(DEADLINE);
    for _ in 0..20 {
        let call = transport.call("echo", &[], Some(b"late"));
        tokio::select! { biased; _ = call => {}, () = tokio::task::yield_now() => {} }
        assert_eq!(transport.call("is-leader", &[], None).await.unwrap().stdout, b"true\n");
    }
    serving.abort();
}

#[tokio::test]
async fn secrets_reach_the_agent_without_a_file_and_large_values_pass() {
    let place = Place::new();
    let commands = Arc::new(Commands::default());
    let serving = tokio::spawn(serve(place.listener(), Arc::clone(&commands)));
    let agent = place.agent();
    assert!(agent.is_leader().await.unwrap());
    let content = BTreeMap::from([("password".to_owned(), "hunter2\n=😀".repeat(50_000))]);
    let new = NewSecret { owner: Scope::Application, label: Some("cookies"), description: None };
    agent.secret_add(&content, new).await.unwrap();
    let added = commands.seen.lock().unwrap().last().cloned().unwrap();
    let password = format!("password={}", content["password"]);
    assert_eq!(added.args, ["--owner", "application", "--label", "cookies", &password]);

    let value = "x".repeat(20_000_000);
    let changes = BTreeMap::from([("key".to_owned(), Some(value.clone()))]);
    agent.relation_set(&"db:1".parse().unwrap(), Bag::Unit, &changes).await.unwrap();
    let sent = commands.seen.lock().unwrap().last().cloned().unwrap().stdin.unwrap();
    assert!(sent.len() > value.len());
    assert_eq!(place.transport(DEADLINE).call("echo", &[], Some(&sent)).await.unwrap().stdout, sent);
    assert!(place.ran().is_empty());
    serving.abort();
}
