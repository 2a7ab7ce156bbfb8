//! What is wrong without standing in the way: the services are configured and run, but a person should know.

use super::observed::Observed;
use crate::juju::Status;

/// Everything of that kind, the first of equals first. Each text ends with what to do about it.
pub fn complaints(_observed: &Observed) -> Vec<Status> {
    Vec::new()
}
