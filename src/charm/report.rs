//! report: the unit's status, set once at the end and only if it changed.

use super::apply::Applied;
use super::complaints::complaints;
use super::observed::Observed;
use super::obstacles::{obstacles, worst};
use super::services::ServiceFailure;
use crate::juju::{Status, StatusKind};
use crate::kratos::pebble_by_hand;

/// The status that this dispatch ends with.
pub fn status(observed: &Observed, applied: &Applied) -> Status {
    let mut statuses = obstacles(observed);
    if let Some(failure) = &applied.failure {
        statuses.push(Status::new(StatusKind::Blocked, with_command(observed, failure)));
    }
    statuses.extend(applied.refused.clone());
    statuses.extend(complaints(observed));
    statuses.extend(applied.cluster.iter().cloned());
    worst(statuses).unwrap_or_else(|| Status::new(StatusKind::Active, ""))
}

fn with_command(observed: &Observed, failure: &ServiceFailure) -> String {
    let unit = &observed.context.unit;
    format!("{failure}: {}", pebble_by_hand(unit, "logs"))
}
