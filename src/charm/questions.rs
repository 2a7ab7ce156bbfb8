//! Which of the costly questions a dispatch has to ask: pure functions of what was read cheaply.

use super::observed::{Container, Observed};
use crate::integrations::database::Answer;
use crate::juju::{Event, WorkloadEventKind};
use crate::kratos::names::{KRATOS, READY};
use crate::pebble::{CheckStatus, ServiceStatus};

/// Whether `kratos version` has to be run: a container in which Kratos serves was asked before it was started,
/// any other may be of a new image.
pub fn is_version_needed(observed: &Observed) -> bool {
    let Some(container) = observed.container() else { return false };
    let is_new = match &observed.context.event {
        Event::Workload(event) => event.kind == WorkloadEventKind::Ready,
        Event::UpgradeCharm | Event::Action(_) => true,
        _ => false,
    };
    let is_published = observed.peers.as_ref().is_some_and(|peers| peers.workload_version().is_some());
    is_new || !is_published || !is_active(container) || is_schema_in_doubt(observed, container)
}

/// Whether the database has to be asked: before anything is started from it, while the record does not name
/// the workload's version, when Kratos itself is not content, and for an action.
pub fn is_schema_needed(observed: &Observed) -> bool {
    let Some(container) = observed.container() else { return false };
    observed.version().is_some()
        && matches!(observed.answer(), Answer::Ready(_))
        && (!is_active(container)
            || is_schema_in_doubt(observed, container)
            || matches!(observed.context.event, Event::Action(_)))
}

fn is_schema_in_doubt(observed: &Observed, container: &Container) -> bool {
    let published = observed.peers.as_ref().and_then(|peers| peers.workload_version());
    let is_recorded = published.is_some() && observed.recorded_version().as_ref() == published;
    !is_recorded || is_unready(container)
}

/// Whether Pebble runs Kratos.
pub fn is_active(container: &Container) -> bool {
    container.service(KRATOS) == Some(&ServiceStatus::Active)
}

/// Whether the readiness check has failed often enough to count.
pub fn is_unready(container: &Container) -> bool {
    container.checks.iter().any(|check| check.name == READY && check.status == CheckStatus::Down)
}
