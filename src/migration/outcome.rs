//! What a run ended with: a report, or a failure.

use std::time::Duration;

use super::counts::Counts;
use super::failure::Failure;
use super::schema::Schema;
use super::trail::Trail;

/// How a run ended.
pub type Outcome = Result<MigrationReport, Failure>;

/// A run after which nothing is pending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationReport {
    /// How many migrations this run applied.
    pub applied: usize,
    pub elapsed: Duration,
    /// The schema as it is now.
    pub schema: Schema,
    /// The rows of the tables that must not lose any, after the run; empty if nothing was run.
    pub counts: Counts,
    pub trail: Trail,
}
