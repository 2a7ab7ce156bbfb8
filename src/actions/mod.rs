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

use crate::charm::Observed;
use crate::juju::{self, ActionEvent, Agent};
use crate::pebble::Client;

/// Runs an action. What fails in it is told by `action-fail`; an error means that the agent cannot be reached.
pub async fn run(
    agent: &Agent,
    pebble: &Client,
    action: &ActionEvent,
    observed: &mut Observed,
) -> juju::Result<()> {
    match action.name.as_str() {
        "run-migration" => run_migration::run(agent, pebble, observed).await,
        "plan-migration" => plan_migration::run(agent, pebble, observed).await,
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
