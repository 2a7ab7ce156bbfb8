//! Charms' processes and what they left: none of it may outlive the sandbox, whatever way that ends.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What follows when this process is gone without having stopped its sandbox in `$2`: charms and their children are
/// killed, and the directory goes once the containers and PostgreSQL, which are tied to us in their own ways, have.
pub(super) const WHEN_ORPHANED: &str = r#"for process in /proc/[0-9]*; do
  tr '\0' '\n' <"$process/environ" 2>/dev/null | grep -q "^JUJU_AGENT_SOCKET_ADDRESS=$2/" && kill -KILL "${process#/proc/}"
done; sleep 12; rm -rf "$2""#;

const PATIENCE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(10);

/// Kills what runs with the agent's socket `socket` in its environment: nothing but a charm's process and its
/// children has it.
pub(super) fn kill_of(socket: &Path) {
    let marker = format!("JUJU_AGENT_SOCKET_ADDRESS={}", socket.display());
    let deadline = Instant::now() + PATIENCE;
    loop {
        // A process can start another one before it dies, so one round is not enough.
        let found = marked(marker.as_bytes());
        if found.is_empty() || Instant::now() >= deadline {
            return;
        }
        for pid in found {
            let _ = kill(pid, Signal::SIGKILL);
        }
        std::thread::sleep(POLL);
    }
}

// A zombie has no environment, so it does not count.
fn marked(marker: &[u8]) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let has = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == marker)
    };
    pids.filter(has).map(Pid::from_raw).collect()
}
