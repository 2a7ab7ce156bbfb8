//! The same with the Pebble that the sandbox uses: a real one named by PEBBLE_BIN, or our double.

use std::env;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use sandbox::container::{Container, ContainerSpec};
use sandbox::programs::{self, Program};

use super::{processes, spec};
use crate::orphan::wait_until;

/// PEBBLE_BIN, or the double.
fn pebble() -> PathBuf {
    env::var_os("PEBBLE_BIN").map_or_else(|| programs::program("pebble-double").unwrap(), PathBuf::from)
}

/// One request over Pebble's socket; the whole answer.
fn http(socket: &Path, method: &str, path: &str, body: &str) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: pebble\r\nConnection: close\r\nContent-Length: {length}\r\n"
    );
    stream.write_all(format!("{head}Content-Type: application/json\r\n\r\n{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn services_run_and_end_with_the_container() {
    let path = pebble();
    let dir = tempfile::tempdir().unwrap();
    let spec = ContainerSpec { pebble: Program { path, double: false }, ..spec(dir.path()) };
    let home = spec.dir.clone();
    let mut container = Container::start(spec).unwrap();
    assert!(http(&container.socket(), "GET", "/v1/system-info", "").contains("200 OK"));
    assert_eq!(processes(&home).len(), 1, "--hold: nothing but Pebble runs");

    let layer = "services: {kratos: {override: replace, command: kratos 300}}";
    let body =
        serde_json::json!({"action": "add", "combine": true, "label": "l", "format": "yaml", "layer": layer});
    let answer = http(&container.socket(), "POST", "/v1/layers", &body.to_string());
    assert!(answer.contains("200 OK"), "{answer}");
    let start = r#"{"action":"start","services":["kratos"]}"#;
    let answer = http(&container.socket(), "POST", "/v1/services", start);
    assert!(answer.contains("202 Accepted"), "{answer}");
    wait_until("the start of the service", || processes(&home).len() == 2);

    container.kill();
    container.stop();
    assert_eq!(processes(&home), [""; 0]);
    container.restart(super::image("v1.3.1")).unwrap();
    let answer = http(&container.socket(), "GET", "/v1/plan?format=yaml", "");
    assert!(answer.contains(r#""{}\n""#), "a new container knows no layers: {answer}");
    container.stop();
    assert_eq!(processes(&home), [""; 0]);
}
