//! The migration inside a dispatch: on request of the action, or by itself for a database that nobody used yet.

use std::time::Instant;

use tokio::sync::mpsc::{self, UnboundedSender};

use super::apply::tolerate;
use super::observed::{Container, Observed, SchemaKnowledge, Workload};
use crate::integrations::database::Answer;
use crate::juju::{self, Agent, Scope, Status, StatusKind};
use crate::kratos::names::{COURIER, KRATOS, SERVICE_CHANGE};
use crate::kratos::program::command::Kratos;
use crate::migration::{self, Job, Outcome, RunEvent, Timeout};
use crate::pebble::{self, Client, ServiceStatus};

/// The job of a dispatch that should migrate by itself: on the leader, for a database from which no Kratos ever
/// served, so that a migration cannot harm anything. Any other waits for the action.
pub fn automatic_job(observed: &Observed) -> Option<Job> {
    let SchemaKnowledge::Known(schema) = &observed.schema else { return None };
    let is_due = observed.is_leader && observed.peers.is_some() && schema.unused && !schema.is_newer();
    let (Answer::Ready(dsn), Some(version)) = (observed.answer(), observed.version()) else { return None };
    (is_due && !observed.is_migrated()).then(|| Job {
        version: version.clone(),
        dsn,
        timeout: Timeout::DEFAULT,
        who: observed.context.unit.to_string(),
        force: false,
        cancel: None,
    })
}

/// Lifts a write fence that a killed run left. A run that goes on holds the lock, and its fence stays.
pub async fn lift_leftover_fence(observed: &mut Observed) {
    let (Some(who), Answer::Ready(dsn), true) = (&observed.fence, observed.answer(), observed.is_leader)
    else {
        return;
    };
    match migration::lift_leftover_fence(&dsn, &observed.context.unit.to_string()).await {
        Ok(true) => {
            tracing::warn!("lifted the write fence that {who} left");
            observed.fence = None;
        }
        Ok(false) => {}
        Err(error) => tracing::warn!("cannot lift the write fence that {who} left: {error}"),
    }
}

/// Migrates without being asked. What Kratos prints is not logged: it is the plan of an empty database.
pub async fn automatic(
    agent: &Agent,
    pebble: &Client,
    observed: &mut Observed,
    job: &Job,
) -> juju::Result<()> {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let note = async {
        while let Some(progress) = receiver.recv().await {
            if let RunEvent::Step(text) = progress {
                tracing::info!("migration: {text}");
            }
        }
    };
    let (outcome, ()) = tokio::join!(migrate(agent, pebble, observed, job, sender), note);
    match outcome? {
        Ok(report) => tracing::info!("migrated the database: {} migrations applied", report.applied),
        Err(failure) => tracing::error!("{}", failure.with_command(observed.application())),
    }
    Ok(())
}

/// Migrates, and leaves in `observed` what the rest of the dispatch decides on.
pub async fn migrate(
    agent: &Agent,
    pebble: &Client,
    observed: &mut Observed,
    job: &Job,
    progress: UnboundedSender<RunEvent>,
) -> juju::Result<Outcome> {
    let maintenance = Status::new(StatusKind::Maintenance, "Migrating the database");
    let is_newer = matches!(&observed.schema, SchemaKnowledge::Known(schema) if schema.is_newer());
    if matches!(observed.schema, SchemaKnowledge::Known(_)) && !is_newer && !observed.is_migrated() {
        tolerate(agent.status_set(Scope::Unit, &maintenance).await)?;
        observed.status = maintenance;
    }
    let stop = async {
        if let Some(container) = observed.container()
            && let Err(error) = quiesce(pebble, container).await
        {
            tracing::warn!("cannot stop the services before the migration: {error}");
        }
    };
    let kratos = Kratos::Workload(pebble.clone());
    let begun = Instant::now();
    let outcome = migration::run(&kratos, job, observed.program.as_ref(), &progress, stop).await;
    // A run that was refused has stopped nothing.
    if let Workload::Reachable(container) = &mut observed.workload
        && let Ok(services) = pebble.services_all().await
    {
        container.services = services;
    }
    if let Ok(report) = &outcome {
        observed.schema = SchemaKnowledge::Known(report.schema.clone());
    }
    observed.migration = Some(outcome.clone());
    observed.migration_took = begun.elapsed();
    Ok(outcome)
}

/// Stops what runs on a database that is about to change under it.
async fn quiesce(pebble: &Client, container: &Container) -> Result<(), pebble::Error> {
    let is_ours = |name: &str| [KRATOS, COURIER].contains(&name);
    let running: Vec<String> = container
        .services
        .iter()
        .filter(|service| is_ours(&service.name) && service.current != ServiceStatus::Inactive)
        .map(|service| service.name.clone())
        .collect();
    if running.is_empty() {
        return Ok(());
    }
    pebble.wait_change(&pebble.stop(&running).await?, SERVICE_CHANGE).await?;
    Ok(())
}
