//! How actions show text: in pieces that one call of the agent carries, and failures with the next command.

use crate::charm::tolerate;
use crate::juju::{self, Agent};
use crate::migration::Failure;

/// So many lines go into one call, far below what it may carry.
pub const MOST_LINES: usize = 60;

/// Shows what is done meanwhile. Where Juju refuses that, what was begun goes on.
pub async fn note(agent: &Agent, text: &str) -> juju::Result<()> {
    tolerate(agent.action_log(text).await)
}

/// Shows a text of many lines.
pub async fn show(agent: &Agent, text: &str) -> juju::Result<()> {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    for piece in lines.chunks(MOST_LINES) {
        agent.action_log(&piece.join("\n")).await?;
    }
    Ok(())
}

/// The text of a failure in something that is no run; `again` is the command to repeat.
pub fn failed(what: &str, failure: &Failure, application: &str, again: &str) -> String {
    let next = match failure {
        Failure::Newer { .. } => format!("go back to the newer charm: juju refresh {application}"),
        Failure::Locked { .. } => format!("when it has ended, run: {again}"),
        _ => format!("then run again: {again}"),
    };
    format!("{what}: {failure}; {next}")
}
