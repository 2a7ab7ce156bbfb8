//! The actions on identities: each in a file of its own, all on the admin API of this unit's Kratos.
//!
//! [`run`] checks that Kratos serves (behaviour row 90) and hands the action a [`Desk`] with everything it works with.
//! What it comes back with is shown here, in one place: lines for the log, results, and perhaps a failure.

mod cleanup_database;
mod create_admin_account;
mod delete_identity;
mod export_identities;
mod get_identity;
mod import_identities;
mod invalidate_sessions;
mod keys;
mod list_identities;
mod list_oidc_accounts;
mod password;
mod record;
mod reset_mfa;
mod reset_password;
mod results;
#[cfg(test)]
mod tests;
mod unlink_oidc_account;
mod who;
mod workload_file;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::actions::show::note;
use crate::charm::Observed;
use crate::integrations::database::Answer;
use crate::juju::{self, Agent};
use crate::kratos::Place;
use crate::kratos::admin::{self, Admin};
use crate::kratos::names::{KRATOS, READY};
use crate::pebble::{CheckInfo, CheckStatus, Client, ServiceStatus};
use crate::postgres::Dsn;

/// The parameters as Juju gave them.
type Parameters = BTreeMap<String, Value>;

/// What an action works with.
struct Desk<'a> {
    agent: &'a Agent,
    admin: Admin,
    pebble: Client,
    place: Place,
    /// The database of Kratos, where it is known.
    dsn: Option<Dsn>,
    application: String,
    unit: String,
    /// The action's name.
    action: String,
}

/// What an action that did its work shows.
#[derive(Debug, Default)]
struct Report {
    lines: Vec<String>,
    results: BTreeMap<String, String>,
}

/// Why an action did not do its work.
#[derive(Debug)]
enum Stop {
    /// To be told with `action-fail`, after what was reached so far.
    Failed {
        text: String,
        results: BTreeMap<String, String>,
    },
    Juju(juju::Error),
}

impl From<juju::Error> for Stop {
    fn from(error: juju::Error) -> Self {
        Self::Juju(error)
    }
}

impl From<String> for Stop {
    fn from(text: String) -> Self {
        Self::Failed { text, results: BTreeMap::new() }
    }
}

impl Report {
    fn line(text: impl Into<String>) -> Self {
        Self { lines: vec![text.into()], results: BTreeMap::new() }
    }

    fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.results.insert(key.to_owned(), value.into());
        self
    }
}

impl Desk<'_> {
    /// The command that runs this action again, with what stands for its parameters.
    fn again(&self, parameters: &str) -> String {
        format!("juju run {} {} {parameters}", self.unit, self.action)
    }

    /// The failure of a call about an identity: `what` was to be done.
    fn failed(&self, what: &str, id: &str, error: &admin::Error) -> Stop {
        match error {
            admin::Error::NotFound { .. } => self.absent(id),
            other => self.trouble(what, other),
        }
    }

    /// There is no such identity.
    fn absent(&self, id: &str) -> Stop {
        format!("Identity {id} does not exist; list those that do: juju run {} list-identities", self.unit)
            .into()
    }

    /// The failure of a call, with where to look.
    fn trouble(&self, what: &str, error: &admin::Error) -> Stop {
        let look = match error {
            admin::Error::NotFound { .. } | admin::Error::Conflict { .. } | admin::Error::Refused { .. } => {
                format!("juju show-action {} {}", self.application, self.action)
            }
            _ => format!("juju status {}, then run the action again", self.application),
        };
        format!("{what}: {error}; see {look}").into()
    }
}

/// The actions of this room.
pub fn has(action: &str) -> bool {
    matches!(
        action,
        "get-identity"
            | "delete-identity"
            | "reset-password"
            | "create-admin-account"
            | "invalidate-identity-sessions"
            | "reset-identity-mfa"
            | "list-oidc-accounts"
            | "unlink-oidc-account"
            | "list-identities"
            | "export-identities"
            | "import-identities"
            | "cleanup-database"
    )
}

/// Runs one of them. What fails in it is told by `action-fail`; an error means that the agent cannot be reached.
pub async fn run(agent: &Agent, pebble: &Client, action: &str, observed: &Observed) -> juju::Result<()> {
    let parameters = agent.action_get().await?;
    match desk(agent, pebble, action, observed) {
        Ok(desk) => show(agent, act(&desk, &parameters).await).await,
        Err(text) => agent.action_fail(&text).await,
    }
}

/// The precondition of every action here (behaviour row 90).
fn desk<'a>(
    agent: &'a Agent,
    pebble: &Client,
    action: &str,
    observed: &Observed,
) -> Result<Desk<'a>, String> {
    let application = observed.application().to_owned();
    let serves = observed.container().is_some_and(|container| {
        let down = |check: &CheckInfo| check.name == READY && check.status == CheckStatus::Down;
        container.service(KRATOS) == Some(&ServiceStatus::Active) && !container.checks.iter().any(down)
    });
    if !serves {
        return Err(format!(
            "Service is not ready. Please re-run the action when the charm is active: juju status {application}"
        ));
    }
    let admin = Admin::new(&observed.place);
    let dsn = match observed.answer() {
        Answer::Ready(dsn) => Some(dsn),
        Answer::Absent | Answer::Invalid(_) => None,
    };
    let unit = observed.context.unit.to_string();
    let (pebble, place) = (pebble.clone(), observed.place.clone());
    Ok(Desk { agent, admin, pebble, place, dsn, application, unit, action: action.to_owned() })
}

async fn act(desk: &Desk<'_>, parameters: &Parameters) -> Result<Report, Stop> {
    match desk.action.as_str() {
        "get-identity" => get_identity::run(desk, parameters).await,
        "delete-identity" => delete_identity::run(desk, parameters).await,
        "reset-password" => reset_password::run(desk, parameters).await,
        "create-admin-account" => create_admin_account::run(desk, parameters).await,
        "invalidate-identity-sessions" => invalidate_sessions::run(desk, parameters).await,
        "reset-identity-mfa" => reset_mfa::run(desk, parameters).await,
        "list-oidc-accounts" => list_oidc_accounts::run(desk, parameters).await,
        "unlink-oidc-account" => unlink_oidc_account::run(desk, parameters).await,
        "list-identities" => list_identities::run(desk, parameters).await,
        "export-identities" => export_identities::run(desk, parameters).await,
        "import-identities" => import_identities::run(desk, parameters).await,
        "cleanup-database" => cleanup_database::run(desk, parameters).await,
        other => Err(format!("This charm has no action {other:?}").into()),
    }
}

async fn show(agent: &Agent, outcome: Result<Report, Stop>) -> juju::Result<()> {
    let (results, failure) = match outcome {
        Ok(Report { lines, results }) => {
            if !lines.is_empty() {
                note(agent, &lines.join("\n")).await?;
            }
            (results, None)
        }
        Err(Stop::Failed { text, results }) => (results, Some(text)),
        Err(Stop::Juju(error)) => return Err(error),
    };
    agent.action_set(&results).await?;
    match failure {
        Some(text) => agent.action_fail(&text).await,
        None => Ok(()),
    }
}
