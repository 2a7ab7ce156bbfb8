//! The migration of the Kratos database: what is pending, and one run from the lock to the verdict.
//!
//! Given a Kratos program and a database, [`survey`] tells what is pending and [`run`] migrates: alone (an
//! advisory lock), within a time, and with a verdict that is read from the database. Kratos itself takes no lock,
//! and a killed Kratos leaves a statement that goes on and commits unbooked: so the order in which a run is
//! stopped matters, see `stop`.

mod counts;
mod job;
mod leftovers;
mod lockers;
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
mod verdict;
mod watch;

pub use counts::{Counts, Rows};
pub use job::Job;
pub use outcome::{Failure, Outcome, Reached, Report, Trail};
pub use output::Progress;
pub use program::ProgramMigrations;
pub use run::run;
pub use schema::{Known, Migration, MigrationVersion, Schema};
pub use sessions::OUR_SESSIONS;
pub use survey::{Survey, lift_leftover_fence, survey};
pub use timeout::{InvalidTimeout, Timeout};

/// The command that migrates the database of an application.
pub fn command(application: &str) -> String {
    format!("juju run {application}/leader run-migration")
}

/// The same with what was asked for, where it is not the default.
pub fn command_with(application: &str, timeout: Timeout, force: bool) -> String {
    let timeout = if timeout == Timeout::DEFAULT { String::new() } else { format!(" timeout={timeout}") };
    format!("{}{timeout}{}", command(application), if force { " force=true" } else { "" })
}

/// The command that looks for the states in which every run fails, and leads out of them.
pub fn repair_command(application: &str) -> String {
    format!("juju run {application}/leader repair-migration")
}
