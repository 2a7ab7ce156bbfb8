//! The command line: the migration of the charm for people, on any machine with a Kratos program and a database.
//!
//! Given `kratos-operator migrate plan|run|status|repair`, the name of the variable that holds the DSN and the path of a
//! Kratos program, it does what the actions of the charm do, with the same engine and a child process: to rehearse an
//! upgrade on a copy, or to migrate without Juju. Standard output carries the answer, standard error what happens and
//! what went wrong. `kratos-operator render` shows what Kratos would be told.

mod arguments;
mod plan;
mod render;
mod repair;
mod run;
mod show;
mod signals;
mod status;
mod stop;
mod target;

use std::process::ExitCode;

use clap::Parser;
use tracing::level_filters::LevelFilter;

use arguments::{Area, Arguments, Migrate};
use show::{note, print};
use signals::Signals;
use stop::Stop;
use target::CommandTarget;

/// The exit code for arguments and input that cannot be used (EX_USAGE).
const USAGE: u8 = 64;

/// Reads the arguments of this process and does what they say. The exit code is 0 only if that is done, 1 if it was
/// refused or failed, and 64 if the arguments or the input cannot be used.
pub async fn main() -> ExitCode {
    let command = match Arguments::try_parse() {
        Ok(Arguments { area: Area::Migrate(command) }) => command,
        Ok(Arguments { area: Area::Render { input } }) => return rendered(render::render(&input)),
        Err(error) => {
            // Nobody may be reading any more.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::WARN)
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false)
        .init();
    let common = command.common().clone();
    let target = match CommandTarget::find(&common).await {
        Ok(target) => target,
        Err(text) => {
            note(&format!("kratos-operator: {text}"));
            return ExitCode::from(USAGE);
        }
    };
    match migrate(command, &target).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(stop) => {
            note(&format!("kratos-operator: {}", stop.text(&target)));
            if common.json {
                print(&stop.json(&target).to_string());
            }
            ExitCode::FAILURE
        }
    }
}

fn rendered(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            note(&format!("kratos-operator: {text}"));
            ExitCode::from(USAGE)
        }
    }
}

/// Tells whether what was asked is done.
async fn migrate(command: Migrate, target: &CommandTarget) -> Result<bool, Stop> {
    let mut signals = Signals::listen()?;
    let json = command.common().json;
    match command {
        // They end in order when they are told to: what they began must not stay half done.
        Migrate::Run { timeout, force, .. } => run::run(target, timeout, force, json, &mut signals).await,
        Migrate::Repair { apply: true, .. } => signals.unless_two(repair::apply(target, json)).await,
        Migrate::Plan(_) => signals.unless_any(plan::plan(target, json)).await,
        Migrate::Status(_) => signals.unless_any(status::status(target, json)).await,
        Migrate::Repair { .. } => signals.unless_any(repair::look(target, json)).await,
    }
}
