//! An HTTP server that answers as a function says, and remembers what it was asked.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

/// What is answered.
#[derive(Clone, Default)]
pub struct Reply {
    pub code: u16,
    pub body: String,
    /// The token of the page that comes after this one.
    pub next: Option<&'static str>,
    /// Waited for before anything is sent.
    pub delay: Duration,
}

impl Reply {
    pub fn json(code: u16, body: &Value) -> Self {
        Self { code, body: body.to_string(), ..Self::default() }
    }
}

/// A request: its method and path, and its body.
#[derive(Clone)]
pub struct Asked {
    pub line: String,
    pub body: Vec<u8>,
}

pub struct StandIn {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    stopped: Arc<AtomicBool>,
}

impl StandIn {
    /// Starts a server whose answers follow from method and path (with the query).
    pub fn start(answer: fn(&str, &str) -> Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, stopped) = (Arc::default(), Arc::<AtomicBool>::default());
        let server = Self { address, asked: Arc::clone(&asked), stopped: stopped.clone() };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let asked = asked.clone();
                std::thread::spawn(move || serve(stream.unwrap(), answer, &asked));
            }
        });
        server
    }

    /// Closes the port; returns when nobody can connect.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        while TcpStream::connect(self.address).is_ok() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// What it was asked so far.
    pub fn requests(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Answers the requests of one connection until the client closes it.
fn serve(mut stream: TcpStream, answer: fn(&str, &str) -> Reply, asked: &Mutex<Vec<Asked>>) {
    let mut received = Vec::new();
    while let Some((head, body)) = request(&mut stream, &mut received) {
        let mut words = head.split_whitespace();
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        asked.lock().unwrap().push(Asked { line: format!("{method} {path}"), body });
        let Reply { code, body, next, delay } = answer(method, path);
        std::thread::sleep(delay);
        let link =
            next.map(|token| format!("link: </admin/identities?page_token={token}>; rel=\"next\"\r\n"));
        let head = format!(
            "HTTP/1.1 {code} X\r\ncontent-type: application/json\r\n{}content-length: {}\r\n\r\n",
            link.unwrap_or_default(),
            body.len()
        );
        if stream.write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

/// The next request: its head and its body.
fn request(stream: &mut TcpStream, received: &mut Vec<u8>) -> Option<(String, Vec<u8>)> {
    let mut buffer = [0; 4096];
    loop {
        let end = received.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&received[..end]).into_owned();
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
            let whole = end + 4 + length.unwrap_or(0);
            if received.len() >= whole {
                let rest = received.split_off(whole);
                let body = received.split_off(end + 4);
                *received = rest;
                return Some((head, body));
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(length) => received.extend_from_slice(&buffer[..length]),
        }
    }
}
