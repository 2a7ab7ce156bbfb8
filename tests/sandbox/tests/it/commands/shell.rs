//! The program `sandbox`: commands from a pipe, exit codes, and that nothing of it stays.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::model::support::Charm;

// In a temporary directory of its own, so that what it leaves can be seen.
fn shell(tmp: &std::path::Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_sandbox"))
        .arg("shell")
        .env_remove("CARGO")
        .env("TMPDIR", tmp)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn left(tmp: &std::path::Path) -> Vec<PathBuf> {
    std::fs::read_dir(tmp).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_pipe_stops_at_the_first_failure_with_its_code() {
    let (tmp, charm) = (tempfile::tempdir().unwrap(), Charm::new("app", "", "true"));
    let mut child = shell(tmp.path());
    let script = format!("# a comment\n\njuju deploy {}\nconfig app nope=1\nstatus\n", charm.path());
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(1), "{stderr}");
    assert!(stderr.ends_with("ERROR unknown option \"nope\"\n"), "{stderr}");
    assert!(out.stdout.is_empty(), "status did not run");
    assert!(left(tmp.path()).is_empty());
}

#[test]
fn a_signal_ends_what_runs_and_removes_everything() {
    let (tmp, charm) =
        (tempfile::tempdir().unwrap(), Charm::new("app", "", "[ $hook != start ] || exec sleep 1000"));
    let mut child = shell(tmp.path());
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "deploy {}", charm.path()).unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    assert!(stderr.lines().any(|line| line.unwrap().starts_with("Deploying \"app\"")));
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < deadline, "it did not end");
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(status.code(), Some(143));
    assert!(left(tmp.path()).is_empty());
}

#[test]
fn even_a_kill_takes_its_charms_along() {
    let tmp = tempfile::tempdir().unwrap();
    let charm = Charm::new("app", "", "[ $hook != start ] || { echo $$ > \"$0.pid\"; exec sleep 1000; }");
    let mut child = shell(tmp.path());
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "deploy {}", charm.path()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let pid = loop {
        let units = left(tmp.path()).into_iter().map(|dir| dir.join("u/app-0/charm/dispatch.pid"));
        let written =
            units.filter_map(|file| std::fs::read_to_string(file).ok()).find(|it| it.ends_with('\n'));
        if let Some(pid) = written {
            break pid.trim().to_owned();
        }
        assert!(Instant::now() < deadline, "the charm did not start");
        std::thread::sleep(Duration::from_millis(5));
    };
    child.kill().unwrap();
    child.wait().unwrap();
    // Reparented processes are reaped by init, or stay as zombies where there is none.
    let lives =
        || std::fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| !environment.is_empty());
    while lives() {
        assert!(Instant::now() < deadline, "the charm lives on");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn pack_writes_a_charm_that_can_be_read_again() {
    let tmp = tempfile::tempdir().unwrap();
    let file = tmp.path().join("kratos.charm");
    let out = Command::new(env!("CARGO_BIN_EXE_sandbox"))
        .args(["pack", file.to_str().unwrap()])
        .env_remove("CARGO")
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let mut archive = zip::ZipArchive::new(std::fs::File::open(&file).unwrap()).unwrap();
    let mode = archive.by_name("dispatch").unwrap().unix_mode().unwrap();
    assert_eq!(mode & 0o777, 0o755);
    assert!(archive.by_name("metadata.yaml").is_ok() && archive.by_name("manifest.yaml").is_ok());
}
