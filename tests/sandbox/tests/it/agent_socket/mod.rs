//! The agent socket as a charm sees it: real conversations byte by byte, what Go accepts, what it refuses and how, and
//! the program behind every hook command.

mod program;
mod recordings;
mod rules;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use sandbox::agent::{Client, Handler, Reply, Request, serve};
use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

const CONTEXT: &str = "test/0-config-changed-1";

/// Plays the commands of the recordings, and a few more.
#[derive(Default)]
struct Commands {
    seen: Mutex<Vec<Request>>,
    running: AtomicUsize,
    most: AtomicUsize,
}

fn exit(code: i64, stdout: &[u8], stderr: &str) -> Reply {
    Reply::Exit { code, stdout: stdout.to_vec(), stderr: stderr.into() }
}

impl Handler for Commands {
    async fn call(&self, request: Request) -> Reply {
        self.most.fetch_max(self.running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        self.running.fetch_sub(1, Ordering::SeqCst);
        self.seen.lock().unwrap().push(request.clone());
        if request.context_id != CONTEXT {
            return Reply::Rpc(format!("bad request: wrong context ID; got {:?}", request.context_id));
        }
        let last = request.args.last().map(String::as_str).unwrap_or_default();
        match request.command.as_str() {
            "noop" | "is-leader" => exit(0, b"", ""),
            "fail" => exit(1, b"", "ERROR permission denied\n"),
            "code" => exit(last.parse().unwrap(), b"", ""),
            "config-get" if last == "http-port" => exit(0, b"4433\n", ""),
            "config-get" => exit(0, b"\"info\"\n", ""),
            "relation-set" if request.stdin.is_none() => Reply::stdin_needed(),
            "relation-set" => exit(0, b"", ""),
            "echo" => exit(0, &request.stdin.unwrap_or_default(), ""),
            other => Reply::Rpc(format!("bad request: unknown command: {other}")),
        }
    }
}

struct Agent {
    commands: Arc<Commands>,
    socket: PathBuf,
    _dir: TempDir,
    task: JoinHandle<()>,
}

impl Agent {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("agent.socket");
        let commands = Arc::new(Commands::default());
        let task = tokio::spawn(serve(UnixListener::bind(&socket).unwrap(), Arc::clone(&commands)));
        Self { commands, socket, _dir: dir, task }
    }

    async fn stream(&self) -> UnixStream {
        UnixStream::connect(&self.socket).await.unwrap()
    }

    async fn call(&self, request: &Request) -> Reply {
        Client::connect(&self.socket).await.unwrap().call(request).await.unwrap()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn request(command: &str, args: &[&str]) -> Request {
    Request {
        context_id: CONTEXT.into(),
        dir: "/".into(),
        command: command.into(),
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        stdin: None,
    }
}
