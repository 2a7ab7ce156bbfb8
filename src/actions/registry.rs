//! The table of all actions: its names are those of actions.yaml.

use std::pin::Pin;

use super::invocation::Invocation;
use super::{identities, migration, schemas, secrets};
use crate::charm::observed::Effects;
use crate::juju;
use crate::migration::Force;

type Running<'a> = Pin<Box<dyn Future<Output = juju::Result<()>> + 'a>>;

/// What runs an action.
type Run = for<'a> fn(&'a Invocation<'a>, &'a mut Effects) -> Running<'a>;

/// All actions but those on identities, which have a table of their own.
const ACTIONS: [(&str, Run); 8] = [
    ("run-migration", |invocation, effects| Box::pin(migration::run::run(invocation, effects))),
    ("plan-migration", |invocation, _| Box::pin(migration::plan::run(invocation, Force::default()))),
    ("show-migrations", |invocation, _| Box::pin(migration::show::run(invocation))),
    ("repair-migration", |invocation, effects| Box::pin(migration::repair::run(invocation, effects))),
    ("pre-refresh-check", |invocation, _| Box::pin(migration::pre_refresh_check::run(invocation))),
    ("rotate-secrets", |invocation, effects| Box::pin(secrets::run(invocation, effects))),
    ("check-identity-schema", |invocation, _| Box::pin(schemas::check::run(invocation))),
    ("migrate-identity-schema", |invocation, _| Box::pin(schemas::migrate::run(invocation))),
];

/// Runs the action of this name.
pub async fn run(invocation: &Invocation<'_>, name: &str, effects: &mut Effects) -> juju::Result<()> {
    if let Some((_, run)) = ACTIONS.iter().find(|(action, _)| *action == name) {
        return run(invocation, effects).await;
    }
    if let Some((action, run)) = identities::ACTIONS.iter().find(|(action, _)| *action == name) {
        return identities::run(invocation, action, *run).await;
    }
    invocation.agent.action_fail(&format!("This charm has no action {name:?}")).await
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_action_of_actions_yaml_is_here_and_no_other() {
        let file: serde_yaml::Mapping = serde_yaml::from_str(include_str!("../../actions.yaml")).unwrap();
        let declared: BTreeSet<&str> = file.keys().map(|name| name.as_str().unwrap()).collect();
        let identities = identities::ACTIONS.iter().map(|(name, _)| *name);
        let all: Vec<&str> = ACTIONS.iter().map(|(name, _)| *name).chain(identities).collect();
        assert_eq!(all.iter().copied().collect::<BTreeSet<_>>(), declared);
        assert_eq!(all.len(), declared.len(), "one is there twice");
    }
}
