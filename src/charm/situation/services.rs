//! Whether Kratos runs and serves, by what Pebble answered.

use crate::charm::observed::Container;
use crate::kratos::names::{KRATOS, READY};
use crate::pebble::{CheckStatus, ServiceStatus};

/// Whether Pebble runs Kratos.
pub fn is_active(container: &Container) -> bool {
    container.service(KRATOS) == Some(&ServiceStatus::Active)
}

/// Whether the readiness check has failed often enough to count.
pub fn is_unready(container: &Container) -> bool {
    container.checks.iter().any(|check| check.name == READY && check.status == CheckStatus::Down)
}
