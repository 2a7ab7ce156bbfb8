//! Before a run: the plan, and the checks that may refuse it. Nothing of the production database is changed.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use super::failure::Failure;
use super::job::Job;
use super::output::{RunEvent, say};
use super::plan::{MigrationPlan, Mode, plan_of_run};
use super::preflight::{PlannedRun, own_tables, preflight};
use super::program::ProgramMigrations;
use super::schema::Schema;
use crate::kratos::program::command::{Kratos, ListedMigration};
use crate::postgres::Connection;

/// What is known before the run.
#[derive(Default)]
pub(super) struct Prepared {
    pub digest: Option<String>,
    /// Nothing is lost if a migration gives up waiting for a lock, so that it may be tried again.
    pub may_give_up: bool,
    /// Kratos' tables; empty: not known.
    pub own: Vec<String>,
    /// About how many rows the tables have that are touched, by name.
    pub rows: BTreeMap<String, u64>,
}

/// Plans and checks.
pub(super) async fn prepare(
    kratos: &Kratos,
    job: &Job,
    side: &Connection,
    program: &ProgramMigrations,
    schema: &Schema,
    progress: &UnboundedSender<RunEvent>,
) -> Result<Prepared, Failure> {
    let plan = match plan_of_run(kratos, &job.version, &job.dsn, program).await {
        Ok(plan) => Some(plan),
        // A program that cannot tell what is pending has no plan; the run goes on without one.
        Err(Failure::Program(why)) if schema.pending.is_none() => {
            say(progress, why);
            None
        }
        Err(error) => return Err(error),
    };
    let touched: Vec<String> = plan.iter().flat_map(touched).collect();
    let own = plan.as_ref().filter(|plan| is_clear(plan)).map_or_else(Vec::new, |_| own_tables(&touched));
    let run = PlannedRun {
        dsn: &job.dsn,
        schema,
        listed: &program.listed,
        touched: &touched,
        own: &own,
        estimate: plan.as_ref().map(|plan| Duration::from_secs_f64(plan.estimate_seconds)),
        timeout: job.timeout,
        force: job.force,
    };
    let report = preflight(side, run).await;
    if let Some(refusal) = report.refusal() {
        return Err(Failure::Refused(refusal));
    }
    say(progress, report.to_string());
    let Some(plan) = plan else { return Ok(Prepared { own, ..Prepared::default() }) };
    let short: String = plan.digest.chars().take(12).collect();
    say(progress, format!("plan {short}: at most about {:.0} s", plan.estimate_seconds.ceil()));
    Ok(Prepared {
        may_give_up: may_give_up(&plan, &program.listed),
        digest: Some(short),
        own,
        rows: plan
            .migrations
            .iter()
            .flat_map(|step| &step.tables)
            .filter_map(|touched| Some((touched.table.clone(), touched.rows?)))
            .collect(),
    })
}

/// Whether every pending migration leaves nothing behind when it gives up waiting for a lock. A script outside of a
/// transaction is sent as one query, which the server undoes as a whole, and a backfill goes on where it was; only an index
/// that was being built concurrently stays, and is invalid.
fn may_give_up(plan: &MigrationPlan, listed: &[ListedMigration]) -> bool {
    plan.migrations.iter().filter(|step| step.mode != Mode::Transaction).all(|step| {
        let sql = listed.iter().find(|listed| listed.version == step.version);
        sql.is_some_and(|listed| !listed.content.to_ascii_uppercase().contains("CONCURRENTLY"))
    })
}

/// Whether the plan names all tables that are touched.
fn is_clear(plan: &MigrationPlan) -> bool {
    plan.migrations.iter().all(|step| !step.is_unclear)
}

fn touched(plan: &MigrationPlan) -> Vec<String> {
    plan.migrations.iter().flat_map(|step| &step.tables).map(|touched| touched.table.clone()).collect()
}
