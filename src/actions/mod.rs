//! Actions: a second, short corridor. One file per action: parameters into a type, preconditions, the one thing, results.
//! The dispatch then walks the corridor of every event, so an action ends with a reconciled unit.
//!
//! An action is given an [`Invocation`]; what it changes of the observed facts it notes in the dispatch's
//! [`Effects`](crate::charm::observed::Effects). [`registry`] is the table of all actions.

mod identities;
mod invocation;
mod migration;
mod parameters;
mod registry;
mod schemas;
mod secrets;
mod target;
mod text;

pub use invocation::Invocation;

use crate::charm::observed::Effects;
use crate::juju::{self, Agent, Event, UnitName, tolerate};

/// Whether an event is an action that works with the Kratos program and the schema of the database. Those on identities ask
/// Kratos itself, which serves, or fail at once.
pub fn ask_for_program(event: &Event) -> bool {
    let is_on_identities = |name: &str| identities::ACTIONS.iter().any(|(action, _)| *action == name);
    matches!(event, Event::Action(action) if !is_on_identities(&action.name))
}

/// Runs an action. A failure of the action is reported by `action-fail`; an error means that the agent cannot be reached.
pub async fn run(invocation: &Invocation<'_>, name: &str, effects: &mut Effects) -> juju::Result<()> {
    let (agent, unit) = (invocation.agent, &invocation.observed.context.unit);
    match registry::run(invocation, name, effects).await {
        Ok(()) => Ok(()),
        Err(error) => give_up(agent, unit, error).await,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::juju::ActionEvent;

    #[test]
    fn actions_on_identities_start_no_kratos() {
        let asks = |name: &str| {
            ask_for_program(&Event::Action(ActionEvent { name: name.to_owned(), uuid: "7".to_owned() }))
        };
        assert!(asks("run-migration") && asks("check-identity-schema") && asks("rotate-secrets"));
        assert!(
            !asks("get-identity") && !asks("cleanup-database") && !ask_for_program(&Event::ConfigChanged)
        );
    }
}
