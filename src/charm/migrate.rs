//! The migration inside a dispatch: on request of the action, or by itself for a database that nobody used yet.

use std::time::Instant;

use tokio::sync::mpsc::{self, UnboundedSender};

use super::observed::{Container, Effects, MigrationRun, Observed, SchemaKnowledge};
use super::situation::{Parsed, is_migrated};
use crate::integrations::database::Answer;
use crate::juju::{self, Agent, Scope, Status, StatusKind, tolerate};
use crate::kratos::names::{COURIER, KRATOS, SERVICE_CHANGE};
use crate::kratos::program::command::Kratos;
use crate::migration::{self, FenceLift, Job, RunEvent, Timeout};
use crate::pebble::{self, Client, ServiceStatus};

/// What a dispatch does by itself about the database: it lifts a write fence that a killed run left, and migrates a database
/// that was never used.
pub async fn by_itself(
    agent: &Agent,
    pebble: &Client,
    observed: &Observed,
    parsed: &Parsed,
) -> juju::Result<Effects> {
    let is_fence_lifted = lift_leftover_fence(observed, parsed).await;
    let migration = match automatic_job(observed, parsed) {
        Some(job) => Some(automatic(agent, pebble, observed, &job).await?),
        None => None,
    };
    Ok(Effects { migration, is_fence_lifted, ..Effects::default() })
}

/// The job of a dispatch that should migrate by itself: on the leader, for a database from which no Kratos ever served, so
/// that a migration cannot harm anything. One that was migrated before may have been emptied, or be in the middle of its
/// restoration: it waits for the action, as any other does.
pub fn automatic_job(observed: &Observed, parsed: &Parsed) -> Option<Job> {
    let SchemaKnowledge::Known(schema) = &observed.schema else { return None };
    let is_due = observed.is_leader && observed.peers.is_some() && schema.unused && !schema.is_newer();
    let is_due = is_due && observed.recorded_version().is_none();
    let (Answer::Ready(dsn), Some(version)) = (&parsed.database, observed.version()) else { return None };
    (is_due && !is_migrated(observed)).then(|| Job {
        version: version.clone(),
        dsn: dsn.clone(),
        timeout: Timeout::DEFAULT,
        who: observed.context.unit.to_string(),
        force: false,
        cancel: None,
    })
}

/// Whether a write fence was lifted. A run that goes on holds the lock, and its fence stays.
async fn lift_leftover_fence(observed: &Observed, parsed: &Parsed) -> bool {
    let (Some(who), Answer::Ready(dsn), true) = (&observed.fence, &parsed.database, observed.is_leader)
    else {
        return false;
    };
    match migration::lift_leftover_fence(dsn, &observed.context.unit.to_string()).await {
        Ok(FenceLift::Lifted) => {
            tracing::warn!("lifted the write fence that {who} left");
            true
        }
        Ok(FenceLift::NotUp | FenceLift::Held(_)) => false,
        Err(error) => {
            tracing::warn!("cannot lift the write fence that {who} left: {error}");
            false
        }
    }
}

/// Migrates without being asked. What Kratos prints is not logged: it is the plan of an empty database.
async fn automatic(
    agent: &Agent,
    pebble: &Client,
    observed: &Observed,
    job: &Job,
) -> juju::Result<MigrationRun> {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let note = async {
        while let Some(progress) = receiver.recv().await {
            if let RunEvent::Step(text) = progress {
                tracing::info!("migration: {text}");
            }
        }
    };
    let (run, ()) = tokio::join!(migrate(agent, pebble, observed, job, sender), note);
    let run = run?;
    match &run.outcome {
        Ok(report) => tracing::info!("migrated the database: {} migrations applied", report.applied),
        Err(failure) => tracing::error!("{}", failure.with_command(observed.application())),
    }
    Ok(run)
}

/// Migrates; what came out of it is one more fact for the rest of the dispatch.
pub async fn migrate(
    agent: &Agent,
    pebble: &Client,
    observed: &Observed,
    job: &Job,
    progress: UnboundedSender<RunEvent>,
) -> juju::Result<MigrationRun> {
    let is_pending = matches!(&observed.schema, SchemaKnowledge::Known(schema) if !schema.is_newer())
        && !is_migrated(observed);
    let shown = is_pending.then(|| Status::new(StatusKind::Maintenance, "Migrating the database"));
    if let Some(maintenance) = &shown {
        tolerate(agent.status_set(Scope::Unit, maintenance).await)?;
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
    let took = begun.elapsed();
    // A run that was refused has stopped nothing.
    let (services, checks) = match observed.container() {
        Some(_) => (pebble.services_all().await.ok(), pebble.checks_all().await.ok()),
        None => (None, None),
    };
    Ok(MigrationRun { outcome, took, services, checks, waived: Vec::new(), shown })
}

/// Stops what runs on a database that is about to change under it. Its checks first: a kubelet restarts a container whose
/// checks fail, with the migration in it.
async fn quiesce(pebble: &Client, container: &Container) -> Result<(), pebble::Error> {
    let checks = container.running_checks();
    if !checks.is_empty() {
        pebble.stop_checks(&checks).await?;
    }
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
