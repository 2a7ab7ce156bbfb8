//! What the charm relies on when it runs commands in the workload, through its own client.
//!
//! Runs against the sandbox's double, or against a real Pebble when PEBBLE_BIN names its binary.

use super::ended::{Ended, run_within};
use super::{Daemon, PATIENCE, Stray, alive, sh, until};
use kratos_operator::pebble::{Error, ExecRequest, Output, Process};
use std::time::{Duration, Instant};

async fn run(daemon: &Daemon, request: ExecRequest) -> Ended {
    run_within(&daemon.client, request, PATIENCE).await.unwrap()
}

/// The first line of output, as a process id.
async fn first_pid(process: &mut Process) -> i32 {
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        match process.next_output().await {
            Some(Output::Stdout(bytes)) => line.extend_from_slice(&bytes),
            other => panic!("no process id: {other:?}"),
        }
    }
    String::from_utf8(line).unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn output_streams_come_apart_or_together() {
    let daemon = Daemon::start().await;
    let apart = run(&daemon, sh("echo out; echo err >&2; printf '\\377\\303'")).await;
    let expected = Ended { code: 0, stdout: b"out\n\xff\xc3".to_vec(), stderr: b"err\n".to_vec() };
    assert_eq!(apart, expected);
    let together = run(&daemon, ExecRequest { split_stderr: false, ..sh("echo out; echo err >&2") }).await;
    assert_eq!((together.stdout.as_slice(), together.stderr.as_slice()), (&b"out\nerr\n"[..], &b""[..]));
}

#[tokio::test]
async fn exit_codes_are_results() {
    let daemon = Daemon::start().await;
    assert_eq!(run(&daemon, ExecRequest::new(["true"])).await.code, 0);
    assert_eq!(run(&daemon, sh("exit 3")).await.code, 3);
    assert_eq!(run(&daemon, sh("kill -9 $$")).await.code, 137);
    assert_eq!(run(&daemon, sh("kill -15 $$")).await.code, 143);
}

#[tokio::test]
async fn environment_and_directory_are_those_asked_for() {
    let daemon = Daemon::start().await;
    let dir = daemon.files().canonicalize().unwrap();
    let mut request = sh("printf '%s|%s|%s' \"$A\" \"$B\" \"$(pwd)\"");
    request.environment = [("A", "é \"x\"\n"), ("B", "")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    request.working_dir = Some(dir.to_str().unwrap().to_owned());
    let text = String::from_utf8(run(&daemon, request).await.stdout).unwrap();
    assert_eq!(text, format!("é \"x\"\n||{}", dir.display()));

    daemon.add("l", &format!("services: {{s: {{override: replace, command: sleep 1, environment: {{A: svc, B: svc}}, working-dir: {}}}}}", dir.display())).await;
    let mut request = sh("printf '%s|%s|%s' \"$A\" \"$B\" \"$(pwd)\"");
    request.environment.insert("B".to_owned(), "mine".to_owned());
    request.service_context = Some("s".to_owned());
    let text = String::from_utf8(run(&daemon, request).await.stdout).unwrap();
    assert_eq!(text, format!("svc|mine|{}", dir.display()));
}

#[tokio::test]
async fn a_reader_sees_the_end_of_its_input_at_once() {
    let daemon = Daemon::start().await;
    assert_eq!(run(&daemon, ExecRequest::new(["cat"])).await.stdout, b"");
}

#[tokio::test]
async fn big_output_is_whole_and_nobody_has_to_read_it() {
    let daemon = Daemon::start().await;
    let request = || sh("i=0; while [ $i -lt 200000 ]; do echo 0123456789abcdef; i=$((i+1)); done");
    let output = run(&daemon, request()).await;
    assert_eq!(output.stdout.len(), 200_000 * 17);
    assert!(output.stdout.chunks(17).all(|line| line == b"0123456789abcdef\n"));
    let mut unread = daemon.client.exec(request()).await.unwrap();
    assert_eq!(unread.wait(PATIENCE).await.unwrap(), 0);
}

#[tokio::test]
async fn signals_reach_the_command() {
    let daemon = Daemon::start().await;
    let mut process = daemon.client.exec(sh("echo $$; exec sleep 600")).await.unwrap();
    first_pid(&mut process).await;
    assert_eq!(process.send_signal("TERM").await.unwrap_err().kind(), "input");
    process.send_signal("SIGTERM").await.unwrap();
    assert_eq!(process.wait(PATIENCE).await.unwrap(), 143);
    until("the end of the command is known", || async {
        process.send_signal("SIGTERM").await.is_err_and(|error| error.kind() == "exec")
    })
    .await;
}

#[tokio::test]
async fn what_cannot_run_is_an_error() {
    let daemon = Daemon::start().await;
    let refused = async |request: ExecRequest| match daemon.client.exec(request).await {
        Err(Error::Api { code, message, .. }) => (code, message),
        other => panic!("{other:?}"),
    };
    let (code, message) = refused(ExecRequest::new(["no-such-program"])).await;
    assert_eq!(
        (code, message.contains("cannot find executable \"no-such-program\"")),
        (400, true),
        "{message}"
    );
    assert_eq!(refused(ExecRequest::new::<String>([])).await.0, 400);
    let nowhere = ExecRequest { working_dir: Some("/nonexistent".to_owned()), ..ExecRequest::new(["true"]) };
    assert_eq!(refused(nowhere).await.0, 500);
    let nobody = ExecRequest { service_context: Some("nobody".to_owned()), ..ExecRequest::new(["true"]) };
    assert_eq!(refused(nobody).await.0, 400);

    // A program that is there but cannot be started fails its change.
    let file = daemon.file("broken");
    std::fs::write(&file, b"\x7fELF nonsense").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let error = run_within(&daemon.client, ExecRequest::new([file]), PATIENCE).await.unwrap_err();
    assert!(matches!(&error, Error::Change { err, .. } if err.contains("exec format error")), "{error:?}");
}

#[tokio::test]
async fn pebble_kills_a_command_at_its_timeout() {
    let daemon = Daemon::start().await;
    let mut request = sh("trap '' TERM; echo $$; exec sleep 600");
    request.timeout = Some(Duration::from_millis(400));
    let begin = Instant::now();
    let mut process = daemon.client.exec(request).await.unwrap();
    let pid = first_pid(&mut process).await;
    let error = process.wait(PATIENCE).await.unwrap_err();
    assert!(
        matches!(&error, Error::Change { err, .. } if err.contains("timed out after 400ms")),
        "{error:?}"
    );
    assert!(begin.elapsed() < Duration::from_secs(4) && !alive(pid));
}

#[tokio::test]
async fn our_own_limit_holds_when_a_grandchild_keeps_the_output() {
    let daemon = Daemon::start().await;
    let mut request = sh("sleep 600 & echo $!; wait");
    request.timeout = Some(Duration::from_millis(200));
    let mut process = daemon.client.exec(request).await.unwrap();
    let grandchild = Stray(first_pid(&mut process).await);
    let begin = Instant::now();
    let error = process.wait(Duration::from_millis(800)).await.unwrap_err();
    assert!(matches!(&error, Error::Timeout { what, .. } if what.contains("/bin/sh")), "{error:?}");
    assert!(begin.elapsed() < Duration::from_secs(4) && alive(grandchild.0));
    // Once the grandchild is gone, Pebble's own verdict comes.
    drop(grandchild);
    assert_eq!(process.wait(PATIENCE).await.unwrap_err().kind(), "change");
}

#[tokio::test]
async fn a_dropped_command_is_killed() {
    let daemon = Daemon::start().await;
    let mut process = daemon.client.exec(sh("echo $$; exec sleep 600")).await.unwrap();
    let pid = first_pid(&mut process).await;
    let id = process.change_id().clone();
    assert!(alive(pid));
    drop(process);
    until("the command is gone", || async { !alive(pid) }).await;
    let change = daemon.wait(id).await.unwrap();
    assert_eq!(change.tasks[0].data["exit-code"], 137);

    let begin = Instant::now();
    let file = daemon.file("pid");
    let request = sh(&format!("echo $$ > {file}; exec sleep 600"));
    let error = run_within(&daemon.client, request, Duration::from_secs(1)).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    assert!(begin.elapsed() < Duration::from_secs(5));
    let pid = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
    until("the command is gone", || async { !alive(pid) }).await;
}

#[tokio::test]
async fn commands_run_beside_each_other() {
    let daemon = Daemon::start().await;
    let begin = Instant::now();
    let runs: Vec<_> = (0..10)
        .map(|n| {
            let client = daemon.client.clone();
            tokio::spawn(
                async move { run_within(&client, sh(&format!("sleep 1; echo {n}")), PATIENCE).await },
            )
        })
        .collect();
    for (n, run) in runs.into_iter().enumerate() {
        assert_eq!(run.await.unwrap().unwrap().stdout, format!("{n}\n").into_bytes());
    }
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
}
