//! `repair-migration apply=true|false`: recognises the two states in which every run fails, shows the way out, and
//! with `apply=true` takes it, under the migration lock and the write fence.

use std::collections::BTreeMap;

use crate::actions::invocation::Invocation;
use crate::actions::parameters::boolean;
use crate::actions::target::{Target, target};
use crate::actions::text::{failed, show};
use crate::charm::observed::{Effects, Observed};
use crate::juju;
use crate::kratos::program::command::Kratos;
use crate::migration::repair::{Diagnosis, Repaired, diagnose_now, find_fence, repair_now};
use crate::migration::{self, Failure, FenceLift, lift_leftover_fence};

const WHAT: &str = "The database cannot be repaired";

/// Runs the action.
pub async fn run(invocation: &Invocation<'_>, effects: &mut Effects) -> juju::Result<()> {
    let Invocation { agent, pebble, observed, .. } = *invocation;
    let application = observed.application().to_owned();
    let again = format!("juju run {application}/leader repair-migration");
    let parameters = agent.action_get().await?;
    let found = boolean(&parameters, "apply").and_then(|apply| match apply && !observed.is_leader {
        true => Err(format!("Only the leader unit can repair the database: {again} apply=true")),
        false => Ok((apply, target(invocation, &again)?)),
    });
    let (apply, target) = match found {
        Ok(found) => found,
        Err(text) => return agent.action_fail(&text).await,
    };
    let kratos = Kratos::Workload(pebble.clone());
    let diagnosis = match diagnose_now(&kratos, &target.version, &target.dsn, observed.program.as_ref()).await
    {
        Ok((diagnosis, _)) => diagnosis,
        Err(failure) => return agent.action_fail(&failed(WHAT, &failure, observed, &again)).await,
    };
    show(agent, &diagnosis.to_string()).await?;
    let mut results = BTreeMap::from([("diagnosis".to_owned(), diagnosis.kind().to_owned())]);
    results.extend(diagnosis.sql().map(|sql| ("sql".to_owned(), sql)));
    let mut add = |key: &str, value: String| results.insert(key.to_owned(), value);
    let migrate = migration::command(&application);
    let mut failure = None;
    match (&diagnosis, apply) {
        (Diagnosis::None, _) => match fence(&target, observed, effects, apply).await {
            Ok(None) => {
                add("result", "nothing to repair".to_owned());
                add("next", migrate);
            }
            Ok(Some(text)) => {
                add("result", text);
                add("next", if apply { migrate } else { format!("{again} apply=true") });
            }
            Err(error) => failure = Some(failed(WHAT, &error, observed, &again)),
        },
        (Diagnosis::Unknown { .. }, false) => {
            add("result", "no repair is known".to_owned());
            add("next", format!("mend it by hand, then {migrate}"));
        }
        (Diagnosis::Unknown { why }, true) => {
            add("result", "refused".to_owned());
            failure = Some(format!("{WHAT}: no repair is known: {why}; mend it by hand, then {migrate}"));
        }
        (Diagnosis::WedgeA { .. } | Diagnosis::WedgeB { .. }, false) => {
            add("result", "nothing was changed".to_owned());
            add("next", format!("{again} apply=true"));
        }
        (Diagnosis::WedgeA { .. } | Diagnosis::WedgeB { .. }, true) => {
            let asked = observed.program.as_ref();
            match repair_now(&kratos, &target.version, &target.dsn, asked, &who(observed)).await {
                Ok(Repaired { sql, now }) => {
                    tracing::warn!("repaired the database: {sql}");
                    show(agent, &format!("repaired: {sql}\nnow: {now}")).await?;
                    add("result", "repaired".to_owned());
                    add("now", now.kind().to_owned());
                    let next = match now {
                        Diagnosis::None => migrate,
                        Diagnosis::Unknown { why } => format!("mend by hand: {why}; then {migrate}"),
                        Diagnosis::WedgeA { .. } | Diagnosis::WedgeB { .. } => format!("{again} apply=true"),
                    };
                    add("next", next);
                }
                Err(error) => {
                    add("result", error.kind().to_owned());
                    failure = Some(failed(WHAT, &error, observed, &again));
                }
            }
        }
    }
    agent.action_set(&results).await?;
    match failure {
        Some(text) => agent.action_fail(&text).await,
        None => Ok(()),
    }
}

/// Looks for a fence that a killed run left, or lifts it, which needs no diagnosis; what there is to say of it.
async fn fence(
    target: &Target,
    observed: &Observed,
    effects: &mut Effects,
    apply: bool,
) -> Result<Option<String>, Failure> {
    if !apply {
        return Ok(find_fence(&target.dsn).await?.map(|fence| fence.to_string()));
    }
    match lift_leftover_fence(&target.dsn, &who(observed)).await? {
        FenceLift::NotUp => Ok(None),
        FenceLift::Held(holder) => Err(Failure::Locked { holder }),
        FenceLift::Lifted => {
            effects.is_fence_lifted = true;
            Ok(Some("lifted the write fence that an earlier run left".to_owned()))
        }
    }
}

fn who(observed: &Observed) -> String {
    format!("{} task {}", observed.context.unit, observed.context.task().unwrap_or_default())
}
