//! What came out of apply, for the status.

use crate::charm::situation::ClusterProblem;
use crate::juju::Status;

/// What apply could not do, and what it showed meanwhile.
#[derive(Debug, Default)]
pub struct Applied {
    /// Why the services are not as they should be.
    pub failure: Option<ServiceFailure>,
    /// The status that was shown meanwhile.
    pub shown: Option<Status>,
    /// What Juju does not do, so that nothing was started.
    pub refused: Option<Status>,
    /// What Kubernetes did not do.
    pub cluster_problems: Vec<ClusterProblem>,
}

/// Why the services are not as they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceFailure {
    /// Kratos does not run or does not become ready.
    Kratos,
    /// Kratos does not take the configuration; the services go on with the last one that it took.
    Refused,
    /// The courier does not run.
    Courier,
    /// Pebble refused something.
    Pebble(String),
}
