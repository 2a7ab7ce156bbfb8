//! An event: one reason to run a charm, with its hook name and its part of the environment (Juju's HookVars).

use super::{Model, ModelError, application_of};

/// Which of an endpoint's hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelationHook {
    /// The relation is there; no remote data yet.
    Created,
    /// A remote unit entered.
    Joined,
    /// A remote bag differs from what this unit was last told.
    Changed,
    /// A remote unit left.
    Departed,
    /// The relation is gone for this unit.
    Broken,
}

impl RelationHook {
    fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Joined => "joined",
            Self::Changed => "changed",
            Self::Departed => "departed",
            Self::Broken => "broken",
        }
    }
}

/// One event of one unit. Versions say which state of the world it announces; what changes later makes a new
/// event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Install,
    Start,
    LeaderElected,
    UpgradeCharm,
    UpdateStatus,
    Stop,
    Remove,
    ConfigChanged {
        version: u64,
    },
    Relation {
        hook: RelationHook,
        id: u32,
        endpoint: String,
        app: String,
        unit: Option<String>,
        departing: Option<String>,
        version: u64,
    },
    PebbleReady {
        container: String,
    },
    PebbleCheck {
        container: String,
        check: String,
        recovered: bool,
    },
    SecretChanged {
        id: String,
        label: String,
        revision: u32,
    },
    SecretRemove {
        id: String,
        label: String,
        revision: u32,
    },
    Action {
        task: u32,
        name: String,
    },
}

impl Event {
    /// The hook's name, e.g. `db-relation-changed`; for an action the action's name.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Install => "install".into(),
            Self::Start => "start".into(),
            Self::LeaderElected => "leader-elected".into(),
            Self::UpgradeCharm => "upgrade-charm".into(),
            Self::UpdateStatus => "update-status".into(),
            Self::Stop => "stop".into(),
            Self::Remove => "remove".into(),
            Self::ConfigChanged { .. } => "config-changed".into(),
            Self::Relation { hook, endpoint, .. } => format!("{endpoint}-relation-{}", hook.word()),
            Self::PebbleReady { container } => format!("{container}-pebble-ready"),
            Self::PebbleCheck { container, recovered, .. } => {
                format!("{container}-pebble-check-{}", if *recovered { "recovered" } else { "failed" })
            }
            Self::SecretChanged { .. } => "secret-changed".into(),
            Self::SecretRemove { .. } => "secret-remove".into(),
            Self::Action { name, .. } => name.clone(),
        }
    }

    /// Whether it is an action.
    #[must_use]
    pub fn is_action(&self) -> bool {
        matches!(self, Self::Action { .. })
    }

    /// The relation that it is about.
    #[must_use]
    pub fn relation_id(&self) -> Option<u32> {
        match self {
            Self::Relation { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// Application and unit at the other side, where the event has them.
    #[must_use]
    pub fn remote(&self) -> (Option<&str>, Option<&str>) {
        match self {
            Self::Relation { app, unit, .. } => (Some(app), unit.as_deref()),
            _ => (None, None),
        }
    }

    /// The relation that is broken by this event.
    #[must_use]
    pub fn broken(&self) -> Option<u32> {
        match self {
            Self::Relation { id, hook: RelationHook::Broken, .. } => Some(*id),
            _ => None,
        }
    }

    /// The variables that this kind of event adds to the environment.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let name = self.name();
        let mut vars = match self {
            Self::Action { .. } => {
                vec![("JUJU_HOOK_NAME", String::new()), ("JUJU_DISPATCH_PATH", format!("actions/{name}"))]
            }
            _ => vec![("JUJU_DISPATCH_PATH", format!("hooks/{name}")), ("JUJU_HOOK_NAME", name)],
        };
        match self {
            Self::Relation { hook, id, endpoint, app, unit, departing, .. } => {
                vars.push(("JUJU_RELATION", endpoint.clone()));
                vars.push(("JUJU_RELATION_ID", format!("{endpoint}:{id}")));
                vars.push(("JUJU_REMOTE_APP", app.clone()));
                vars.push(("JUJU_REMOTE_UNIT", unit.clone().unwrap_or_default()));
                if *hook == RelationHook::Departed {
                    vars.push(("JUJU_DEPARTING_UNIT", departing.clone().unwrap_or_default()));
                }
            }
            Self::PebbleReady { container } => vars.push(("JUJU_WORKLOAD_NAME", container.clone())),
            Self::PebbleCheck { container, check, .. } => {
                vars.push(("JUJU_WORKLOAD_NAME", container.clone()));
                vars.push(("JUJU_PEBBLE_CHECK_NAME", check.clone()));
            }
            Self::SecretChanged { id, label, .. } => {
                vars.push(("JUJU_SECRET_ID", format!("secret:{id}")));
                vars.push(("JUJU_SECRET_LABEL", label.clone()));
            }
            Self::SecretRemove { id, label, revision } => {
                vars.push(("JUJU_SECRET_ID", format!("secret:{id}")));
                vars.push(("JUJU_SECRET_LABEL", label.clone()));
                vars.push(("JUJU_SECRET_REVISION", revision.to_string()));
            }
            Self::Action { task, name } => {
                vars.push(("JUJU_ACTION_NAME", name.clone()));
                vars.push(("JUJU_ACTION_UUID", task.to_string()));
                vars.push(("JUJU_ACTION_TAG", format!("action-{task}")));
            }
            _ => {}
        }
        vars
    }
}

impl Model {
    /// The event of that hook name for that unit, as a test asks for it: a life event, `NAME-pebble-ready`,
    /// `NAME-pebble-check-failed:CHECK`, `NAME-pebble-check-recovered:CHECK`, or `ENDPOINT-relation-changed`
    /// of an endpoint with one relation (told for its first remote unit, or its remote application if there
    /// is none).
    ///
    /// # Errors
    /// The unit is not there, or the name is no event that can be asked for.
    pub fn event_named(&self, unit: &str, name: &str) -> Result<Event, ModelError> {
        let number = self.unit(unit)?.number;
        let app = self.application(application_of(unit))?;
        let refused = || ModelError::Invalid(format!("event \"{name}\" cannot be fired on unit \"{unit}\""));
        let container = |suffix: &str| {
            name.strip_suffix(suffix)
                .filter(|it| app.charm.containers.iter().any(|c| c == it))
                .map(str::to_owned)
        };
        Ok(match name {
            "install" => Event::Install,
            "start" => Event::Start,
            "leader-elected" if app.leader == Some(number) => Event::LeaderElected,
            "upgrade-charm" => Event::UpgradeCharm,
            "update-status" => Event::UpdateStatus,
            "stop" => Event::Stop,
            "config-changed" => Event::ConfigChanged { version: app.config_version },
            _ => {
                if let Some(container) = container("-pebble-ready") {
                    return Ok(Event::PebbleReady { container });
                }
                for (word, recovered) in
                    [("-pebble-check-failed:", false), ("-pebble-check-recovered:", true)]
                {
                    if let Some((container, check)) = name.split_once(word) {
                        let (container, check) = (container.to_owned(), check.to_owned());
                        return Ok(Event::PebbleCheck { container, check, recovered });
                    }
                }
                let endpoint = name.strip_suffix("-relation-changed").ok_or_else(refused)?;
                let mut ids = self.relation_ids(&app.name, endpoint).into_iter();
                let (Some(id), None) = (ids.next(), ids.next()) else { return Err(refused()) };
                let members = self.remote_units(id, unit);
                Event::Relation {
                    hook: RelationHook::Changed,
                    id,
                    endpoint: endpoint.to_owned(),
                    app: self.remote_application(id, &app.name).ok_or_else(refused)?,
                    version: members.values().next().copied().unwrap_or_default(),
                    unit: members.into_keys().next(),
                    departing: None,
                }
            }
        })
    }
}
