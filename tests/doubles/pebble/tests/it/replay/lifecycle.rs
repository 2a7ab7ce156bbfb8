//! The double's own beginning and end, which no recording can show: the socket, who is let in, what is left behind, what
//! outlives a restart.
//!
//! It starts the real program in a directory of its own and looks from outside.

use std::{os::unix::fs::PermissionsExt, path::Path, time::Duration};

use super::double::Double;
use serde_json::json;

async fn layer(double: &Double, text: &str) {
    let body = json!({"action": "add", "combine": true, "label": "l", "format": "yaml", "layer": text});
    double.post("/v1/layers", &body).await;
}

async fn start(double: &Double, service: &str) -> String {
    let change = double.post("/v1/services", &json!({"action": "start", "services": [service]})).await;
    let change = change["change"].as_str().expect("a change").to_owned();
    double.get(&format!("/v1/changes/{change}/wait?timeout=20s")).await;
    change
}

/// Polls until a file that a command writes its process number into is there.
async fn process(file: &Path) -> u32 {
    for _ in 0..2000 {
        if let Some(pid) = std::fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok()) {
            return pid;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{file:?} was not written");
}

/// A process that is gone, or only waits for its parent to take notice.
fn gone(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_none_or(|rest| rest.trim().is_empty() || rest.trim_start().starts_with('Z'))
}

async fn vanishes(pid: u32) {
    for _ in 0..2000 {
        if gone(pid) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("process {pid} is still there");
}

#[tokio::test]
async fn the_socket_is_open_to_all_and_removed_at_the_end() {
    let mut double = Double::start(&[]).await;
    let mode = std::fs::metadata(double.socket()).expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o666);
    assert_eq!(double.stop().await, Some(0));
    assert!(!double.socket().exists());
}

#[tokio::test]
async fn services_and_what_they_leave_in_their_group_end_with_the_double() {
    let mut double = Double::start(&[]).await;
    let (main, child) = (double.root.join("main"), double.root.join("child"));
    let command = format!(
        "/bin/sh -c 'echo $$ > {}; (trap : TERM; while :; do sleep 0.1; done) >/dev/null 2>&1 & echo $! > {}; \
         exec sleep 1001'",
        main.display(),
        child.display()
    );
    layer(
        &double,
        &format!("services: {{s: {{override: replace, command: \"{command}\", kill-delay: 1s}}}}"),
    )
    .await;
    start(&double, "s").await;
    let (main, child) = (process(&main).await, process(&child).await);
    assert!(!gone(main) && !gone(child));
    assert_eq!(double.stop().await, Some(0));
    vanishes(main).await;
    vanishes(child).await;
}

#[tokio::test]
async fn a_command_is_killed_when_the_double_ends_and_its_change_kept() {
    let mut double = Double::start(&[]).await;
    let file = double.root.join("pid");
    let words =
        ["/bin/sh".to_owned(), "-c".to_owned(), format!("echo $$ > {}; exec sleep 1001", file.display())];
    let answer = double.post("/v1/exec", &json!({"command": words})).await;
    let task = answer["result"]["task-id"].as_str().expect("a task");
    let stream = tokio::net::UnixStream::connect(double.socket()).await.expect("a connection");
    let url = format!("ws://localhost/v1/tasks/{task}/websocket/stdio");
    let (socket, _) = tokio_tungstenite::client_async(url, stream).await.expect("a handshake");
    let pid = process(&file).await;
    double.restart().await;
    vanishes(pid).await;
    drop(socket);
    let change = double.get("/v1/changes/1").await;
    assert_eq!(change["result"]["status"], "Done");
    assert_eq!(change["result"]["tasks"][0]["data"]["exit-code"], 137);
}

#[tokio::test]
async fn ids_go_on_over_a_restart_while_layers_are_lost() {
    let mut double = Double::start(&[]).await;
    layer(&double, "services: {s: {override: replace, command: sleep 1001}}").await;
    assert_eq!(start(&double, "s").await, "1");
    double.restart().await;
    assert_eq!(double.get("/v1/plan?format=yaml").await["result"], "{}\n");
    layer(&double, "services: {s: {override: replace, command: sleep 1001}}").await;
    // The second is the stop of everything.
    assert_eq!(start(&double, "s").await, "3");
}

#[tokio::test]
async fn a_request_that_waits_is_answered_or_dropped_when_the_double_ends() {
    let mut double = Double::start(&[]).await;
    layer(&double, "services: {s: {override: replace, command: sleep 1001}}").await;
    let body = json!({"action": "start", "services": ["s"]});
    double.post("/v1/services", &body).await;
    let socket = double.socket();
    let waiting = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::UnixStream::connect(socket).await.expect("a connection");
        let request = b"GET /v1/changes/1/wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.map(|_| answer)
    });
    for _ in 0..2000 {
        if double.get("/v1/services").await["result"][0]["current"] == "active" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(double.stop().await, Some(0));
    let answer = waiting.await.expect("no panic").expect("an answer");
    assert!(answer.contains("stopped before the 1s okay delay"), "{answer}");
}

#[tokio::test]
async fn a_second_double_does_not_take_the_socket() {
    let double = Double::start(&[]).await;
    let directory = double.socket().parent().expect("a directory").to_owned();
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_pebble-double"))
        .args(["run", "--hold"])
        .env("PEBBLE", &directory)
        .output()
        .await
        .expect("it ran");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("is in use by another daemon"));
    assert_eq!(double.get("/v1/health").await["result"]["healthy"], true);
}

#[tokio::test]
async fn a_service_may_end_the_double_with_its_exit_code() {
    let mut double = Double::start(&[]).await;
    let service = "{override: replace, command: /bin/false, on-failure: shutdown}";
    layer(&double, &format!("services: {{s: {service}}}")).await;
    double.post("/v1/services", &json!({"action": "start", "services": ["s"]})).await;
    assert_eq!(double.ended().await, Some(10));
}
