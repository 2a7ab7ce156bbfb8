//! Commands against a daemon that plays back what a real one sent on its websockets, or breaks off.

use super::ended::run_within;
use super::{answer, read_request, recordings};
use base64::Engine;
use futures_util::{SinkExt, StreamExt};
use kratos_operator::pebble::{Client, Error, ExecRequest, Output};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

const PATIENCE: Duration = Duration::from_secs(20);

/// What the daemon sends for one command.
#[derive(Default)]
struct Script {
    stdio: Vec<Message>,
    stderr: Vec<Message>,
    /// The change as it ends.
    change: Value,
}

/// A daemon that knows one command; it ends when it is dropped.
struct Player {
    client: Client,
    _server: JoinSet<()>,
    _dir: tempfile::TempDir,
}

impl Player {
    fn new(script: Script) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("pebble.socket");
        let listener = UnixListener::bind(&socket).unwrap();
        let mut server = JoinSet::new();
        let script = Arc::new(script);
        server.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(play(stream, script.clone()));
            }
        });
        Self { client: Client::new(socket), _server: server, _dir: dir }
    }
}

async fn play(mut stream: UnixStream, script: Arc<Script>) {
    let request = String::from_utf8(read_request(&mut stream).await).unwrap();
    let path = request.split(' ').nth(1).unwrap();
    let reply = |status, body: Value| answer(status, "application/json", body.to_string().as_bytes());
    if path == "/v1/exec" {
        let started = json!({"type": "async", "change": "3", "result": {"task-id": "3"}});
        stream.write_all(&reply(202, started)).await.unwrap();
    } else if path.starts_with("/v1/changes/3/wait") {
        stream.write_all(&reply(200, json!({"type": "sync", "result": script.change}))).await.unwrap();
    } else {
        let key = request
            .lines()
            .find_map(|line| line.to_lowercase().starts_with("sec-websocket-key").then(|| line[18..].trim()));
        let accept = derive_accept_key(key.unwrap().as_bytes());
        let head = format!(
            "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        let messages = match path.rsplit('/').next().unwrap() {
            "stdio" => &script.stdio,
            "stderr" => &script.stderr,
            _ => return while socket.next().await.is_some_and(|message| message.is_ok()) {},
        };
        for message in messages {
            if socket.send(message.clone()).await.is_err() {
                return;
            }
        }
        // As Pebble does, the connection is left open after the end of the output.
        if messages.last() == Some(&end()) {
            while socket.next().await.is_some_and(|message| message.is_ok()) {}
        }
    }
}

fn end() -> Message {
    Message::text("{\"command\":\"end\"}")
}

fn done(data: &Value) -> Value {
    json!({"id": "3", "status": "Done", "ready": true, "tasks": [{"id": "3", "status": "Done", "data": data}]})
}

/// The messages that a recorded session received on a channel.
fn received(session: &Value, channel: &str) -> Vec<Message> {
    let timeline = session["timeline"].as_array().unwrap();
    let mine = timeline.iter().filter(|step| step["ch"] == channel && step["dir"] == "recv");
    mine.filter_map(|step| {
        let data = &step["data"];
        match step["op"].as_str().unwrap() {
            "text" => Some(Message::text(data["text"].as_str().unwrap())),
            "binary" => {
                let code = data["base64"]
                    .as_str()
                    .map(|code| base64::engine::general_purpose::STANDARD.decode(code));
                let mut bytes =
                    code.map_or_else(|| data["text"].as_str().unwrap().as_bytes().to_vec(), Result::unwrap);
                // Long ones were shortened in the recording.
                bytes.resize(data["len"].as_u64().unwrap().try_into().unwrap(), b'.');
                Some(Message::binary(bytes))
            }
            _ => None,
        }
    })
    .collect()
}

fn bytes(messages: &[Message]) -> Vec<u8> {
    messages.iter().filter(|m| m.is_binary()).flat_map(|m| m.clone().into_data().to_vec()).collect()
}

#[tokio::test]
async fn recorded_sessions_give_their_output_and_their_end() {
    let all = recordings();
    let (mut good, mut bad) = (0, 0);
    for (name, session) in all.iter().filter(|(_, session)| session["kind"] == "exec-session") {
        let timeline = session["timeline"].as_array().unwrap();
        let waited = timeline.iter().find(|s| s["ch"] == "http" && s["data"]["result"]["ready"] == true);
        let split = session["request"]["body"]["split-stderr"] == true;
        let (stdio, stderr) = (received(session, "stdio"), received(session, "stderr"));
        let ended = |messages: &[Message]| messages.last() == Some(&end());
        let (Some(waited), true, true) = (waited, ended(&stdio), !split || ended(&stderr)) else { continue };
        let change = waited["data"]["result"].clone();
        let (out, err) = (bytes(&stdio), bytes(&stderr));
        let player = Player::new(Script { stdio, stderr, change: change.clone() });
        let request = ExecRequest { split_stderr: split, ..ExecRequest::new(["x"]) };
        match (run_within(&player.client, request, PATIENCE).await, change["err"].as_str()) {
            (Ok(output), None) => {
                let code = change["tasks"][0]["data"]["exit-code"].as_i64();
                assert_eq!(output.code, code.unwrap_or(-1), "{name}");
                assert!(output.stdout == out && output.stderr == err, "{name}");
                good += 1;
            }
            (Err(Error::Change { err, .. }), Some(expected)) => {
                assert_eq!(err, expected, "{name}");
                bad += 1;
            }
            (other, _) => panic!("{name}: {other:?}"),
        }
    }
    assert!(good > 30 && bad > 3, "{good} good, {bad} bad");
}

#[tokio::test]
async fn a_missing_exit_code_is_a_failure() {
    for data in [json!({}), json!(null), json!({"exit-code": "0"})] {
        let script = Script { stdio: vec![end()], stderr: vec![end()], change: done(&data) };
        let output =
            run_within(&Player::new(script).client, ExecRequest::new(["x"]), PATIENCE).await.unwrap();
        assert_eq!(output.code, -1);
    }
}

#[tokio::test]
async fn output_that_is_cut_off_is_never_a_success() {
    let piece = || Message::binary(&b"half"[..]);
    for (stdio, stderr) in [(vec![piece()], vec![end()]), (vec![piece(), end()], vec![])] {
        let player = Player::new(Script { stdio, stderr, change: done(&json!({"exit-code": 0})) });
        let mut process = player.client.exec(ExecRequest::new(["x"])).await.unwrap();
        assert_eq!(process.next_output().await, Some(Output::Stdout("half".into())));
        assert_eq!(process.next_output().await, None);
        assert!(process.wait(PATIENCE).await.unwrap_err().is_connection());
    }
}

#[tokio::test]
async fn other_messages_on_an_output_are_passed_over() {
    let stdio = vec![
        Message::text("not json"),
        Message::text("{\"command\":\"other\"}"),
        Message::Ping("x".into()),
        Message::binary(&b"out"[..]),
        end(),
    ];
    let player = Player::new(Script { stdio, stderr: vec![end()], change: done(&json!({"exit-code": 7})) });
    let output = run_within(&player.client, ExecRequest::new(["x"]), PATIENCE).await.unwrap();
    assert_eq!((output.code, output.stdout.as_slice()), (7, &b"out"[..]));
}
