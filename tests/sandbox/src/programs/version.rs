//! Asking a Kratos for its version.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a program may take to tell its version.
const VERSION_TIMEOUT: Duration = Duration::from_secs(20);

/// What `PROGRAM version` tells, or why it tells nothing.
pub fn version(path: &Path) -> Result<String, String> {
    let mut child = Command::new(path)
        .arg("version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let deadline = Instant::now() + VERSION_TIMEOUT;
    // Three short lines fit into the pipe, so the end can be awaited before they are read.
    let status = loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) => break status,
            None if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("`version` did not end within {} s", VERSION_TIMEOUT.as_secs()));
            }
        }
    };
    let mut output = Vec::new();
    if let Some(stdout) = child.stdout.as_mut() {
        stdout.take(64 * 1024).read_to_end(&mut output).map_err(|error| error.to_string())?;
    }
    let output = String::from_utf8_lossy(&output);
    let version = output.lines().find_map(|line| line.strip_prefix("Version:")).map(str::trim);
    match version {
        Some(version) if status.success() && !version.is_empty() => Ok(version.to_owned()),
        _ => Err(format!("`version` ended with {status} and told no version")),
    }
}

/// The numbers in a version, to order v1.3.1 before v25.4.0.
pub fn numbers(version: &str) -> Vec<u64> {
    version.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}
