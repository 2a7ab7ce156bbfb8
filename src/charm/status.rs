//! The unit's status: the worst of everything that there is to say.

use super::apply::{Applied, ServiceFailure};
use super::observed::Observed;
use super::situation::Situation;
use super::texts::blocked;
use crate::juju::{Status, StatusKind};
use crate::kratos::pebble_by_hand;

/// The status that this dispatch ends with.
pub fn status(situation: &Situation<'_>, applied: &Applied) -> Status {
    let mut statuses = situation.blockers.clone();
    let failure = applied.failure.as_ref();
    statuses.extend(failure.map(|failure| service_failure(situation.observed, failure)));
    statuses.extend(applied.refused.clone());
    statuses.extend(situation.warnings.iter().cloned());
    statuses.extend(applied.cluster_problems.iter().map(|problem| problem.status.clone()));
    worst(statuses).unwrap_or_else(|| Status::new(StatusKind::Active, ""))
}

/// The worst of several statuses, the first of equals.
fn worst(statuses: Vec<Status>) -> Option<Status> {
    statuses.into_iter().reduce(|worst, next| if rank(next.kind) > rank(worst.kind) { next } else { worst })
}

fn rank(kind: StatusKind) -> u8 {
    match kind {
        StatusKind::Error => 5,
        StatusKind::Blocked => 4,
        StatusKind::Maintenance => 3,
        StatusKind::Waiting => 2,
        _ => 1,
    }
}

fn service_failure(observed: &Observed, failure: &ServiceFailure) -> Status {
    let text = match failure {
        ServiceFailure::Kratos => "Failed to start the service, please check the kratos container logs",
        ServiceFailure::Refused => {
            "Kratos refused the new configuration and goes on with the last good one, see"
        }
        ServiceFailure::Courier => {
            "Failed to start the courier service, please check the 'courier' logs on the workload container"
        }
        ServiceFailure::Pebble(reason) => &format!("Cannot configure the workload: {reason}"),
    };
    blocked(format!("{text}: {}", pebble_by_hand(&observed.context.unit, "logs")))
}
