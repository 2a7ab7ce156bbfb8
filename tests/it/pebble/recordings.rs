//! The client against what a real Pebble once answered.

use super::{Canned, answer};
use base64::Engine;
use kratos_operator::pebble::{Change, ChangeId, CheckStatus, Error, Layer};
use serde_json::Value;
use std::time::Duration;

struct Recording {
    name: String,
    json: Value,
}

impl Recording {
    fn method(&self) -> &str {
        self.json["request"]["method"].as_str().unwrap_or("")
    }

    fn path(&self) -> &str {
        self.json["request"]["path"].as_str().unwrap_or("")
    }

    fn is(&self, method: &str, path: &str) -> bool {
        self.method() == method && self.path() == path
    }

    fn status(&self) -> u16 {
        self.json["response"]["status"].as_u64().map_or(0, |status| status.try_into().unwrap())
    }

    fn body(&self) -> &Value {
        &self.json["response"]["body"]
    }

    fn result(&self) -> &Value {
        &self.body()["result"]
    }

    /// The values of a query parameter.
    fn query(&self, key: &str) -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match &self.json["request"]["query"] {
            Value::Array(pairs) => pairs.iter().filter(|p| p[0] == key).map(|p| text(&p[1])).collect(),
            query => query.get(key).map(text).into_iter().collect(),
        }
    }

    /// The recorded answer as bytes on the wire.
    fn answer(&self) -> Vec<u8> {
        let body = match self.body() {
            Value::String(text) => match text.strip_prefix("base64:") {
                Some(code) => base64::engine::general_purpose::STANDARD.decode(code).unwrap(),
                None => text.clone().into_bytes(),
            },
            json => serde_json::to_vec(json).unwrap(),
        };
        answer(self.status(), self.json["response"]["content_type"].as_str().unwrap_or(""), &body)
    }

    fn canned(&self) -> Canned {
        Canned::new(vec![self.answer()])
    }
}

/// All recorded plain exchanges.
fn recordings() -> Vec<Recording> {
    let all = super::recordings().into_iter().map(|(name, json)| Recording { name, json });
    all.filter(|r| r.json.get("kind").is_none()).collect()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_recorded_refusal_is_an_error_with_its_code_and_text() {
    let all = recordings();
    let mut seen = 0;
    for recording in all.iter().filter(|r| r.body()["type"] == "error") {
        let name = &recording.name;
        let error = recording.canned().client.plan().await.unwrap_err();
        match error {
            Error::Api { code, kind, message } => {
                assert_eq!(code, recording.status(), "{name}");
                assert_eq!(kind.as_deref(), recording.result()["kind"].as_str(), "{name}");
                assert_eq!(message, recording.result()["message"].as_str().unwrap(), "{name}");
            }
            Error::Unsupported { .. } => assert!([404, 405].contains(&recording.status()), "{name}"),
            other => panic!("{name}: {other}"),
        }
        seen += 1;
    }
    assert!(seen > 100, "only {seen} recorded refusals");
}

#[tokio::test]
async fn every_recorded_wait_ends_as_its_change_did() {
    let all = recordings();
    let (mut good, mut bad) = (0, 0);
    for recording in all.iter().filter(|r| r.path().ends_with("/wait") && r.status() == 200) {
        let (name, result) = (&recording.name, recording.result());
        let id = ChangeId::from(result["id"].as_str().unwrap());
        let waited = recording.canned().client.wait_change(&id, Duration::from_secs(5)).await;
        match (waited, result["err"].as_str()) {
            (Ok(Change { tasks, ready: true, .. }), None) => {
                assert_eq!(tasks.len(), result["tasks"].as_array().map_or(0, Vec::len), "{name}");
                good += 1;
            }
            (Err(Error::Change { err, summary, .. }), Some(expected)) => {
                assert_eq!((err.as_str(), summary.as_str()), (expected, result["summary"].as_str().unwrap()));
                bad += 1;
            }
            (other, _) => panic!("{name}: {other:?}"),
        }
    }
    assert!(good > 20 && bad > 8, "{good} good, {bad} bad");
}

#[tokio::test]
async fn lists_and_plans_are_read_whole() {
    let all = recordings();
    let (mut services, mut checks, mut plans) = (0, 0, 0);
    for recording in all.iter().filter(|r| r.method() == "GET" && r.status() == 200) {
        let (name, result) = (&recording.name, recording.result());
        let canned = recording.canned();
        match recording.path() {
            "/v1/services" => {
                let list = canned.client.services_all().await.unwrap();
                assert!(list.iter().map(|s| s.name.as_str()).eq(names(result)), "{name}");
                assert!(
                    list.iter()
                        .zip(result.as_array().unwrap())
                        .all(|(s, r)| r["current"] == s.current.as_str())
                );
                services += 1;
            }
            "/v1/checks" => {
                let list = canned.client.checks_all().await.unwrap();
                assert!(list.iter().map(|c| c.name.as_str()).eq(names(result)), "{name}");
                for (check, recorded) in list.iter().zip(result.as_array().unwrap()) {
                    assert_eq!(check.status.as_str(), recorded["status"], "{name}");
                    assert_eq!(check.failures, recorded["failures"].as_u64().unwrap_or(0), "{name}");
                    assert_eq!(check.change_id.is_none(), check.status == CheckStatus::Inactive, "{name}");
                }
                checks += 1;
            }
            "/v1/plan" => {
                let plan = canned.client.plan().await.unwrap();
                let recorded: serde_yaml::Value = serde_yaml::from_str(result.as_str().unwrap()).unwrap();
                assert_eq!(serde_yaml::to_value(&plan).unwrap(), recorded, "{name}");
                plans += 1;
            }
            _ => {}
        }
    }
    assert!(services > 10 && checks > 10 && plans > 3, "{services} {checks} {plans}");
}

#[tokio::test]
async fn an_accepted_layer_is_the_same_after_reading_and_writing_it() {
    let all = recordings();
    let mut seen = 0;
    for recording in all.iter().filter(|r| r.is("POST", "/v1/layers") && r.status() == 200) {
        let Some(text) = recording.json["request"]["body"]["layer"].as_str() else { continue };
        let value: serde_yaml::Value = serde_yaml::from_str(text).unwrap();
        // Numbers in an environment are accepted by Pebble and become text; this client only writes text.
        let Ok(layer) = serde_yaml::from_value::<Layer>(value.clone()) else {
            assert!(recording.name.contains("non-string-scalars") || value.is_null(), "{}", recording.name);
            continue;
        };
        let canned = recording.canned();
        canned.client.add_layer("label", &layer, true).await.unwrap();
        let request = canned.requests().remove(0);
        let body: Value = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
        let sent: Layer = serde_yaml::from_str(body["layer"].as_str().unwrap()).unwrap();
        assert_eq!(sent, layer, "{}", recording.name);
        seen += 1;
    }
    assert!(seen > 30, "only {seen} layers");
}

#[tokio::test]
async fn recorded_reads_give_the_contents_and_the_errors() {
    let all = recordings();
    let (mut good, mut bad) = (0, 0);
    for recording in all.iter().filter(|r| r.is("GET", "/v1/files") && r.query("action") == ["read"]) {
        if recording.status() != 200 {
            continue;
        }
        let name = &recording.name;
        let mut paths = recording.query("path");
        // The makers of the recordings renamed a directory, but not inside base64.
        if recording.body().as_str().is_some_and(|body| body.starts_with("base64:")) {
            for path in &mut paths {
                *path = path.replace("/srv/", "/tmp/");
            }
        }
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let results = recording.canned().client.pull_many(&paths).await;
        let results = results.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(results.len(), paths.len(), "{name}");
        for (path, result) in paths.iter().zip(results) {
            match result {
                Ok(content) => {
                    good += 1;
                    if path.ends_with("/a.txt") {
                        assert_eq!(content, b"hello\nworld\n", "{name}");
                    } else if path.ends_with("/bin") {
                        assert_eq!(content, (0..=255).collect::<Vec<u8>>(), "{name}");
                    }
                }
                Err(error) => {
                    bad += 1;
                    assert_eq!(error.path, *path, "{name}");
                    assert!(!error.message.is_empty() && error.kind.as_str().len() > 4, "{name}");
                }
            }
        }
    }
    assert!(good > 5 && bad > 5, "{good} good, {bad} bad");
}

#[tokio::test]
async fn recorded_listings_and_results_of_paths() {
    let all = recordings();
    let (mut lists, mut refused, mut results) = (0, 0, 0);
    for recording in all.iter().filter(|r| r.path() == "/v1/files") {
        let (name, result) = (&recording.name, recording.result());
        let client = &recording.canned().client;
        if recording.method() == "GET" && recording.query("action") == ["list"] {
            let path = recording.query("path").pop().unwrap_or_default();
            match client.list(&path, None, false).await {
                Ok(list) => {
                    assert!(list.iter().map(|f| f.name.as_str()).eq(names(result)), "{name}");
                    lists += 1;
                }
                Err(Error::Path(error)) => {
                    assert_eq!(error.kind.as_str(), result["kind"], "{name}");
                    refused += 1;
                }
                // A relative path has no kind of its own.
                Err(Error::Api { kind, .. }) => {
                    assert!(kind.is_none() || kind.as_deref() == Some("login-required"), "{name}");
                }
                Err(error) => panic!("{name}: {error}"),
            }
        } else if recording.method() == "POST" && recording.status() == 200 {
            let failed = result.as_array().unwrap().iter().find(|r| r.get("error").is_some());
            let outcome = client.remove("/x", false).await;
            match (outcome, failed) {
                (Ok(()), None) => {}
                (Err(Error::Path(error)), Some(failed)) => {
                    assert_eq!(error.path, failed["path"], "{name}");
                    assert_eq!(error.kind.as_str(), failed["error"]["kind"], "{name}");
                }
                (other, _) => panic!("{name}: {other:?}"),
            }
            results += 1;
        }
    }
    assert!(lists > 8 && refused > 3 && results > 30, "{lists} {refused} {results}");
}

#[tokio::test]
async fn recorded_logs_and_check_actions() {
    let all = recordings();
    let (mut lines, mut actions) = (0, 0);
    for recording in &all {
        let (name, client) = (&recording.name, &recording.canned().client);
        if recording.is("GET", "/v1/logs")
            && recording.status() == 200
            && recording.query("follow").is_empty()
        {
            // A single line was recorded as the JSON that it is.
            let expected = recording.body().as_str().map_or(1, |text| text.lines().count());
            let entries = client.logs(&["a"], None).await.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(entries.len(), expected, "{name}");
            lines += entries.len();
        } else if recording.is("POST", "/v1/checks") && recording.status() == 200 {
            let changed = client.stop_checks(&["x"]).await.unwrap();
            assert_eq!(changed.len(), recording.result()["changed"].as_array().unwrap().len(), "{name}");
            actions += 1;
        } else if recording.is("POST", "/v1/checks/refresh") && recording.status() == 200 {
            let refresh = client.refresh_check("x").await.unwrap();
            assert_eq!(refresh.error.as_deref(), recording.result()["error"].as_str(), "{name}");
            actions += 1;
        }
    }
    assert!(lines > 20 && actions > 5, "{lines} {actions}");
}
