//! One event, from observing to the status: the only file that knows both the corridor and the actions.
//!
//! Given the agent and the context of the event, [`dispatch`] observes, runs the action or the migration that is due,
//! understands the result, decides what should be, applies the difference and sets the status.

use crate::actions::{self, Invocation};
use crate::charm::apply::{self, apply};
use crate::charm::desired::desired;
use crate::charm::migrate;
use crate::charm::observe::{self, Seen, Sources, observe};
use crate::charm::observed::{Effects, Reading};
use crate::charm::situation::{Situation, rejection};
use crate::charm::status::status;
use crate::juju::{self, Agent, Context, Event, WorkloadEvent, WorkloadEventKind};
use crate::kratos::Place;
use crate::kratos::names::READY;
use crate::kubernetes::{Access, Connection};
use crate::pebble::Client;

/// Handles one event; `access` is the way to Kubernetes, if there is one. An error means that the agent cannot be reached, or
/// refuses what everything depends on: the hook has failed and Juju repeats it.
pub async fn dispatch(
    agent: &Agent,
    context: Context,
    place: Place,
    access: Option<Access>,
) -> juju::Result<()> {
    let pebble = Client::new(&place.socket);
    let (event, unit) = (context.event.clone(), context.unit.clone());
    note(&event);
    if matches!(event, Event::Stop | Event::Remove) {
        // The unit goes; Kubernetes ends what runs.
        return Ok(());
    }
    let mut kubernetes = access.map(Connection::new);
    let sources = Sources { agent, pebble: &pebble, kubernetes: kubernetes.as_mut() };
    let mut seen = match observe(sources, context, place, actions::ask_for_program(&event)).await {
        Ok(seen) => seen,
        Err(error) if matches!(event, Event::Action(_)) => {
            return actions::give_up(agent, &unit, error).await;
        }
        Err(error) => return Err(error),
    };
    let mut effects = Effects::default();
    if let Event::Action(action) = &event {
        let Seen { observed, parsed, .. } = &seen;
        let invocation = Invocation { agent, pebble: &pebble, observed, parsed };
        actions::run(&invocation, &action.name, &mut effects).await?;
    } else {
        effects = migrate::by_itself(agent, &pebble, &seen.observed, &seen.parsed).await?;
    }
    if effects.migration.is_some() {
        // It took its time.
        seen.config_maps = Reading::NotAsked;
    }
    seen.observed = seen.observed.after(effects);
    reconcile(agent, &pebble, kubernetes, seen).await
}

/// The corridor after the action or the migration.
async fn reconcile(
    agent: &Agent,
    pebble: &Client,
    mut kubernetes: Option<Connection>,
    seen: Seen,
) -> juju::Result<()> {
    let Seen { mut observed, parsed, config_maps } = seen;
    if let Some(connection) = &mut kubernetes {
        observed.cluster = Some(observe::cluster(connection, config_maps, &observed, &parsed).await);
    }
    let mut situation = Situation::new(&observed, parsed);
    let ids = situation.schemas_in_question();
    if !ids.is_empty() {
        // Only now it is known which schemas are wanted.
        let users = observe::schema_users(&situation.parsed.database, &ids).await;
        situation = situation.with_schema_users(users);
        for line in situation.schema_changes.notes(&observed) {
            tracing::warn!("{line}");
        }
    }
    for problem in &situation.parsed.related.problems {
        tracing::warn!("{}: {}", problem.relation, problem.reason);
    }
    if let Some(rejection) = rejection(&observed) {
        tracing::warn!("{rejection}");
    }
    let desired = desired(&situation);
    let applied = apply(agent, pebble, kubernetes.as_mut(), &situation, &desired).await?;
    let status = status(&situation, &applied);
    apply::conclude(agent, &situation, &applied, &status).await?;
    apply::send_to_loki(&situation).await;
    Ok(())
}

/// Events that ask for nothing but a line in the log (docs/behaviour.md#row-51).
fn note(event: &Event) {
    match event {
        Event::Workload(WorkloadEvent { kind: WorkloadEventKind::CheckFailed { check }, .. })
            if check == READY =>
        {
            tracing::warn!("The service is not running");
        }
        Event::Workload(WorkloadEvent { kind: WorkloadEventKind::CheckRecovered { check }, .. })
            if check == READY =>
        {
            tracing::info!("The service is online again");
        }
        Event::Unknown(name) => {
            tracing::info!("{name} is not an event that this charm can read; reconciling");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
