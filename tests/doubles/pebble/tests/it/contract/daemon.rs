//! What the charm relies on in Pebble, through its own client: the plan, services, changes, checks, logs.
//!
//! Runs against the sandbox's double, or against a real Pebble when PEBBLE_BIN names its binary, so that the
//! double is held to what the real one does.

use super::{Daemon, PATIENCE, alive, sh, until};
use kratos_operator::pebble::{ChangeId, CheckLevel, CheckStatus, Error, Layer, Override, Service, Startup};
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

fn api(error: &Error) -> (u16, &str) {
    match error {
        Error::Api { code, message, .. } => (*code, message),
        other => panic!("not refused by Pebble: {other:?}"),
    }
}

#[tokio::test]
async fn layers_combine_to_the_plan() {
    let daemon = Daemon::start().await;
    let client = &daemon.client;
    assert_eq!(client.plan().await.unwrap(), Default::default());
    client.add_layer("empty", &Layer::default(), false).await.unwrap();

    // Texts that YAML would take for something else.
    let odd = [
        "yes",
        "~",
        "null",
        "1_000",
        "0x1f",
        "1e3",
        "",
        " x ",
        "a: b",
        "#",
        "<<",
        "two\nlines\n",
        "é ☃",
        "'\"\\",
    ];
    let environment: BTreeMap<_, _> =
        odd.iter().enumerate().map(|(n, v)| (format!("V{n}"), (*v).to_owned())).collect();
    let service = Service {
        summary: Some("s".to_owned()),
        startup: Some(Startup::Disabled),
        override_: Some(Override::Replace),
        command: Some("/bin/sh -c \"echo 'a b'; sleep 60\"".to_owned()),
        environment,
        kill_delay: Some("2s".to_owned()),
        backoff_factor: Some(1.5),
        ..Service::default()
    };
    let layer = Layer { services: BTreeMap::from([("a".to_owned(), service.clone())]), ..Layer::default() };
    client.add_layer("base", &layer, false).await.unwrap();
    assert_eq!(client.plan().await.unwrap().services["a"], service);

    let again = client.add_layer("base", &layer, false).await.unwrap_err();
    assert_eq!(api(&again), (400, "layer \"base\" already exists"));

    daemon.add("base", "services: {a: {override: merge, environment: {V0: 'no', NEW: x}}}").await;
    let merged = client.plan().await.unwrap().services.remove("a").unwrap();
    assert_eq!((merged.environment["V0"].as_str(), merged.environment["NEW"].as_str()), ("no", "x"));
    assert_eq!((merged.environment.len(), &merged.command), (odd.len() + 1, &service.command));

    let before = client.plan().await.unwrap();
    for bad in [
        "services: {b: {command: x}}",
        "services: {b: {override: replace}}",
        "services: {b: {override: replace, command: x, after: [nobody], requires: [nobody], colour: red}}",
        "checks: {c: {override: replace, period: soon, tcp: {port: 1}}}",
    ] {
        let layer: Layer = serde_yaml::from_str(bad).unwrap();
        assert_eq!(api(&client.add_layer("bad", &layer, true).await.unwrap_err()).0, 400, "{bad}");
    }
    assert_eq!(client.plan().await.unwrap(), before);
}

#[tokio::test]
async fn a_service_starts_stops_and_starts_again() {
    let daemon = Daemon::start().await;
    let client = &daemon.client;
    daemon.add("l", "services: {a: {override: replace, command: sleep 600}, b: {override: replace, command: sleep 600}}").await;
    assert_eq!(daemon.current("a").await, "inactive");
    assert_eq!(client.services_all().await.unwrap().len(), 2);
    assert!(client.services(&["nobody"]).await.unwrap().is_empty());

    let begin = Instant::now();
    let id = client.restart(&["a"]).await.unwrap();
    until("a is active before the start is done", || async { daemon.current("a").await == "active" }).await;
    let change = daemon.wait(id).await.unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(950), "Pebble watches a new process for a second");
    assert_eq!((change.kind.as_str(), change.summary.as_str()), ("restart", "Restart service \"a\""));
    assert!(client.services(&["a"]).await.unwrap()[0].current_since.is_some());

    daemon.wait(client.restart(&["a"]).await.unwrap()).await.unwrap();
    assert_eq!(daemon.current("a").await, "active");
    daemon.wait(client.stop(&["a"]).await.unwrap()).await.unwrap();
    assert_eq!(daemon.current("a").await, "inactive");
    daemon.wait(client.stop(&["a"]).await.unwrap()).await.unwrap();

    let unknown = client.restart(&["nobody"]).await.unwrap_err();
    assert_eq!(api(&unknown), (400, "cannot restart services: service \"nobody\" does not exist"));
    let none: [&str; 0] = [];
    assert_eq!(api(&client.stop(&none).await.unwrap_err()).0, 400);
}

#[tokio::test]
async fn a_service_that_exits_at_once_fails_its_start() {
    let daemon = Daemon::start().await;
    let client = &daemon.client;
    daemon
        .add(
            "l",
            "services:
  quick: {override: replace, command: '/bin/sh -c \"echo last words; exit 3\"', backoff-delay: 60s}
  ignored: {override: replace, command: '/bin/sh -c \"exit 4\"', on-failure: ignore}
  missing: {override: replace, command: /nonexistent/program}",
        )
        .await;
    let error = daemon.wait(client.restart(&["quick"]).await.unwrap()).await.unwrap_err();
    let Error::Change { err, logs, .. } = &error else { panic!("{error:?}") };
    assert!(err.contains("service start attempt: exited quickly with code 3, will restart"), "{err}");
    assert!(logs.iter().any(|log| log.contains("last words")), "{logs:?}");
    assert_eq!(daemon.current("quick").await, "backoff");
    daemon.wait(client.stop(&["quick"]).await.unwrap()).await.unwrap();
    assert_eq!(daemon.current("quick").await, "inactive");

    daemon.wait(client.restart(&["ignored"]).await.unwrap()).await.unwrap_err();
    assert_eq!(daemon.current("ignored").await, "error");
    let error = daemon.wait(client.restart(&["missing"]).await.unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("no such file or directory"), "{error}");
}

#[tokio::test]
async fn a_crashed_service_comes_back_after_a_pause() {
    let daemon = Daemon::start().await;
    let file = daemon.file("pids");
    let command = format!("/bin/sh -c \"echo $$ >> {file}; exec sleep 600\"");
    daemon.add("l", &format!("services: {{a: {{override: replace, command: '{command}'}}}}")).await;
    daemon.wait(daemon.client.restart(&["a"]).await.unwrap()).await.unwrap();
    let pids = || {
        std::fs::read_to_string(&file)
            .unwrap_or_default()
            .lines()
            .map(|l| l.parse().unwrap())
            .collect::<Vec<i32>>()
    };
    let first = pids()[0];
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(first), Signal::SIGKILL).unwrap();
    until("it backs off", || async { daemon.current("a").await == "backoff" }).await;
    until("it runs again", || async { daemon.current("a").await == "active" && pids().len() == 2 }).await;
    assert!(!alive(first));
}

#[tokio::test]
async fn changes_are_waited_for() {
    let daemon = Daemon::start().await;
    let client = &daemon.client;
    daemon.add("l", "services: {a: {override: replace, command: sleep 600, on-failure: ignore}}").await;
    let id = client.restart(&["a"]).await.unwrap();
    let late = client.wait_change(&id, Duration::from_millis(50)).await.unwrap_err();
    assert!(matches!(&late, Error::Timeout { what, .. } if what.contains(&id.to_string())), "{late:?}");
    assert!(!client.change(&id).await.unwrap().ready);
    daemon.wait(id.clone()).await.unwrap();
    assert!(client.change(&id).await.unwrap().ready);

    let nobody = ChangeId::from("9999");
    assert_eq!(api(&client.change(&nobody).await.unwrap_err()), (404, "cannot find change with id \"9999\""));
    assert!(client.wait_change(&nobody, PATIENCE).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn checks_go_down_and_up_and_can_be_run_at_once() {
    let daemon = Daemon::start().await;
    let client = &daemon.client;
    let file = daemon.file("healthy");
    std::fs::write(&file, "").unwrap();
    daemon
        .add(
            "l",
            &format!(
                "checks:
  e: {{override: replace, level: alive, period: 100ms, timeout: 90ms, threshold: 2, exec: {{command: test -e {file}}}}}
  slow: {{override: replace, level: ready, period: 1h, tcp: {{port: 1}}}}
  off: {{override: replace, startup: disabled, period: 1h, exec: {{command: 'true'}}}}"
            ),
        )
        .await;
    let check = async |name: &str| {
        client.checks_all().await.unwrap().into_iter().find(|check| check.name == name).unwrap()
    };
    let slow = check("slow").await;
    assert_eq!((slow.status, slow.level, slow.threshold), (CheckStatus::Up, Some(CheckLevel::Ready), 3));
    assert_eq!(check("off").await.status, CheckStatus::Inactive);
    assert_eq!(client.checks_all().await.unwrap().len(), 3);

    let first = check("e").await.change_id;
    std::fs::remove_file(&file).unwrap();
    until("e is down", || async { check("e").await.status == CheckStatus::Down }).await;
    let down = check("e").await;
    assert!(down.failures >= 2 && down.change_id != first, "{down:?}");
    std::fs::write(&file, "").unwrap();
    until("e is up again", || async { check("e").await.status == CheckStatus::Up }).await;
    assert_eq!(check("e").await.failures, 0);

    let refreshed = client.refresh_check("slow").await.unwrap();
    assert!(refreshed.error.is_some() && refreshed.info.failures == 1, "{refreshed:?}");
    assert_eq!(api(&client.refresh_check("nobody").await.unwrap_err()).0, 404);

    assert_eq!(client.stop_checks(&["off", "e"]).await.unwrap(), ["e"]);
    assert_eq!(check("e").await.status, CheckStatus::Inactive);
    let unknown = client.stop_checks(&["b", "a"]).await.unwrap_err();
    assert_eq!(api(&unknown).0, 400);
    daemon.add("other", "summary: a layer without checks").await;
    assert_eq!(check("e").await.status, CheckStatus::Up, "an enabled check comes back with any layer");
}

#[tokio::test]
async fn logs_keep_the_last_lines_of_a_service() {
    let daemon = Daemon::start().await;
    let client = &daemon.client;
    daemon
        .add(
            "l",
            "services:
  a: {override: replace, command: '/bin/sh -c \"for i in 1 2 3; do echo line $i; done; echo ''<é>'' >&2; exec sleep 600\"'}
  b: {override: replace, command: sleep 600}",
        )
        .await;
    daemon.wait(client.restart(&["a", "b"]).await.unwrap()).await.unwrap();
    let all = client.logs(&["a", "b"], None).await.unwrap();
    let texts: Vec<_> = all.iter().map(|entry| (entry.service.as_str(), entry.message.as_str())).collect();
    assert_eq!(texts, [("a", "line 1"), ("a", "line 2"), ("a", "line 3"), ("a", "<é>")]);
    assert_eq!(client.logs(&["a"], Some(2)).await.unwrap(), all[2..]);
    assert!(client.logs(&["nobody"], None).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_daemon_that_dies_while_we_wait_is_a_connection_error() {
    let mut daemon = Daemon::start().await;
    let mut process = daemon.client.exec(sh("echo $$; exec sleep 600")).await.unwrap();
    let Some(kratos_operator::pebble::Output::Stdout(pid)) = process.next_output().await else { panic!() };
    let _stray = super::Stray(std::str::from_utf8(&pid).unwrap().trim().parse().unwrap());
    let id = process.change_id().clone();
    let (waited, ()) =
        tokio::join!(daemon.client.wait_change(&id, PATIENCE), async { daemon.signal(Signal::SIGKILL) });
    assert!(waited.as_ref().is_err_and(Error::is_connection), "{waited:?}");
    assert!(process.wait(PATIENCE).await.unwrap_err().is_connection());
    daemon.ended().await;
    let error = daemon.client.plan().await.unwrap_err();
    assert!(
        matches!(&error, Error::Connection { source, .. } if source.kind() == ErrorKind::ConnectionRefused),
        "{error:?}"
    );

    daemon.restart().await;
    assert!(daemon.client.services_all().await.unwrap().is_empty());
    let mut process = daemon.client.exec(sh("echo $$; exec sleep 600")).await.unwrap();
    assert!(process.next_output().await.is_some());
    let id = process.change_id().clone();
    let (waited, ()) =
        tokio::join!(daemon.client.wait_change(&id, PATIENCE), async { daemon.signal(Signal::SIGTERM) });
    // A daemon that stops may still answer, with the command killed, or close the connection.
    match waited {
        Ok(change) => assert_eq!(change.tasks[0].data["exit-code"], 137),
        Err(error) => assert!(error.is_connection(), "{error:?}"),
    }
    drop(process);
    daemon.ended().await;
    let error = daemon.client.plan().await.unwrap_err();
    assert!(
        matches!(&error, Error::Connection { source, .. } if source.kind() == ErrorKind::NotFound),
        "{error:?}"
    );
}
