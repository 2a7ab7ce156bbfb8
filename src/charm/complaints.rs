//! What is wrong without standing in the way: the services are configured and run, but a person should know.

use super::limits::limits;
use super::observed::Observed;
use crate::juju::{Status, StatusKind};

/// Everything of that kind, the first of equals first. Each text ends with what to do about it.
pub fn complaints(observed: &Observed) -> Vec<Status> {
    resource_limits(observed).into_iter().collect()
}

/// Row 11: a limit that is none.
fn resource_limits(observed: &Observed) -> Option<Status> {
    let invalid = limits(observed.application(), &observed.config).err()?;
    Some(Status::new(StatusKind::Blocked, format!("Failed obtaining resource limit spec: {invalid}")))
}
