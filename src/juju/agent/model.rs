//! What concerns the unit and its application as a whole: configuration, leadership, status, log, resources.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use super::super::error::{Error, Result};
use super::super::status::{Status, StatusKind};
use super::super::types::Scope;
use super::{Agent, message};

#[derive(Default, Deserialize)]
#[serde(default)]
struct StatusReply {
    status: String,
    message: String,
    #[serde(rename = "application-status")]
    application: Option<Box<StatusReply>>,
}

impl Agent {
    /// The configuration, by option; an option without a value is absent. Whole numbers arrive as 64-bit floats of
    /// Juju and are exact up to 2^53.
    pub async fn config_get(&self) -> Result<BTreeMap<String, Value>> {
        self.ask("config-get", &[]).await
    }

    /// Whether this unit leads its application. True holds for about 30 seconds.
    pub async fn is_leader(&self) -> Result<bool> {
        self.ask("is-leader", &[]).await
    }

    /// The status that is shown now. The application's is for the leader only.
    pub async fn status_get(&self, scope: Scope) -> Result<Status> {
        let mut args = vec!["--include-data"];
        if scope == Scope::Application {
            args.push("--application");
        }
        let mut reply: StatusReply = self.ask("status-get", &args).await?;
        if let Some(application) = reply.application.take() {
            reply = *application;
        }
        Ok(Status::new(StatusKind::from_word(&reply.status), reply.message))
    }

    /// Shows a status, at once. The application's is for the leader only.
    pub async fn status_set(&self, scope: Scope, status: &Status) -> Result<()> {
        const COMMAND: &str = "status-set";
        if !status.kind.settable() {
            let text = format!("a charm cannot set the status {}", status.kind);
            return Err(Error::BadArguments { command: COMMAND, text });
        }
        let text = message(&status.message);
        let mut args = vec!["--", status.kind.word(), &text];
        if scope == Scope::Application {
            args.insert(0, "--application");
        }
        self.tell(COMMAND, &args).await
    }

    /// Writes to the unit's log, at once. A message beyond 128 KiB is cut and says so.
    pub async fn juju_log(&self, level: tracing::Level, text: &str) -> Result<()> {
        let level = match level {
            tracing::Level::TRACE => "TRACE",
            tracing::Level::DEBUG => "DEBUG",
            tracing::Level::INFO => "INFO",
            tracing::Level::WARN => "WARNING",
            tracing::Level::ERROR => "ERROR",
        };
        self.tell("juju-log", &["--log-level", level, "--", &message(text)]).await
    }

    /// Shows the version of the workload, at once.
    pub async fn application_version_set(&self, version: &str) -> Result<()> {
        self.tell("application-version-set", &["--", &message(version)]).await
    }

    /// Where a resource lies in the charm's container; downloads it first if need be.
    pub async fn resource_get(&self, name: &str) -> Result<PathBuf> {
        const COMMAND: &str = "resource-get";
        let mut path = self.run(COMMAND, &[name], None).await?;
        if path.last() == Some(&b'\n') {
            path.pop();
        }
        if path.is_empty() {
            return Err(Error::Unexpected {
                command: COMMAND,
                what: format!("no path for the resource {name}"),
            });
        }
        Ok(std::ffi::OsString::from_vec(path).into())
    }
}
