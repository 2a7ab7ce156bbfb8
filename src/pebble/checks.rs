//! Checks: their state, stopping them, and running one now.

use super::client::Client;
use super::error::Error;
use super::plan::{CheckLevel, Startup};
use super::values::{null_as_default, open_enum};
use serde::Deserialize;
use serde_json::json;

open_enum! {
    /// What a check says.
    CheckStatus {
        /// Fewer failures in a row than its threshold; also before its first run.
        Up = "up",
        Down = "down",
        /// It does not run.
        Inactive = "inactive",
    }
}

/// A check of the plan and its state.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CheckInfo {
    pub name: String,
    pub level: Option<CheckLevel>,
    /// Absent before Pebble 1.19.
    pub startup: Option<Startup>,
    pub status: CheckStatus,
    /// Successes since the check runs; absent before Pebble 1.23.
    pub successes: Option<u64>,
    /// Failures in a row.
    #[serde(default)]
    pub failures: u64,
    /// The number of failures in a row that makes it down.
    #[serde(default)]
    pub threshold: u64,
    /// The change that performs the check, or tries to see it recover.
    pub change_id: Option<String>,
    /// The change that ended when the check last went down or recovered.
    pub prev_change_id: Option<String>,
}

impl CheckInfo {
    /// Daemons that know `startup` give every running check a change; without one it does not run, whatever
    /// its status says.
    fn normal(mut self) -> Self {
        if self.startup.is_some() && self.change_id.as_ref().is_none_or(String::is_empty) {
            self.status = CheckStatus::Inactive;
        }
        self
    }
}

/// What running a check at once gave.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CheckRefresh {
    pub info: CheckInfo,
    /// Why this run failed; absent if it did not.
    #[serde(default)]
    pub error: Option<String>,
}

#[derive(Deserialize)]
struct ChangedChecks {
    #[serde(default, deserialize_with = "null_as_default")]
    changed: Vec<String>,
}

impl Client {
    /// All checks of the plan, sorted by name.
    pub async fn checks_all(&self) -> Result<Vec<CheckInfo>, Error> {
        let checks = self.get("/v1/checks", &[]).await?.list::<CheckInfo>("checks")?;
        Ok(checks.into_iter().map(CheckInfo::normal).collect())
    }

    /// Stops checks and yields the names of those that ran. One whose startup is enabled is started again by
    /// the next layer or replan.
    pub async fn stop_checks<S: AsRef<str>>(&self, names: &[S]) -> Result<Vec<String>, Error> {
        let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        let answer = self.post("/v1/checks", &json!({"action": "stop", "checks": names})).await?;
        Ok(answer.result::<ChangedChecks>("changed checks")?.changed)
    }

    /// Runs a check now. An unknown check is a 404; a daemon before 1.20 gives [`Error::Unsupported`].
    pub async fn refresh_check(&self, name: &str) -> Result<CheckRefresh, Error> {
        let answer = self.post("/v1/checks/refresh", &json!({"name": name})).await?;
        let refresh = answer.result::<CheckRefresh>("check refresh")?;
        Ok(CheckRefresh { info: refresh.info.normal(), error: refresh.error })
    }
}
