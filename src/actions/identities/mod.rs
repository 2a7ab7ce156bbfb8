//! The actions on identities: each in a file of its own, all on the admin API of this unit's Kratos.
//!
//! [`run`] checks that Kratos serves (docs/behaviour.md#row-90) and hands the action an [`IdentityAction`] with
//! everything it works with. What it comes back with is shown here, in one place: lines for the log, results, and
//! perhaps a failure.

mod cleanup_database;
mod context;
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

use std::pin::Pin;

use super::invocation::Invocation;
use super::text::note;
use crate::charm::observed::Observed;
use crate::charm::situation::{is_active, is_unready};
use crate::juju::{self, Agent};
use crate::kratos::admin::Admin;
use context::{ActionError, ActionOutput, IdentityAction, Parameters};

type Running<'a> = Pin<Box<dyn Future<Output = Result<ActionOutput, ActionError>> + 'a>>;

/// What runs an action on identities.
type Run = for<'a> fn(&'a IdentityAction<'a>, &'a Parameters) -> Running<'a>;

/// All of them.
pub const ACTIONS: [(&str, Run); 12] = [
    ("get-identity", |action, parameters| Box::pin(get_identity::run(action, parameters))),
    ("delete-identity", |action, parameters| Box::pin(delete_identity::run(action, parameters))),
    ("reset-password", |action, parameters| Box::pin(reset_password::run(action, parameters))),
    ("create-admin-account", |action, parameters| Box::pin(create_admin_account::run(action, parameters))),
    ("invalidate-identity-sessions", |action, parameters| {
        Box::pin(invalidate_sessions::run(action, parameters))
    }),
    ("reset-identity-mfa", |action, parameters| Box::pin(reset_mfa::run(action, parameters))),
    ("list-oidc-accounts", |action, parameters| Box::pin(list_oidc_accounts::run(action, parameters))),
    ("unlink-oidc-account", |action, parameters| Box::pin(unlink_oidc_account::run(action, parameters))),
    ("list-identities", |action, parameters| Box::pin(list_identities::run(action, parameters))),
    ("export-identities", |action, parameters| Box::pin(export_identities::run(action, parameters))),
    ("import-identities", |action, parameters| Box::pin(import_identities::run(action, parameters))),
    ("cleanup-database", |action, parameters| Box::pin(cleanup_database::run(action, parameters))),
];

/// Runs one of them. A failure of the action is reported by `action-fail`; an error means that the agent cannot be reached.
pub async fn run(invocation: &Invocation<'_>, name: &str, run: Run) -> juju::Result<()> {
    let agent = invocation.agent;
    let parameters = agent.action_get().await?;
    if !is_serving(invocation.observed) {
        let text = "Service is not ready. Please re-run the action when the charm is active";
        return agent.action_fail(&format!("{text}: juju status {}", invocation.application())).await;
    }
    let observed = invocation.observed;
    let action = IdentityAction {
        agent,
        admin: Admin::new(&observed.place),
        pebble: invocation.pebble.clone(),
        place: observed.place.clone(),
        dsn: invocation.dsn().cloned(),
        application: observed.application().to_owned(),
        unit: observed.context.unit.to_string(),
        name: name.to_owned(),
    };
    show(agent, run(&action, &parameters).await).await
}

/// The precondition of every action here (docs/behaviour.md#row-90).
fn is_serving(observed: &Observed) -> bool {
    observed.container().is_some_and(|container| is_active(container) && !is_unready(container))
}

async fn show(agent: &Agent, outcome: Result<ActionOutput, ActionError>) -> juju::Result<()> {
    let (results, failure) = match outcome {
        Ok(ActionOutput { lines, results }) => {
            if !lines.is_empty() {
                note(agent, &lines.join("\n")).await?;
            }
            (results, None)
        }
        Err(ActionError::Failed { text, results }) => (results, Some(text)),
        Err(ActionError::Juju(error)) => return Err(error),
    };
    agent.action_set(&results).await?;
    match failure {
        Some(text) => agent.action_fail(&text).await,
        None => Ok(()),
    }
}
