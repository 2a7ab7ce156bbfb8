//! Alarms: what only the charm knows about the database's migration, said to Loki as log lines of its own.
//!
//! Kratos cannot tell it: none runs while a migration is pending, a migration's output is no service's log, and there is no
//! metric of either. So while something is wrong, every dispatch of the leader says so to each unit of Loki, at the latest
//! with the next update-status, and the rules of `integrations::log_rules` raise alerts over these lines. When a migration
//! is done, one line says so and ends the alerts about it; otherwise nothing is sent while all is well.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use reqwest::{Client, Url};
use serde_json::{Value, json};

use crate::charm::observed::{Observed, SchemaKnowledge};
use crate::charm::situation::{Situation, is_migrated};
use crate::integrations::{logging, topology::Topology};

/// How long one unit of Loki may take. A hook does not wait for alarms.
const LIMIT: Duration = Duration::from_secs(2);
/// Begins every line; the alert rules look for it.
const MARK: &str = "kratos-operator:";

/// What is wrong now, and that a migration came to its end, one line each.
pub fn alarms(observed: &Observed) -> Vec<String> {
    let mut lines = Vec::new();
    match &observed.migration {
        Some(Ok(report)) => lines.push(format!("{MARK} migration completed: {}", report.applied)),
        Some(Err(failure)) => lines.push(format!("{MARK} migration failed: {}", failure.kind())),
        None => {}
    }
    if let SchemaKnowledge::Known(schema) = &observed.schema
        && !is_migrated(observed)
        && !schema.is_newer()
    {
        let count = schema.pending_count().map_or_else(|| "some".to_owned(), |count| count.to_string());
        lines.push(format!("{MARK} migration pending: {count}"));
    }
    if let Some(who) = &observed.fence {
        lines.push(format!("{MARK} write fence up: raised by {who}"));
    }
    lines
}

/// Sends them. Loki that does not answer is no reason for anything but a line in the charm's log.
pub async fn send(situation: &Situation<'_>) {
    let observed = situation.observed;
    let lines = if observed.is_leader { alarms(observed) } else { vec![] };
    let receivers = &situation.parsed.related.log_receivers;
    let Some(topology) = situation.topology.as_ref().filter(|_| !lines.is_empty() && !receivers.is_empty())
    else {
        return;
    };
    let builder = Client::builder().no_proxy().timeout(LIMIT).redirect(reqwest::redirect::Policy::none());
    let Ok(client) = builder.build() else { return };
    let body = body(&lines, topology, now());
    let sent = receivers.iter().map(async |(unit, url)| (unit, push(&client, url, &body).await));
    for (unit, result) in join_all(sent).await {
        if let Err(reason) = result {
            tracing::warn!("{unit} does not take the charm's own log lines: {reason}");
        }
    }
}

async fn push(client: &Client, url: &Url, body: &Value) -> Result<(), String> {
    let response = client.post(url.clone()).json(body).send().await;
    // The URL may hold a password.
    let response = response.map_err(|error| error.without_url().to_string())?;
    if response.status().is_success() { Ok(()) } else { Err(format!("it answers {}", response.status())) }
}

/// One stream with the labels of the lines that Pebble forwards.
fn body(lines: &[String], topology: &Topology, nanoseconds: u128) -> Value {
    let values: Vec<Value> = lines.iter().map(|line| json!([nanoseconds.to_string(), line])).collect();
    json!({"streams": [{"stream": logging::labels(topology), "values": values}]})
}

#[expect(clippy::disallowed_methods, reason = "Loki wants the time of a line, and no rule depends on it")]
fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::charm::situation::Parsed;
    use crate::charm::tests::{pending, ready};
    use crate::integrations::sample;
    use crate::migration::{Counts, Failure, MigrationReport, Trail};

    #[test]
    fn what_is_wrong_is_said_and_nothing_else() {
        assert!(alarms(&ready()).is_empty());
        assert_eq!(alarms(&pending()), ["kratos-operator: migration pending: 1"]);
        let fenced = Observed { fence: Some("kratos/1, task 4".to_owned()), ..ready() };
        assert_eq!(alarms(&fenced), ["kratos-operator: write fence up: raised by kratos/1, task 4"]);
        let failed = Observed { migration: Some(Err(Failure::Program("sesame".to_owned()))), ..pending() };
        assert_eq!(
            alarms(&failed),
            ["kratos-operator: migration failed: program", "kratos-operator: migration pending: 1"]
        );
        let SchemaKnowledge::Known(schema) = pending().schema else { panic!() };
        let report = MigrationReport {
            applied: 7,
            elapsed: Duration::from_secs(1),
            schema,
            counts: Counts::default(),
            trail: Trail::default(),
        };
        let done = Observed { migration: Some(Ok(report)), ..ready() };
        assert_eq!(alarms(&done), ["kratos-operator: migration completed: 7"]);
        let rules = serde_json::to_string(&crate::integrations::rules::alert_rules(
            logging::RULES,
            &Topology::new(&ready().context).unwrap(),
            "alerts",
        ));
        for line in [failed, fenced, done].iter().flat_map(alarms) {
            let (what, _) = line.rsplit_once(": ").unwrap();
            assert!(rules.as_ref().unwrap().contains(&format!("|= `{what}`")), "no rule looks for {what}");
        }
    }

    #[tokio::test]
    async fn loki_gets_the_lines_of_the_leader() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!(r#"{{"url": "http://{}/loki/api/v1/push"}}"#, listener.local_addr().unwrap());
        let mut relation = sample::relation("logging:9", &[]);
        relation.remote_units.insert("loki/0".parse().unwrap(), sample::bag(&[("endpoint", &url)]));
        let observed = Observed { relations: vec![relation], ..pending() };
        // A follower says nothing: were it to connect, this would be the connection that is read.
        let follower = Observed { is_leader: false, ..observed.clone() };
        send(&Situation::new(&follower, Parsed::new(&follower))).await;
        let taken = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut text = String::new();
            while !text.ends_with("]}]}") {
                let mut bytes = [0; 4096];
                let count = stream.read(&mut bytes).await.unwrap();
                assert!(count > 0, "{text}");
                text += std::str::from_utf8(&bytes[..count]).unwrap();
            }
            stream.write_all(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            text
        });
        send(&Situation::new(&observed, Parsed::new(&observed))).await;
        let text = taken.await.unwrap();
        assert!(text.starts_with("POST /loki/api/v1/push HTTP/1.1\r\n"), "{text}");
        assert!(text.to_ascii_lowercase().contains("\r\ncontent-type: application/json\r\n"), "{text}");
        let body: Value = serde_json::from_str(text.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        assert_eq!(body["streams"][0]["stream"]["juju_application"], "kratos");
        assert_eq!(body["streams"][0]["values"][0][1], "kratos-operator: migration pending: 1");
    }
}
