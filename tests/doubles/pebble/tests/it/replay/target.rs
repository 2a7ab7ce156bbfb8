//! The HTTP server that the recorded checks asked: what it answers is switched from outside.
//!
//! It is given a word (`200`, `500`, `503`, `slow`, `redirect`) and answers every connection that way from then on.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// A server on a free port.
pub struct Target {
    /// Its port.
    pub port: u16,
    mode: Arc<Mutex<&'static str>>,
    task: tokio::task::JoinHandle<()>,
}

impl Target {
    /// Starts it, answering 200.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let mode = Arc::new(Mutex::new("200"));
        let now = Arc::clone(&mode);
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mode = *now.lock().expect("no panic");
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    let count = stream.read(&mut request).await.unwrap_or(0);
                    let target = String::from_utf8_lossy(&request[..count]).into_owned();
                    let (head, body) = match mode {
                        "redirect" if target.starts_with("GET /health") => {
                            ("302 Found\r\nLocation: /there", "")
                        }
                        "500" => ("500 Internal Server Error", "body line1\nbody line2"),
                        "503" => ("503 Service Unavailable", "body line1\nbody line2"),
                        _ => ("200 OK", "fine"),
                    };
                    if mode == "slow" {
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                    let length = body.len();
                    let answer = format!(
                        "HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                    );
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        Self { port, mode, task }
    }

    /// From now on it answers so.
    pub fn answer(&self, mode: &'static str) {
        *self.mode.lock().expect("no panic") = mode;
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.task.abort();
    }
}
