//! How actions show text: in pieces that one call of the agent carries, and failures with the next command.

use crate::charm::observed::Observed;
use crate::charm::situation::way_back;
use crate::juju::{self, Agent, tolerate};
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
pub fn failed(what: &str, failure: &Failure, observed: &Observed, again: &str) -> String {
    let next = match failure {
        Failure::Newer { .. } => way_back(observed),
        Failure::Locked { .. } => format!("when it has ended, run: {again}"),
        _ => format!("then run again: {again}"),
    };
    format!("{what}: {failure}; {next}")
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use super::*;
    use crate::juju::transport::Call;
    use crate::juju::{CommandOutput, Transport};

    /// An agent that refuses everything, or is away.
    struct Refusing {
        is_away: bool,
    }

    impl Transport for Refusing {
        fn call<'a>(&'a self, _: &'a str, _: &'a [&'a str], _: Option<&'a [u8]>) -> Call<'a> {
            let refusal =
                CommandOutput { code: 1, stderr: b"ERROR bad luck".to_vec(), ..CommandOutput::default() };
            let answer = if self.is_away { Err(io::ErrorKind::NotFound.into()) } else { Ok(refusal) };
            Box::pin(std::future::ready(answer))
        }
    }

    #[tokio::test]
    async fn a_refused_line_of_progress_ends_nothing() {
        let agent = |is_away| Agent::with_transport(Arc::new(Refusing { is_away }));
        note(&agent(false), "42 of 100").await.unwrap();
        assert!(note(&agent(true), "42 of 100").await.unwrap_err().is_unavailable());
        assert!(show(&agent(false), "what was asked for").await.is_err(), "a result is no progress");
    }
}
