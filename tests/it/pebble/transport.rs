//! The client against daemons that are absent, frozen, old, or break off.

use super::{Canned, answer};
use kratos_operator::pebble::{
    ChangeId, CheckStatus, Client, Content, Error, ExecRequest, PULL_LIMIT, PathErrorKind, PushFile,
};
use std::io::ErrorKind;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;

fn json(status: u16, body: &str) -> Vec<u8> {
    answer(status, "application/json", body.as_bytes())
}

fn connection(error: Error) -> ErrorKind {
    assert!(error.is_connection() && error.kind() == "connection", "{error:?}");
    let Error::Connection { source, .. } = error else { unreachable!() };
    source.kind()
}

#[tokio::test]
async fn a_daemon_that_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("no.socket");
    let error = Client::new(&missing).plan().await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("no.socket") && text.contains("No such file"), "{text}");
    assert_eq!(connection(error), ErrorKind::NotFound);

    let stale = dir.path().join("stale.socket");
    drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
    assert_eq!(connection(Client::new(&stale).plan().await.unwrap_err()), ErrorKind::ConnectionRefused);

    let long = dir.path().join("x".repeat(200));
    connection(Client::new(&long).plan().await.unwrap_err());
}

#[tokio::test]
async fn a_frozen_daemon_is_a_connection_that_timed_out() {
    let canned = Canned::new(vec![Vec::new(), b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n".to_vec()]);
    let client = canned.client.clone().with_timeout(Duration::from_millis(100));
    let before = Instant::now();
    assert_eq!(connection(client.plan().await.unwrap_err()), ErrorKind::TimedOut);
    assert!(before.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn answers_that_break_off() {
    for half in [
        &b"HTTP/1.1 200"[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{\"type\"",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"typ",
        b"no http at all\r\n\r\n",
    ] {
        let canned = Canned::new(vec![half.to_vec()]);
        connection(canned.client.plan().await.unwrap_err());
    }
}

#[tokio::test]
async fn empty_lists_ask_nothing() {
    let client = Client::new("/nonexistent/pebble.socket");
    let none: [&str; 0] = [];
    assert!(client.services(&none).await.unwrap().is_empty());
    assert!(client.logs(&none, None).await.unwrap().is_empty());
    assert!(client.pull_many(&none).await.unwrap().is_empty());
}

#[tokio::test]
async fn older_daemons_are_understood() {
    let unknown =
        r#"{"type":"error","status-code":404,"result":{"message":"invalid API endpoint requested"}}"#;
    let canned = Canned::new(vec![
        json(200, r#"{"type":"sync","result":{"changed":null}}"#),
        json(200, r#"{"type":"sync","result":null}"#),
        json(
            200,
            r#"{"type":"sync","result":[{"name":"c","status":"sideways"},{"name":"d","startup":"enabled","status":"up"}]}"#,
        ),
        json(404, unknown),
    ]);
    assert!(canned.client.stop_checks(&["c"]).await.unwrap().is_empty());
    assert!(canned.client.services_all().await.unwrap().is_empty());
    let checks = canned.client.checks_all().await.unwrap();
    assert_eq!(checks[0].status, CheckStatus::Other("sideways".to_owned()));
    assert_eq!(checks[1].status, CheckStatus::Inactive);
    let error = canned.client.refresh_check("c").await.unwrap_err();
    assert!(matches!(&error, Error::Unsupported { call } if call == "POST /v1/checks/refresh"), "{error:?}");
}

#[tokio::test]
async fn a_daemon_without_wait_is_polled() {
    let unknown = r#"{"type":"error","result":{"message":"invalid API endpoint requested"}}"#;
    let doing = r#"{"type":"sync","result":{"id":"7","status":"Doing","ready":false}}"#;
    let failed = r#"{"type":"sync","result":{"id":"7","summary":"Start","status":"Error","ready":true,"err":"oh no",
        "tasks":[{"id":"1","status":"Error","log":["T ERROR oh no"]},{"id":"2","status":"Hold"}]}}"#;
    let canned = Canned::new(vec![json(404, unknown), json(200, doing), json(200, failed)]);
    let error = canned.client.wait_change(&ChangeId::from("7"), Duration::from_secs(9)).await.unwrap_err();
    assert_eq!(error.to_string(), "oh no\nlog:\nT ERROR oh no");
    assert!(matches!(error, Error::Change { id, logs, .. } if id == "7" && logs.len() == 1));
    assert!(canned.requests()[0].starts_with("GET /v1/changes/7/wait?timeout=4.000s "));
}

#[tokio::test]
async fn waiting_goes_on_after_a_504_and_ends_at_the_limit() {
    let late = r#"{"type":"error","result":{"message":"timed out"}}"#;
    let gone = r#"{"type":"error","result":{"message":"cannot find change with id \"7\""}}"#;
    let canned = Canned::new(vec![json(504, late), json(504, late), json(404, gone), json(504, late)]);
    let id = ChangeId::from("7");
    let error = canned.client.wait_change(&id, Duration::from_secs(30)).await.unwrap_err();
    assert!(error.is_not_found() && error.kind() == "api", "{error:?}");
    assert_eq!(canned.requests().len(), 3);
    let error = canned.client.wait_change(&id, Duration::ZERO).await.unwrap_err();
    assert!(matches!(&error, Error::Timeout { what, .. } if what.contains('7')), "{error:?}");
    assert!(canned.requests()[3].contains("timeout=0.001s"));
}

const READ: &str = "multipart/form-data; boundary=abc";

fn part(path: &str, content: &str) -> String {
    format!(
        "--abc\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{path}\"\r\n\r\n{content}\r\n"
    )
}

fn results(list: &str) -> String {
    format!(
        "--abc\r\nContent-Disposition: form-data; name=\"response\"\r\n\r\n{{\"type\":\"sync\",\"result\":{list}}}\n\r\n--abc--\r\n"
    )
}

#[tokio::test]
async fn only_the_results_at_the_end_make_a_read_good() {
    let failed = r#"[{"path":"/a","error":{"kind":"generic-file-error","message":"input/output error"}}]"#;
    let good = r#"[{"path":"/a"}]"#;
    let read = |text: String| answer(200, READ, text.as_bytes());
    let canned = Canned::new(vec![
        read(part("/a", "hal") + &results(failed)),
        read(part("/a", "whole")),
        read(results(good)),
        read(part("/other", "x") + &results(good)),
        read(part("/a", "x") + &results(r#"[{"path":"/b"}]"#)),
        json(200, r#"{"type":"sync","result":[]}"#),
        read(part("/a", "whole") + &results(good)),
    ]);
    let client = &canned.client;
    let error = client.pull("/a").await.unwrap_err();
    assert!(
        matches!(&error, Error::Path(e) if e.kind == PathErrorKind::Generic && e.path == "/a"),
        "{error:?}"
    );
    assert_eq!(connection(client.pull("/a").await.unwrap_err()), ErrorKind::UnexpectedEof);
    for what in ["missing content", "unexpected file", "other results", "no files"] {
        assert_eq!(client.pull("/a").await.unwrap_err().kind(), "protocol", "{what}");
    }
    assert_eq!(client.pull("/a").await.unwrap(), b"whole");
}

#[tokio::test]
async fn a_file_that_is_too_large_for_memory_is_refused() {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {READ}\r\n\r\n");
    let mut endless = head.into_bytes();
    endless.extend(part("/a", "").trim_end().bytes());
    endless.extend(b"\r\n\r\n");
    endless.resize(endless.len() + usize::try_from(PULL_LIMIT).unwrap() + 1000, b'x');
    let canned = Canned::new(vec![endless]);
    let error = canned.client.pull("/a").await.unwrap_err();
    assert!(
        matches!(&error, Error::TooLarge { what, limit } if what == "/a" && *limit == PULL_LIMIT),
        "{error:?}"
    );
}

#[tokio::test]
async fn paths_that_cannot_be_sent_are_refused_before_anything_is_sent() {
    let client = Client::new("/nonexistent/pebble.socket");
    for path in ["/a\nb", "/a\rb", "/a\0b"] {
        let error = client.pull(path).await.unwrap_err();
        assert!(error.kind() == "input" && error.to_string().contains("/a"), "{error}");
        assert_eq!(client.push(PushFile::new(path, "x")).await.unwrap_err().kind(), "input");
    }
}

#[tokio::test]
async fn a_reader_that_fails_is_not_blamed_on_the_connection() {
    let canned = Canned::new(vec![Vec::new()]);
    let broken = broken_reader();
    let error = canned.client.push(PushFile::new("/a", Content::reader(broken))).await.unwrap_err();
    assert!(
        matches!(&error, Error::Local { what, source } if what.contains("/a") && source.to_string().contains("broken")),
        "{error:?}"
    );
}

/// A reader that gives some bytes and then fails.
fn broken_reader() -> impl tokio::io::AsyncRead + Send {
    struct Broken(bool);
    impl tokio::io::AsyncRead for Broken {
        fn poll_read(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            buffer: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            if std::mem::replace(&mut self.0, true) {
                return std::task::Poll::Ready(Err(std::io::Error::other("broken")));
            }
            buffer.put_slice(b"some");
            std::task::Poll::Ready(Ok(()))
        }
    }
    Broken(false)
}

#[tokio::test]
async fn a_failed_handshake_of_an_exec_tells_the_reason_of_the_change() {
    let started = r#"{"type":"async","change":"3","result":{"task-id":"3"}}"#;
    let failed = r#"{"type":"sync","result":{"id":"3","status":"Error","ready":true,"err":"cannot perform: fork/exec"}}"#;
    let done = r#"{"type":"sync","result":{"id":"3","status":"Done","ready":true}}"#;
    let canned = Canned::new(vec![
        json(202, started),
        json(500, "{}"),
        json(200, failed),
        json(202, started),
        json(200, ""),
        json(200, done),
        json(202, started),
    ]);
    let exec = || canned.client.exec(ExecRequest::new(["x"]));
    let error = exec().await.unwrap_err();
    assert!(matches!(&error, Error::Change { err, .. } if err.contains("fork/exec")), "{error:?}");
    let error = exec().await.unwrap_err();
    assert!(
        matches!(&error, Error::Api { code: 200, message, .. } if message.contains("control")),
        "{error:?}"
    );
    assert!(exec().await.unwrap_err().is_connection());
}

#[tokio::test]
async fn secrets_do_not_show() {
    let mut request = ExecRequest::new(["kratos", "--token=hidden-a"]);
    request.environment.insert("DSN".to_owned(), "hidden-b".to_owned());
    let service: kratos_operator::pebble::Service =
        serde_yaml::from_str("{command: kratos, environment: {DSN: hidden-c}}").unwrap();
    let check: kratos_operator::pebble::Check = serde_yaml::from_str(
        "{http: {url: u, headers: {A: hidden-d}}, exec: {command: c, environment: {B: hidden-e}}}",
    )
    .unwrap();
    let file = PushFile::new("/a", "hidden-f");
    let shown = format!("{request:?} {service:?} {check:?} {file:?}");
    assert!(!shown.contains("hidden") && shown.contains("DSN"), "{shown}");
    // A plan that cannot be read names the line only.
    let plan = serde_json::json!({"type": "sync", "result": "services:\n  a:\n    environment: hidden-g\n"});
    let canned = Canned::new(vec![json(200, &plan.to_string())]);
    let error = canned.client.plan().await.unwrap_err().to_string();
    assert!(error.contains("line") && !error.contains("hidden"), "{error}");
}

#[tokio::test]
async fn a_writer_that_fails_is_not_blamed_on_the_connection() {
    let text = part("/a", "whole") + &results(r#"[{"path":"/a"}]"#);
    let canned = Canned::new(vec![answer(200, READ, text.as_bytes())]);
    let (mut near, far) = tokio::io::duplex(4);
    drop(far);
    near.flush().await.unwrap();
    let error = canned.client.pull_to("/a", &mut near).await.unwrap_err();
    assert!(matches!(&error, Error::Local { what, .. } if what.contains("/a")), "{error:?}");
}
