//! The running server: its configuration, start, end, and what a kill leaves behind.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Error;
use super::owner::Owner;
use super::programs::Installation;
use crate::programs::Tether;

/// Every cluster's settings: quick, small, and without traces outside of its directory.
pub const SETTINGS: [(&str, &str); 9] = [
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("shared_buffers", "32MB"),
    // PostgreSQL's own default, which `initdb` lowers for small segments.
    ("max_wal_size", "1GB"),
    ("jit", "off"),
    ("log_min_messages", "warning"),
    ("log_line_prefix", "%m [%p] %q%u@%d "),
    // POSIX segments would stay in /dev/shm after a kill.
    ("dynamic_shared_memory_type", "mmap"),
];

const START_TIMEOUT: Duration = Duration::from_secs(60);
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);
/// How much of the log an error repeats, in bytes.
const LOG_TAIL: u64 = 2000;

/// Sessions are ended at once, as nobody is left to be told; SIGQUIT still frees the shared memory.
const WHEN_ORPHANED: &str = r#"kill -QUIT "$1"; i=0
while kill -0 "$1" 2>/dev/null && [ $i -lt 10 ]; do sleep 1; i=$((i+1)); done; kill -KILL "$1""#;

/// A server process that ends with ours.
#[derive(Debug)]
pub struct Server {
    process: Child,
    dir: PathBuf,
    _tether: Tether,
}

impl Server {
    /// Starts the server and waits until it accepts connections.
    pub fn start(
        installation: &Installation,
        dir: &Path,
        address: IpAddr,
        port: u16,
        owner: Option<&Owner>,
    ) -> Result<Self, Error> {
        let log_path = dir.join("postgres.log");
        let log =
            OpenOptions::new().create(true).append(true).open(&log_path).map_err(Error::file(&log_path))?;
        let before = log.metadata().map_err(Error::file(&log_path))?.len();
        let log_too = log.try_clone().map_err(Error::file(&log_path))?;
        let mut process = installation
            .command("postgres", dir, owner)
            .arg("-D")
            .arg(dir.join("data"))
            .arg(format!("--port={port}"))
            .arg(format!("--listen_addresses={address}"))
            .arg(format!("--unix_socket_directories={}", quoted_list_item(dir)))
            .stdout(log)
            .stderr(log_too)
            .process_group(0)
            .spawn()
            .map_err(Error::file(&installation.dir.join("postgres")))?;
        let tether = match Tether::new(process.id(), WHEN_ORPHANED, &[]) {
            Ok(tether) => tether,
            Err(source) => {
                end(&mut process, &[Signal::SIGKILL]);
                return Err(Error::File { path: "/bin/sh".into(), source });
            }
        };
        let mut server = Self { process, dir: dir.to_owned(), _tether: tether };
        let deadline = Instant::now() + START_TIMEOUT;
        let reason = loop {
            if server.is_ready() {
                return Ok(server);
            }
            match server.process.try_wait() {
                Ok(None) if Instant::now() < deadline => thread::sleep(POLL),
                Ok(None) => break format!("not ready after {} s; ", START_TIMEOUT.as_secs()),
                Ok(Some(status)) => break format!("{status}; "),
                Err(error) => break format!("{error}; "),
            }
        };
        end(&mut server.process, &[Signal::SIGQUIT, Signal::SIGKILL]);
        let log = reason + &tail(&log_path, before);
        Err(Error::Failed { program: "postgres", dir: dir.to_owned(), log })
    }

    /// The server writes its state into the last line of this file.
    fn is_ready(&self) -> bool {
        let Some(lines) = pid_file(&self.dir) else { return false };
        lines.first().is_some_and(|pid| *pid == self.process.id().to_string())
            && lines.get(7).is_some_and(|state| state == "ready")
    }

    pub fn stop(mut self) {
        end(&mut self.process, &[Signal::SIGINT, Signal::SIGQUIT, Signal::SIGKILL]);
        forget(&self.dir);
    }

    pub fn kill(mut self) {
        let sessions = children(self.process.id());
        let _ = self.process.kill();
        let _ = self.process.wait();
        // They would notice by themselves, but a restart has to wait until they are gone.
        for session in &sessions {
            let _ = kill(*session, Signal::SIGKILL);
        }
        let deadline = Instant::now() + STOP_TIMEOUT;
        while sessions.iter().any(|session| kill(*session, None).is_ok()) && Instant::now() < deadline {
            thread::sleep(POLL);
        }
    }
}

/// Frees the shared memory segment of a server that was killed. A server that stopped in order has left none.
pub fn forget(dir: &Path) {
    let Some(lines) = pid_file(dir) else { return };
    let segment = lines.get(6).and_then(|line| line.split_whitespace().nth(1));
    if let Some(segment) = segment {
        let _ =
            Command::new("ipcrm").args(["-m", segment]).stdin(Stdio::null()).stderr(Stdio::null()).status();
    }
    let _ = fs::remove_file(dir.join("data/postmaster.pid"));
}

/// The lines of postmaster.pid, trimmed; `None` when there is none.
fn pid_file(dir: &Path) -> Option<Vec<String>> {
    let text = fs::read_to_string(dir.join("data/postmaster.pid")).ok()?;
    Some(text.lines().map(|line| line.trim().to_owned()).collect())
}

/// Sends the signals one after another, each when the one before did not end the process in time.
fn end(process: &mut Child, signals: &[Signal]) {
    for signal in signals {
        if let Ok(pid) = i32::try_from(process.id())
            && process.try_wait().is_ok_and(|status| status.is_none())
        {
            let _ = kill(Pid::from_raw(pid), *signal);
        }
        let deadline = Instant::now() + STOP_TIMEOUT;
        while Instant::now() < deadline {
            match process.try_wait() {
                Ok(None) => thread::sleep(POLL),
                _ => return,
            }
        }
    }
}

/// The processes whose parent is `parent`.
fn children(parent: u32) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let of_parent = pids.filter(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // "PID (NAME) STATE PARENT ...", and NAME may hold anything.
        let parent_field = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1));
        parent_field.is_some_and(|field| field == parent.to_string())
    });
    of_parent.map(Pid::from_raw).collect()
}

/// Appends settings to postgresql.conf and lets everybody with a password in over TCP and the socket, standbys too.
pub fn configure(data: &Path, settings: &[(String, String)]) -> Result<(), Error> {
    let mut lines = String::from("\n# The sandbox's settings\n");
    for (name, value) in settings {
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.".contains(c));
        if !is_name || value.contains(['\n', '\r', '\0']) {
            return Err(Error::Setting(format!("{name} = {value}")));
        }
        lines += &format!("{name} = '{}'\n", value.replace('\\', "\\\\").replace('\'', "''"));
    }
    let path = data.join("postgresql.conf");
    let mut file = OpenOptions::new().append(true).open(&path).map_err(Error::file(&path))?;
    file.write_all(lines.as_bytes()).map_err(Error::file(&path))?;
    let path = data.join("pg_hba.conf");
    let rules = ["local all", "host all", "host replication"].map(|whom| {
        let from: &[&str] = if whom.starts_with("local") { &[""] } else { &["0.0.0.0/0", "::/0"] };
        from.iter().map(|from| format!("{whom} all {from} scram-sha-256\n")).collect::<String>()
    });
    fs::write(&path, rules.concat()).map_err(Error::file(&path))
}

/// Refuses a directory whose socket no client could name.
pub fn check_socket_path(dir: &Path) -> Result<(), Error> {
    let longest = dir.join(".s.PGSQL.65535");
    if longest.as_os_str().len() > 107 { Err(Error::SocketPath { dir: dir.to_owned() }) } else { Ok(()) }
}

pub fn write_private(path: &Path, content: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    file.write_all(content.as_bytes())
}

/// unix_socket_directories is a list; quotes keep commas and spaces of the path together.
fn quoted_list_item(dir: &Path) -> String {
    format!("\"{}\"", dir.display().to_string().replace('"', "\"\""))
}

/// The end of what was logged since `start`.
fn tail(path: &Path, start: u64) -> String {
    let mut text = Vec::new();
    let read = File::open(path).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(start.max(length.saturating_sub(LOG_TAIL))))?;
        file.read_to_end(&mut text)
    });
    match read {
        Ok(_) => String::from_utf8_lossy(&text).trim().to_owned(),
        Err(error) => format!("{} cannot be read: {error}", path.display()),
    }
}
