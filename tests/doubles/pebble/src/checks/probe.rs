//! One run of a check: a GET, a connection or a command.
//!
//! It is given a configuration and gives success or the error text that Pebble would log.

use std::{process::Stdio, sync::OnceLock};

use nix::sys::signal::Signal;
use tokio::{io::AsyncReadExt as _, net::TcpStream, net::unix::pipe};

use super::Result;
use crate::{
    daemon::Daemon,
    plan::Check,
    process::{self, Program, Streams, signal_group, system_words},
    users, words,
};

/// Of long outputs so many lines are kept.
const LINES: usize = 20;

/// Runs a check once, within its timeout.
///
/// # Errors
/// What went wrong.
pub(super) async fn run(daemon: &Daemon, config: &Check) -> Result {
    let timeout = config.timeout();
    let late = || format!("check timed out after {timeout}");
    tokio::time::timeout(timeout.to_std(), probe(daemon, config)).await.unwrap_or_else(|_| Err(late()))
}

async fn probe(daemon: &Daemon, config: &Check) -> Result {
    if let Some(http) = &config.http {
        return get(&http.url, http.headers.iter().flatten()).await;
    }
    if let Some(tcp) = &config.tcp {
        let host = if tcp.host.is_empty() { "localhost" } else { &tcp.host };
        let address = format!("{host}:{}", tcp.port);
        return match TcpStream::connect(&address).await {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("dial tcp {address}: connect: {}", system_words(&error))),
        };
    }
    command(daemon, config).await
}

async fn get(url: &str, headers: impl Iterator<Item = (&String, &String)>) -> Result {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    let client = CLIENT.get_or_init(|| {
        let builder = reqwest::Client::builder().user_agent("Go-http-client/1.1").no_proxy();
        builder.pool_max_idle_per_host(0).build().unwrap_or_default()
    });
    let request = headers.fold(client.get(url), |request, (name, value)| request.header(name, value));
    let response = request.send().await.map_err(|error| format!("Get {url:?}: {}", cause(&error)))?;
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let body = response.text().await.unwrap_or_default();
    let lines: Vec<&str> = body.lines().take(LINES).collect();
    let details = if lines.is_empty() { String::new() } else { format!("; {}", lines.join("\n")) };
    Err(format!("non-2xx status code {}{details}", status.as_u16()))
}

/// The innermost reason of a failed request, in Go's words when the system gave it.
fn cause(error: &reqwest::Error) -> String {
    let mut source: &dyn std::error::Error = error;
    while let Some(inner) = source.source() {
        source = inner;
    }
    match source.downcast_ref::<std::io::Error>() {
        Some(error) => system_words(error),
        None => source.to_string(),
    }
}

/// Kills a command's group when its run is given up.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = self.0 {
            signal_group(id, Signal::SIGKILL);
        }
    }
}

async fn command(daemon: &Daemon, config: &Check) -> Result {
    let Some(exec) = &config.exec else { return Ok(()) };
    let words = words::split(&exec.command)?;
    let identity = users::resolve(&exec.context.wanted())?;
    let environment = daemon.environment_for(&exec.context, identity.as_ref());
    let failed = |error: std::io::Error| system_words(&error);
    let (reader, writer) = std::io::pipe().map_err(failed)?;
    let stderr = writer.try_clone().map_err(failed)?;
    let program = Program {
        words: &words,
        environment: &environment,
        directory: &exec.context.working_dir,
        identity: identity.as_ref(),
    };
    let streams = Streams { stdin: Stdio::null(), stdout: writer.into(), stderr: stderr.into() };
    let mut child = process::spawn(&program, daemon.search_path(), streams)?;
    let _group = Group(child.id());
    let mut output = Vec::new();
    let mut reader = pipe::Receiver::from_owned_fd(reader.into()).map_err(failed)?;
    reader.read_to_end(&mut output).await.map_err(failed)?;
    let status = child.wait().await.map_err(failed)?;
    if status.success() {
        return Ok(());
    }
    let output = String::from_utf8_lossy(&output);
    let lines: Vec<&str> = output.lines().collect();
    let last = lines[lines.len().saturating_sub(LINES)..].join("\n");
    let details = if last.is_empty() { String::new() } else { format!("; {last}") };
    let what = match status.code() {
        Some(code) => format!("exit status {code}"),
        None => format!("signal: {}", process::exit_code(status) - 128),
    };
    Err(format!("{what}{details}"))
}
