//! `run-migration timeout=SECONDS force=… dry-run=…`: migrates the database on the leader (docs/behaviour.md#row-102).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::time::{Instant, sleep_until};

use super::plan;
use crate::actions::invocation::Invocation;
use crate::actions::parameters::{boolean, force};
use crate::actions::target::{Target, same_versions, target};
use crate::actions::text::{MOST_LINES, note};
use crate::charm::migrate::migrate;
use crate::charm::observed::{Effects, MigrationRun, Observed};
use crate::charm::situation::{Held, emptied, is_migrated, recorded, way_back};
use crate::juju::{self, Agent};
use crate::migration::{self, Failure, Force, HeldVerdict, Job, Outcome, RunEvent, Timeout};

/// Lines are gathered for so long before they are logged: every call of the agent takes some milliseconds.
const GATHER: Duration = Duration::from_millis(300);

/// Runs the action.
pub async fn run(invocation: &Invocation<'_>, effects: &mut Effects) -> juju::Result<()> {
    let Invocation { agent, pebble, observed, .. } = *invocation;
    let parameters = agent.action_get().await?;
    let Request { timeout, force, is_dry, accepted } = match Request::parse(&parameters) {
        Ok(request) => request,
        Err(invalid) => return agent.action_fail(&invalid).await,
    };
    if is_dry {
        return plan::run(invocation, force).await;
    }
    let again = migration::command_with(observed.application(), timeout, force);
    let (Target { version, dsn }, waived) = match checked(invocation, &again, force) {
        Ok(checked) => checked,
        Err(text) => return agent.action_fail(&text).await,
    };
    if let Some(text) = emptied(observed).filter(|_| !accepted.empty) {
        return agent.action_fail(&text).await;
    }
    if let Some(held) = recorded(observed) {
        if accepted.verdicts.contains(&held.verdict) {
            tracing::warn!("accepted on request: {}", held.reason);
            effects.is_verdict_accepted = true;
            if is_migrated(observed) {
                return report_acceptance(agent, observed, &held).await;
            }
        } else if held.verdict == HeldVerdict::LostRows {
            return agent.action_fail(&held.text(observed.application())).await;
        }
    }
    let task = observed.context.task().unwrap_or_default().to_owned();
    let who = format!("{} task {task}", observed.context.unit);
    // `juju run` itself waits for a minute only; this line is what to go on with.
    note(agent, &format!("juju show-task {task} --watch")).await?;
    if !waived.is_empty() {
        let text = format!("going on without these units, as force=units says: {}", waived.join(", "));
        tracing::warn!("{text}");
        note(agent, &text).await?;
    }
    let job = Job { version: version.clone(), dsn, timeout, who, force: force.time, cancel: None };
    let (sender, receiver) = mpsc::unbounded_channel();
    let (run, logged) = tokio::join!(migrate(agent, pebble, observed, &job, sender), log(agent, receiver));
    logged?;
    let run = effects.migration.insert(MigrationRun { waived, ..run? });
    report(agent, observed, &job, force, &run.outcome).await
}

/// What the action was asked for.
struct Request {
    timeout: Timeout,
    force: Force,
    is_dry: bool,
    accepted: Accepted,
}

/// The losses with which the caller goes on.
struct Accepted {
    empty: bool,
    verdicts: Vec<HeldVerdict>,
}

impl Request {
    fn parse(parameters: &BTreeMap<String, Value>) -> Result<Self, String> {
        let mut verdicts = Vec::new();
        for verdict in [HeldVerdict::LostRows, HeldVerdict::InvalidIndexes] {
            if boolean(parameters, &verdict.parameter())? {
                verdicts.push(verdict);
            }
        }
        Ok(Self {
            timeout: Timeout::parse(parameters.get("timeout")).map_err(|invalid| invalid.to_string())?,
            force: force(parameters)?,
            is_dry: boolean(parameters, "dry-run")?,
            accepted: Accepted { empty: boolean(parameters, "accept-empty")?, verdicts },
        })
    }
}

/// The leader, everything it works with, and no other unit that still runs another Kratos; the units that `force` waives.
fn checked(invocation: &Invocation<'_>, again: &str, force: Force) -> Result<(Target, Vec<String>), String> {
    let observed = invocation.observed;
    if !observed.is_leader {
        return Err(format!("Only the leader unit can run the database migration: {again}"));
    }
    let target = target(invocation, again)?;
    let waived = same_versions(observed, &target.version, again, force.units)?;
    Ok((target, waived))
}

/// Shows the progress while it comes, several lines at a time.
async fn log(agent: &Agent, mut progress: UnboundedReceiver<RunEvent>) -> juju::Result<()> {
    while let Some(first) = progress.recv().await {
        let mut lines = vec![text(first)];
        let until = Instant::now() + GATHER;
        while lines.len() < MOST_LINES {
            tokio::select! {
                () = sleep_until(until) => break,
                next = progress.recv() => match next {
                    Some(next) => lines.push(text(next)),
                    None => break,
                },
            }
        }
        note(agent, &lines.join("\n")).await?;
    }
    Ok(())
}

fn text(progress: RunEvent) -> String {
    match progress {
        RunEvent::Step(text) => format!("migration: {text}"),
        RunEvent::Line(text) => text,
    }
}

/// Nothing is pending: with the verdict accepted, this dispatch goes on to start the services.
async fn report_acceptance(agent: &Agent, observed: &Observed, held: &Held) -> juju::Result<()> {
    let results = [
        ("result", "accepted".to_owned()),
        ("verdict", held.verdict.kind().to_owned()),
        ("next", format!("juju status {}", observed.application())),
    ];
    agent.action_set(&results.map(|(key, value)| (key.to_owned(), value)).into()).await
}

async fn report(
    agent: &Agent,
    observed: &Observed,
    job: &Job,
    force: Force,
    outcome: &Outcome,
) -> juju::Result<()> {
    let application = observed.application();
    let mut results = BTreeMap::from([("version".to_owned(), job.version.to_string())]);
    let mut add = |key: &str, value: String| results.insert(key.to_owned(), value);
    match outcome {
        Ok(report) => {
            add("result", "completed".to_owned());
            add("applied", report.applied.to_string());
            add("pending", "0".to_owned());
            add("seconds", format!("{:.1}", report.elapsed.as_secs_f64()));
            add("next", format!("juju status {application}"));
        }
        Err(failure) => {
            add("result", failure.kind().to_owned());
            if let Some(reached) = failure.reached() {
                add("applied", reached.applied.to_string());
                add("pending", reached.pending.map_or("unknown".to_owned(), |count| count.to_string()));
            }
            if let Failure::Stopped { timeout, .. } = failure {
                add("next", migration::command_with(application, timeout.doubled(), force));
            }
        }
    }
    agent.action_set(&results).await?;
    match outcome {
        Ok(_) => Ok(()),
        Err(failure @ Failure::Newer { .. }) => {
            agent.action_fail(&format!("Database migration failed: {failure}; {}", way_back(observed))).await
        }
        Err(failure) => agent.action_fail(&failure.with_request(application, job.timeout, force)).await,
    }
}
