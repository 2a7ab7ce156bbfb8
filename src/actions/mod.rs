//! Actions: a second, short corridor. One file per action: parameters into a type, preconditions, the one thing,
//! results. The dispatch then walks the corridor of every event, so an action ends with a reconciled unit.

mod check_identity_schema;
mod identities;
mod migrate_identity_schema;
mod parameters;
mod plan_migration;
mod pre_refresh_check;
mod preconditions;
mod repair_migration;
mod rotate_secrets;
mod run_migration;
mod schema_parameters;
mod show;
mod show_migrations;
mod standing;

use crate::charm::{Observed, tolerate};
use crate::juju::{self, ActionEvent, Agent, UnitName};
use crate::pebble::Client;

/// Runs an action. What fails in it is told by `action-fail`; an error means that the agent cannot be reached.
pub async fn run(
    agent: &Agent,
    pebble: &Client,
    action: &ActionEvent,
    observed: &mut Observed,
) -> juju::Result<()> {
    let unit = observed.context.unit.clone();
    match perform(agent, pebble, action, observed).await {
        Ok(()) => Ok(()),
        Err(error) => give_up(agent, &unit, error).await,
    }
}

/// Ends an action in which Juju refused a command. What it wrote before is kept, which another exit code would drop.
pub async fn give_up(agent: &Agent, unit: &UnitName, error: juju::Error) -> juju::Result<()> {
    if error.is_unavailable() {
        return Err(error);
    }
    tracing::error!("{error}");
    tolerate(agent.action_fail(&format!("{error}; see: juju debug-log --include {unit}")).await)
}

async fn perform(
    agent: &Agent,
    pebble: &Client,
    action: &ActionEvent,
    observed: &mut Observed,
) -> juju::Result<()> {
    match action.name.as_str() {
        "run-migration" => run_migration::run(agent, pebble, observed).await,
        "plan-migration" => plan_migration::run(agent, pebble, observed, false).await,
        "show-migrations" => show_migrations::run(agent, observed).await,
        "repair-migration" => repair_migration::run(agent, pebble, observed).await,
        "pre-refresh-check" => pre_refresh_check::run(agent, pebble, observed).await,
        "rotate-secrets" => rotate_secrets::run(agent, observed).await,
        "check-identity-schema" => check_identity_schema::run(agent, observed).await,
        "migrate-identity-schema" => migrate_identity_schema::run(agent, observed).await,
        name if identities::has(name) => identities::run(agent, pebble, name, observed).await,
        other => agent.action_fail(&format!("This charm has no action {other:?}")).await,
    }
}
