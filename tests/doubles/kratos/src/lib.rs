//! A double of Ory Kratos: a program with the command line, the outputs, the exit codes and the habits of the
//! original, good and bad, on a real PostgreSQL.
//!
//! It is given the arguments and the environment of a Kratos process (`DSN`, `-c`, ...), plus four variables of its
//! own: [`version::VERSION_VARIABLE`] chooses the release, [`migrations::runner::SLOW_VARIABLE`] makes migrations
//! slow, [`database::PATIENCE_VARIABLE`] shortens the five minutes of waiting for a database. It runs the real list
//! of migrations with small SQL of its own, and serves health, identities and sessions out of the real tables. It
//! exists so that the charm is tested against what Kratos does, not against what one would wish it did.

#![allow(
    clippy::disallowed_methods,
    reason = "the program reads its environment and prints the time, as the original does"
)]

mod cleanup;
mod cli;
mod clock;
mod config;
mod courier;
/// Connections and their errors.
pub mod database;
mod dsn;
mod log;
mod migrate;
/// The list of migrations and what they do.
pub mod migrations;
mod serve;
mod stack;
mod status;
mod table;
mod tls;
mod usage;
/// The releases.
pub mod version;

use cli::Command;
use log::{Logger, err, out};
use std::process::ExitCode;
use version::{Release, VERSION_VARIABLE};

/// Runs the program with the arguments and the environment of the process.
pub fn main() -> ExitCode {
    let name = std::env::var(VERSION_VARIABLE).ok();
    let Some(release) = Release::named(name.as_deref()) else {
        err(&format!(
            "kratos-double: {VERSION_VARIABLE} names no known release: {:?}\n",
            name.unwrap_or_default()
        ));
        return ExitCode::from(2);
    };
    let args: Vec<String> = std::env::args().skip(1).collect();
    let invocation = match cli::parse(release, &args) {
        Ok(invocation) => invocation,
        Err((command, message)) => return ExitCode::from(cli::fail(release, command, &message)),
    };
    if invocation.is_set("help") {
        out(&usage::of(release, invocation.command));
        return ExitCode::SUCCESS;
    }
    let log = Logger::new(release);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            err(&format!("kratos-double: no runtime: {error}\n"));
            return ExitCode::from(2);
        }
    };
    let code = match invocation.command {
        Command::Root | Command::Migrate | Command::Cleanup | Command::Courier => {
            out(&usage::of(release, invocation.command));
            0
        }
        Command::Version => {
            let (commit, time) = release.build();
            out(&format!("Version:\t\t\t{release}\nBuild Commit:\t{commit}\nBuild Timestamp:\t{time}\n"));
            0
        }
        Command::MigrateSql | Command::Up | Command::Down | Command::Status => {
            runtime.block_on(migrate::run(&invocation, &log))
        }
        Command::CleanupSql => runtime.block_on(cleanup::run(&invocation, &log)),
        Command::Serve => runtime.block_on(serve::run(&invocation, &log)),
        Command::CourierWatch => runtime.block_on(courier::run(&invocation, &log)),
    };
    runtime.shutdown_background();
    ExitCode::from(code)
}
