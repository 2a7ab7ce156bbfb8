//! Somebody who uses Kratos while it is changed: logs in with a password and asks who that is, again and again.
//!
//! For tests and benchmarks of what users notice; [`hot_change`] is a change that nobody should.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::Sandbox;

const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "correct horse battery staple";
/// Between two visits.
const PAUSE: Duration = Duration::from_millis(20);

/// Visits that go on until they are ended.
pub struct Visits {
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<Visited>,
}

/// What came of visits.
#[derive(Debug, Default)]
pub struct Visited {
    pub succeeded: usize,
    /// What each of the others met.
    pub failures: Vec<String>,
}

impl Visits {
    /// Creates the visitor's identity by the admin API of a unit and begins to visit that unit.
    ///
    /// # Errors
    /// No such unit, or Kratos does not create the identity.
    pub async fn begin(sandbox: &Sandbox, unit: &str) -> anyhow::Result<Self> {
        let address = sandbox.address(unit)?;
        let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;
        let body = json!({
            "schema_id": "social_user_v0",
            "traits": {"email": EMAIL},
            "credentials": {"password": {"config": {"password": PASSWORD}}},
        });
        let url = format!("http://{address}:4434/admin/identities");
        http.post(url).json(&body).send().await?.error_for_status()?;
        let stop = Arc::new(AtomicBool::new(false));
        let is_over = stop.clone();
        let task = tokio::spawn(async move {
            let mut visited = Visited::default();
            while !is_over.load(Ordering::Relaxed) {
                match visit(&http, &address).await {
                    Ok(()) => visited.succeeded += 1,
                    Err(error) => visited.failures.push(error.to_string()),
                }
                tokio::time::sleep(PAUSE).await;
            }
            visited
        });
        Ok(Self { stop, task })
    }

    /// Ends the visits; what came of them.
    ///
    /// # Errors
    /// The visitor panicked.
    pub async fn end(self) -> anyhow::Result<Visited> {
        self.stop.store(true, Ordering::Relaxed);
        Ok(self.task.await?)
    }
}

async fn visit(http: &reqwest::Client, address: &str) -> anyhow::Result<()> {
    let public = format!("http://{address}:4433");
    let flow = http.get(format!("{public}/self-service/login/api")).send().await?.error_for_status()?;
    let flow: Value = flow.json().await?;
    let action = format!("{public}/self-service/login?flow={}", flow["id"].as_str().unwrap_or("none"));
    let login = json!({"method": "password", "identifier": EMAIL, "password": PASSWORD});
    let session: Value = http.post(action).json(&login).send().await?.error_for_status()?.json().await?;
    let token = session["session_token"].as_str().unwrap_or_default();
    let whoami = http.get(format!("{public}/sessions/whoami")).header("x-session-token", token);
    whoami.send().await?.error_for_status()?;
    Ok(())
}

/// The title of the schema that [`hot_change`] configures.
#[must_use]
pub fn hot_title(number: u32) -> String {
    format!("number {number}")
}

/// A command that sets an option whose value is told to Kratos by its file alone; each number is another value.
#[must_use]
pub fn hot_change(number: u32) -> String {
    let schemas = json!({"user_v1": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": hot_title(number),
        "type": "object",
        "properties": {"traits": {"type": "object", "properties": {"email": {"type": "string"}}}},
    }});
    format!("config kratos default_identity_schema_id=user_v1 'identity_schemas={schemas}'")
}
