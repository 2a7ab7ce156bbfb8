//! The migration of the Kratos database: what is pending, and one run from the lock to the verdict.
//!
//! Given a Kratos program and a database, [`survey`] tells what is pending and [`run`] migrates: alone (an
//! advisory lock), within a time, and with a verdict that is read from the database. Kratos itself takes no lock,
//! and a killed Kratos leaves a statement that goes on and commits unbooked: so the order in which a run is
//! stopped matters, see `stop`.

mod commands;
mod counts;
mod failure;
mod force;
mod held;
mod holder;
mod job;
mod leftovers;
mod lockers;
mod login;
mod outcome;
mod output;
pub mod plan;
pub mod preflight;
mod prepare;
mod program;
pub mod repair;
mod run;
mod schema;
mod sessions;
mod sql;
mod stop;
mod survey;
mod timeout;
mod trail;
mod verdict;
mod watch;

pub use commands::{command, command_with, forced, repair_command};
pub use counts::{Counts, Rows};
pub use failure::Failure;
pub use force::Force;
pub use held::HeldVerdict;
pub use job::Job;
pub use outcome::{MigrationReport, Outcome};
pub use output::RunEvent;
pub use program::ProgramMigrations;
pub use run::run;
pub use schema::{Known, Migration, MigrationVersion, Schema};
pub use sessions::OUR_SESSIONS;
pub use survey::{FenceLift, Survey, fence_holder, lift_leftover_fence, survey};
pub use timeout::{InvalidTimeout, Timeout};
pub use trail::{Reached, Trail};
