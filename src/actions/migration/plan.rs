//! `plan-migration`, and `run-migration dry-run=true`: what a migration would do, and for how long. Any unit may tell.

use crate::actions::invocation::Invocation;
use crate::actions::target::{same_versions, target};
use crate::actions::text::{failed, show};
use crate::juju;
use crate::kratos::program::command::Kratos;
use crate::migration::{self, Force, plan};

/// Runs the action; `force` is what a run would be asked with.
pub async fn run(invocation: &Invocation<'_>, force: Force) -> juju::Result<()> {
    let Invocation { agent, pebble, observed, .. } = *invocation;
    let application = observed.application();
    let again = format!("juju run {} plan-migration", observed.context.unit);
    let target = match target(invocation, &again) {
        Ok(target) => target,
        Err(text) => return agent.action_fail(&text).await,
    };
    let kratos = Kratos::Workload(pebble.clone());
    let plan = match plan::plan(&kratos, &target.version, &target.dsn, observed.program.as_ref()).await {
        Ok(plan) => plan,
        Err(failure) => {
            let text = failed("The migration cannot be planned", &failure, observed, &again);
            return agent.action_fail(&text).await;
        }
    };
    show(agent, &plan.render(application)).await?;
    let run = migration::command(application);
    if let Err(text) = same_versions(observed, &target.version, &run, force.units) {
        show(agent, &format!("run-migration would be refused now: {text}")).await?;
    }
    let mut results = plan.results();
    results.insert("version".to_owned(), plan.version);
    results.insert("result".to_owned(), "planned".to_owned());
    let next = match (&plan.obstacle, plan.migrations.is_empty()) {
        (Some(_), _) => migration::repair_command(application),
        (None, true) => format!("juju status {application}"),
        (None, false) => {
            format!("{run} timeout={}{}", plan.suggested_timeout, migration::forced(force))
        }
    };
    results.insert("next".to_owned(), next);
    agent.action_set(&results).await
}
