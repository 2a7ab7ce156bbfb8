//! A daemon made of canned answers: given raw HTTP answers, it hands out one per connection on a unix socket
//! and keeps the requests.

mod ended;
mod exec;
mod recordings;
mod transport;

use kratos_operator::pebble::Client;
use serde_json::Value;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

/// The canned daemon; it ends when it is dropped.
pub struct Canned {
    pub client: Client,
    requests: Arc<Mutex<Vec<String>>>,
    _server: JoinSet<()>,
    _dir: tempfile::TempDir,
}

impl Canned {
    /// A daemon that gives these answers in order, then refuses connections. An empty answer keeps the
    /// connection silent.
    pub fn new(answers: Vec<Vec<u8>>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("pebble.socket");
        let listener = UnixListener::bind(&socket).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let mut server = JoinSet::new();
        let seen = requests.clone();
        server.spawn(async move {
            let mut silent = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read_request(&mut stream).await;
                seen.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
                if answer.is_empty() {
                    silent.push(stream);
                } else {
                    // The client may have heard enough before the end.
                    let _ = stream.write_all(&answer).await;
                }
            }
            drop(listener);
            std::future::pending::<()>().await;
        });
        Self { client: Client::new(socket), requests, _server: server, _dir: dir }
    }

    /// The requests so far, as they came.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// The recordings of a real Pebble, with their names.
pub fn recordings() -> Vec<(String, Value)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/pebble.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    let read = |line: &str| {
        let recording: Value = serde_json::from_str(line).unwrap();
        (recording["name"].as_str().unwrap().to_owned(), recording)
    };
    text.lines().map(read).collect()
}

/// A whole answer with a length.
pub fn answer(status: u16, content_type: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut answer =
        format!("HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n")
            .into_bytes();
    answer.extend_from_slice(body);
    answer
}

/// Reads the head, and as much body as the head announces.
pub async fn read_request(stream: &mut UnixStream) -> Vec<u8> {
    let mut request = Vec::new();
    loop {
        if let Some(end) = request.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if request.len() >= end + 4 + length.unwrap_or(0) {
                return request;
            }
        }
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return request;
        }
    }
}
