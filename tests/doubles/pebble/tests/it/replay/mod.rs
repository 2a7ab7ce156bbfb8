//! Replays the recordings of a real Pebble against the double and compares status, content type and body; what recordings
//! cannot show (its own beginning and end) is tested beside it.
//!
//! Every recording is either replayed or named in the list of those that are not, so that none is forgotten.

mod compare;
mod double;
mod excluded;
mod layers;
mod lifecycle;
mod sockets;
mod stage;
mod target;

use std::{path::Path, sync::Mutex};

use base64::Engine as _;
use serde_json::Value;

use compare::{Compare, parts};
use double::{Double, Response};
use excluded::{EXCLUDED, ROOT_ONLY};
use stage::Stage;
use target::Target;

/// Variables that a double has beside a clean environment.
type Variables = &'static [(&'static str, &'static str)];

/// The prefixes that are replayed one after the other on the same double, and its additional environment.
const GROUPS: &[(&[&str], Variables)] = &[
    (&["01-"], &[]),
    (&["02-"], &[]),
    (&["03-", "04-"], &[]),
    (&["05-"], &[]),
    (&["06-"], &[]),
    (&["08-"], &[("DAEMON_VAR", "from-daemon")]),
    (&["09-"], &[]),
    (&["10-"], &[("PEBBLE_DEBUG", "1")]),
    (&["12-"], &[]),
    (&["13-"], &[]),
    (&["14-"], &[]),
    (&["15-"], &[]),
    (&["16-"], &[]),
    (&["17-", "18-"], &[]),
    (&["20-"], &[]),
    (&["21-more-091"], &[]),
    (&["21-"], &[]),
    (&["22-"], &[]),
    (&["23-"], &[]),
];

/// The groups whose daemon is not root.
const UNPRIVILEGED: &[&str] = &["06-", "21-more-091"];

struct Recording {
    name: String,
    content: Value,
}

fn listed<T>(list: &[T], name: &str, prefix: impl Fn(&T) -> &str) -> bool {
    list.iter().any(|item| name.starts_with(prefix(item)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_double_answers_as_recorded() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recordings/pebble.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let root = nix::unistd::Uid::effective().is_root();
    let (mut excluded, mut for_root) = (0, 0);
    let mut recordings = Vec::new();
    for line in text.lines() {
        let content: Value = serde_json::from_str(line).unwrap();
        let name = content["name"].as_str().unwrap().to_owned();
        if listed(EXCLUDED, &name, |(prefix, _)| prefix) {
            excluded += 1;
        } else if !root && listed(ROOT_ONLY, &name, |prefix| prefix) {
            for_root += 1;
        } else {
            recordings.push(Recording { name, content });
        }
    }
    let replayed = recordings.len();
    let mut running = Vec::new();
    for (prefixes, variables) in GROUPS {
        let (of_group, others): (Vec<_>, Vec<_>) = recordings
            .into_iter()
            .partition(|recording| prefixes.iter().any(|p| recording.name.starts_with(p)));
        recordings = others;
        if !of_group.is_empty() {
            running.push(tokio::spawn(group(of_group, variables)));
        }
    }
    let forgotten: Vec<&str> = recordings.iter().map(|recording| recording.name.as_str()).collect();
    assert!(forgotten.is_empty(), "neither replayed nor excluded: {forgotten:?}");
    let mut differences = Vec::new();
    for group in running {
        differences.extend(group.await.unwrap_or_else(|error| vec![format!("a group broke off: {error}")]));
    }
    println!("{replayed} recordings replayed, {excluded} excluded, {for_root} need root");
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}

/// Replays a group on a fresh double; gives the differences.
async fn group(recordings: Vec<Recording>, variables: Variables) -> Vec<String> {
    let first = recordings.first().map_or("", |recording| recording.name.as_str());
    let double = if UNPRIVILEGED.iter().any(|p| first.starts_with(p)) {
        Double::unprivileged().await
    } else {
        Double::start(variables).await
    };
    let mut compare = Compare::new(&double.root);
    let target = Target::start().await;
    compare.replace("46813", &target.port.to_string());
    let mut stage = Stage { double, compare: Mutex::new(compare), target, after: None, later: None };
    let mut differences = Vec::new();
    let together = first.starts_with("09") || first.starts_with("10");
    let mut sessions = Vec::new();
    for recording in &recordings {
        stage.before(&recording.name).await;
        if recording.content["kind"] == "exec-session" && together {
            sessions.push(recording);
            continue;
        }
        if let Err(difference) = one(&mut stage, recording).await {
            differences.push(format!("{}: {difference}", recording.name));
        }
    }
    // These take their time, and none needs another.
    let shared = &stage;
    let sessions = sessions.into_iter().map(|recording| async move {
        session(shared, &recording.content)
            .await
            .err()
            .map(|difference| format!("{}: {difference}", recording.name))
    });
    differences.extend(futures_util::future::join_all(sessions).await.into_iter().flatten());
    // One, like the real daemon, when a request was still open.
    let code = stage.double.stop().await;
    if !matches!(code, Some(0 | 1)) {
        differences.push(format!("{first}: the double ended with {code:?}"));
    }
    differences
}

async fn one(stage: &mut Stage, recording: &Recording) -> Result<(), String> {
    if recording.content["kind"] == "exec-session" {
        return session(stage, &recording.content).await;
    }
    let later = stage.later.take();
    let stage = &*stage;
    let afterwards = async {
        if let Some((delay, target, body)) = later {
            tokio::time::sleep(delay).await;
            stage.double.post(target, &body).await;
        }
    };
    let (response, ()) = tokio::join!(send(stage, &recording.content["request"]), afterwards);
    same(stage, &recording.content["response"], &response)
}

/// Sends a recorded request as it stands, with paths and ids of this run.
async fn send(stage: &Stage, request: &Value) -> Response {
    let (target, headers, body) = {
        let compare = stage.compare.lock().expect("no panic");
        let mut target: Vec<String> =
            request["path"].as_str().unwrap_or_default().split('/').map(str::to_owned).collect();
        match target.get(2).map(String::as_str) {
            Some("changes") if target.len() > 3 => target[3] = compare.id("change", &target[3]),
            Some("tasks") if target.len() > 3 => target[3] = compare.id("task", &target[3]),
            _ => {}
        }
        let mut target = target.join("/");
        let pairs: Vec<(String, Value)> = match &request["query"] {
            Value::Object(fields) => fields.clone().into_iter().collect(),
            Value::Array(pairs) => pairs
                .iter()
                .map(|pair| (pair[0].as_str().unwrap_or_default().to_owned(), pair[1].clone()))
                .collect(),
            _ => Vec::new(),
        };
        let mut separator = '?';
        for (name, value) in pairs {
            let values = value.as_array().cloned().unwrap_or_else(|| vec![value]);
            for value in values {
                let mut value = compare.here(value.as_str().unwrap_or_default());
                if name == "after" && value.len() > 20 {
                    value = stage.after.clone().unwrap_or(value);
                }
                let value = percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC);
                target.push_str(&format!("{separator}{name}={value}"));
                separator = '&';
            }
        }
        let headers: Vec<(String, String)> = request["headers"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect();
        let body = match &request["body"] {
            Value::Null => Vec::new(),
            Value::String(text) => compare.here(text).into_bytes(),
            other => compare.value_here(other).to_string().into_bytes(),
        };
        (target, headers, body)
    };
    stage.double.send(request["method"].as_str().unwrap_or_default(), &target, &headers, &body).await
}

/// Compares a response with the recorded one.
fn same(stage: &Stage, recorded: &Value, actual: &Response) -> Result<(), String> {
    let status = recorded["status"].as_u64().unwrap_or_default();
    if u64::from(actual.status) != status {
        return Err(format!("status {status} recorded, {} here: {}", actual.status, actual.json()));
    }
    let media = |text: &str| text.split("boundary").next().unwrap_or_default().trim().to_owned();
    let recorded_type = recorded["content_type"].as_str().unwrap_or_default();
    if media(recorded_type) != media(actual.header("content-type")) {
        return Err(format!(
            "content type {recorded_type:?} recorded, {:?} here",
            actual.header("content-type")
        ));
    }
    let mut compare = stage.compare.lock().expect("no panic");
    let text = match &recorded["body"] {
        Value::String(text) => text,
        json => return compare.json("body", json, &actual.json()),
    };
    let bytes = match text.strip_prefix("base64:") {
        Some(text) => base64::engine::general_purpose::STANDARD.decode(text).expect("base64"),
        None => text.as_bytes().to_vec(),
    };
    let boundary = |content_type: &str| {
        content_type.split_once("boundary=").map(|(_, b)| b.trim_matches('"').to_owned())
    };
    if let (Some(a), Some(b)) = (boundary(recorded_type), boundary(actual.header("content-type"))) {
        return same_parts(&mut compare, &parts(&bytes, &a), &parts(&actual.body, &b));
    }
    let (a, b) = (String::from_utf8_lossy(&bytes), String::from_utf8_lossy(&actual.body));
    let (a, b): (Vec<&str>, Vec<&str>) = (a.lines().collect(), b.lines().collect());
    if a.len() != b.len() {
        return Err(format!("{} lines recorded, {} here: {b:?}", a.len(), b.len()));
    }
    for (a, b) in a.iter().zip(&b) {
        let line = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
        compare.json("line", &line(a), &line(b))?;
    }
    Ok(())
}

fn same_parts(
    compare: &mut Compare,
    recorded: &[(String, Vec<u8>)],
    actual: &[(String, Vec<u8>)],
) -> Result<(), String> {
    if recorded.len() != actual.len() {
        return Err(format!("{} parts recorded, {} here", recorded.len(), actual.len()));
    }
    for ((head, content), (actual_head, actual_content)) in recorded.iter().zip(actual) {
        let head = compare.here(head);
        if head != *actual_head {
            return Err(format!("part {head:?} recorded, {actual_head:?} here"));
        }
        if head.contains("application/json") {
            let json = |bytes: &[u8]| serde_json::from_slice(bytes).unwrap_or(Value::Null);
            compare.json("part", &json(content), &json(actual_content))?;
            continue;
        }
        // The file that shows the name of the daemon's process.
        let content: &[u8] = if content == b"pebble\n\r\n" { b"pebble-double\n\r\n" } else { content };
        if content != &actual_content[..] {
            let shown = String::from_utf8_lossy(actual_content).into_owned();
            return Err(format!("content {:?} recorded, {shown:?} here", String::from_utf8_lossy(content)));
        }
    }
    Ok(())
}

/// Plays an exec session: the request, then what went over its websockets.
async fn session(stage: &Stage, recording: &Value) -> Result<(), String> {
    let response = send(stage, &recording["request"]).await;
    same(stage, &recording["response"], &response)?;
    let answer = response.json();
    let task = answer["result"]["task-id"].as_str().unwrap_or_default();
    let change = answer["change"].as_str().unwrap_or_default();
    let timeline = recording["timeline"].as_array().cloned().unwrap_or_default();
    sockets::play(&stage.double, &stage.compare, &timeline, task, change).await
}
