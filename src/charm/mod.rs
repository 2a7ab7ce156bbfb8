//! The corridor that every dispatch walks once: observe, desired, apply, report.
//!
//! A migration, asked for by the action or needed by a fresh database, stands between observe and desired:
//! what it ended with is one more fact to decide on.

mod alarms;
mod apply;
mod change;
mod cluster;
mod complaints;
mod desired;
mod facts;
mod inputs;
mod last_good;
mod migrate;
mod observe;
mod observed;
mod obstacles;
mod outputs;
mod questions;
mod record;
mod report;
pub mod schemas;
pub mod secrets;
mod service;
mod services;
mod stamp;
#[cfg(test)]
mod tests;
mod verify;

pub use apply::apply;
pub(crate) use apply::tolerate;
pub use desired::{Desired, desired};
pub use migrate::migrate;
pub use observe::observe;
pub use observed::{Observed, SchemaKnowledge, Version, Workload};
pub use obstacles::{way_back, way_back_command};
pub use service::is_courier_wanted;

use crate::actions;
use crate::juju::{self, Agent, Context, Event, Scope, WorkloadEvent, WorkloadEventKind};
use crate::kratos::Place;
use crate::kratos::names::READY;
use crate::kubernetes::{Access, Connection};
use crate::pebble::Client;

/// Handles one event; `access` is the way to Kubernetes, if there is one. An error means that the agent cannot be
/// reached, or does not tell what everything depends on: the hook has failed and Juju repeats it.
pub async fn dispatch(
    agent: &Agent,
    context: Context,
    place: Place,
    access: Option<Access>,
) -> juju::Result<()> {
    let pebble = Client::new(&place.socket);
    let event = context.event.clone();
    note(&event);
    if matches!(event, Event::Stop | Event::Remove) {
        // The unit goes; Kubernetes ends what runs.
        return Ok(());
    }
    let mut kubernetes = access.map(Connection::new);
    let unit = context.unit.clone();
    let mut observed = match observe(agent, &pebble, context, place).await {
        Ok(observed) => observed,
        Err(error) if matches!(event, Event::Action(_)) => {
            return actions::give_up(agent, &unit, error).await;
        }
        Err(error) => return Err(error),
    };
    if let Some(kubernetes) = &mut kubernetes {
        cluster::look(kubernetes, &mut observed).await;
    }
    if let Event::Action(action) = &event {
        actions::run(agent, &pebble, action, &mut observed).await?;
    } else {
        migrate::lift_leftover_fence(&mut observed).await;
        if let Some(job) = migrate::automatic_job(&observed) {
            migrate::automatic(agent, &pebble, &mut observed, &job).await?;
        }
    }
    if let Some(kubernetes) = &mut kubernetes {
        // A migration may have cleared the way for what was not asked before.
        cluster::look(kubernetes, &mut observed).await;
    }
    // Only now it is known which schemas are wanted.
    schemas::look(&mut observed).await;
    for problem in inputs::inputs(&observed).problems {
        tracing::warn!("{}: {}", problem.relation, problem.reason);
    }
    if let Some(judgement) = outputs::judgements(&observed) {
        tracing::warn!("{judgement}");
    }
    let desired = desired(&observed);
    let mut applied = apply(agent, &pebble, &observed, &desired).await?;
    if let Some(kubernetes) = &mut kubernetes {
        applied.cluster = cluster::apply(kubernetes, &observed, &desired.cluster).await;
    }
    let status = report::status(&observed, &applied);
    if applied.shown.as_ref().unwrap_or(&observed.status) != &status {
        tolerate(agent.status_set(Scope::Unit, &status).await)?;
    }
    alarms::send(&observed).await;
    Ok(())
}

/// Events that ask for nothing but a line in the log (behaviour row 51).
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
            tracing::info!("{name} is not an event that this charm can read; reconciling")
        }
        _ => {}
    }
}
