//! Ending a container's processes, whoever their parent is by now.

use std::fs;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::POLL;

/// Asks a child to end, and kills it when it has not after `patience`.
pub fn end(process: &mut Child, patience: Duration) {
    if let Ok(pid) = i32::try_from(process.id())
        && process.try_wait().is_ok_and(|status| status.is_none())
    {
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
    let deadline = Instant::now() + patience;
    while process.try_wait().is_ok_and(|status| status.is_none()) {
        if Instant::now() >= deadline {
            let _ = process.kill();
        }
        thread::sleep(POLL);
    }
}

/// Kills every process with `marker` (`NAME=value`) in its environment, until there is none or `patience` is over.
pub fn kill_marked(marker: &str, patience: Duration) {
    let deadline = Instant::now() + patience;
    loop {
        // A process can start another one before it dies, so one round is not enough.
        let found = marked(marker);
        if found.is_empty() || Instant::now() >= deadline {
            return;
        }
        for pid in found {
            let _ = kill(pid, Signal::SIGKILL);
        }
        thread::sleep(POLL);
    }
}

/// The living processes with `marker` in their environment. A zombie has none, so it does not count.
pub fn marked(marker: &str) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let own = std::process::id().to_string();
    let with_marker = pids.filter(|pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        pid.to_string() != own && environment.split(|byte| *byte == 0).any(|line| line == marker.as_bytes())
    });
    with_marker.map(Pid::from_raw).collect()
}
