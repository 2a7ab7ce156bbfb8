//! The commands that a person runs next, as texts.

use super::force::Force;
use super::timeout::Timeout;

/// The command that migrates the database of an application.
pub fn command(application: &str) -> String {
    format!("juju run {application}/leader run-migration")
}

/// The same with what was asked for, where it is not the default.
pub fn command_with(application: &str, timeout: Timeout, force: Force) -> String {
    let timeout = if timeout == Timeout::DEFAULT { String::new() } else { format!(" timeout={timeout}") };
    format!("{}{timeout}{}", command(application), forced(force))
}

/// The parameter with its leading space; empty where nothing is waived.
pub fn forced(force: Force) -> String {
    if force.is_any() { format!(" force={force}") } else { String::new() }
}

/// The command that looks for the states in which every run fails, and leads out of them.
pub fn repair_command(application: &str) -> String {
    format!("juju run {application}/leader repair-migration")
}
