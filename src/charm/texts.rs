//! The two kinds of status that ask for something, and the order of all kinds.

use crate::juju::{Status, StatusKind};

/// A status of a matter that ends by itself.
pub fn waiting(message: impl Into<String>) -> Status {
    Status::new(StatusKind::Waiting, message)
}

/// A status of a matter that a person must mend.
pub fn blocked(message: impl Into<String>) -> Status {
    Status::new(StatusKind::Blocked, message)
}
