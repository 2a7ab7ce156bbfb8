//! A running double and a plain HTTP client for its socket.
//!
//! It is given a directory of its own and starts the real program there; the client sends exactly the headers that it is
//! told, so that what a recording sent is what the double gets.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    process::{Child, Command},
};

/// A daemon in a directory of its own.
pub struct Double {
    /// What stands for `/srv/pebtest` of the recordings.
    pub root: PathBuf,
    name: &'static str,
    directory: tempfile::TempDir,
    child: Child,
    variables: Vec<(&'static str, &'static str)>,
}

/// An HTTP response.
#[derive(Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Header names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// The body, chunks joined.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

fn spawn(directory: &Path, variables: &[(&'static str, &'static str)], user: Option<u32>) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pebble-double"));
    command.args(["run", "--create-dirs", "--hold"]).env_clear().current_dir("/tmp");
    command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    command.env("PEBBLE", directory).envs(variables.iter().copied());
    if !nix::unistd::Uid::effective().is_root() {
        // The home of whoever runs the tests may not be there; root's is.
        command.env("HOME", directory);
    }
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn().expect("the double starts")
}

impl Double {
    /// Starts a double with these variables added to an otherwise clean environment.
    pub async fn start(variables: &[(&'static str, &'static str)]) -> Self {
        Self::start_as(variables, "dir", None).await
    }

    /// Starts a double as a user who may do nothing, in a directory of that user; only root can.
    pub async fn unprivileged() -> Self {
        Self::start_as(&[], "dirn", Some(65534)).await
    }

    async fn start_as(
        variables: &[(&'static str, &'static str)],
        name: &'static str,
        user: Option<u32>,
    ) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let root = directory.path().join("pebtest");
        std::fs::create_dir_all(root.join(name)).expect("a root");
        let open = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
        std::fs::set_permissions(directory.path(), open).expect("open to other users");
        if user.is_some() {
            std::os::unix::fs::chown(root.join(name), user, user).expect("given away");
        }
        let child = spawn(&root.join(name), variables, user);
        let double = Self { child, root, name, directory, variables: variables.to_vec() };
        double.listens().await;
        double
    }

    /// The socket.
    pub fn socket(&self) -> PathBuf {
        self.root.join(self.name).join(".pebble.socket")
    }

    async fn listens(&self) {
        for _ in 0..1000 {
            if UnixStream::connect(self.socket()).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the double does not listen in {:?}", self.directory.path());
    }

    /// Sends SIGTERM and waits for the end; gives the exit code.
    pub async fn stop(&mut self) -> Option<i32> {
        if let Some(pid) = self.child.id().and_then(|id| i32::try_from(id).ok()) {
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM)
                .expect("a running double");
        }
        self.ended().await
    }

    /// Waits for the end; gives the exit code.
    pub async fn ended(&mut self) -> Option<i32> {
        let status =
            tokio::time::timeout(Duration::from_secs(20), self.child.wait()).await.expect("an end in time");
        status.expect("a status").code()
    }

    /// Stops and starts in the same directory.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.child = spawn(&self.root.join(self.name), &self.variables, None);
        self.listens().await;
    }

    /// Sends a request with exactly these headers (and a Host) and reads the response.
    pub async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Response {
        let mut stream = UnixStream::connect(self.socket()).await.expect("a connection");
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if method == "POST" || method == "PUT" {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).await.expect("sent");
        // A request that is refused by its head may be answered before its body is taken.
        let _ = stream.write_all(body).await;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.expect("a response");
        parse(&bytes)
    }

    /// GET, as JSON.
    pub async fn get(&self, target: &str) -> Value {
        self.send("GET", target, &[], b"").await.json()
    }

    /// POST of JSON, as JSON; it must succeed.
    pub async fn post(&self, target: &str, body: &Value) -> Value {
        let headers = [("Content-Type".to_owned(), "application/json".to_owned())];
        let response = self.send("POST", target, &headers, body.to_string().as_bytes()).await;
        assert!(response.status < 300, "POST {target} {body}: {:?}", response.json());
        response.json()
    }
}

impl Drop for Double {
    /// Ends the daemon in an orderly way, so that it ends what it started.
    fn drop(&mut self) {
        let Some(pid) = self.child.id().and_then(|id| i32::try_from(id).ok()) else { return };
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM);
        for _ in 0..1000 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn parse(bytes: &[u8]) -> Response {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut rest = &bytes[end + 4..];
    let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let mut body = Vec::new();
    if chunked {
        while let Some(line) = rest.windows(2).position(|window| window == b"\r\n") {
            let size =
                std::str::from_utf8(&rest[..line]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
            let size = size.expect("the size of a chunk");
            if size == 0 {
                break;
            }
            body.extend_from_slice(&rest[line + 2..line + 2 + size]);
            rest = &rest[line + 2 + size + 2..];
        }
    } else {
        body.extend_from_slice(rest);
    }
    Response { status: status.expect("a status"), headers, body }
}
