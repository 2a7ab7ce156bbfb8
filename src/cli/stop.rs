//! Why a command did not reach its end, as text and as JSON, with the command to run next.

use serde_json::{Value, json};

use super::target::CommandTarget;
use crate::migration::Failure;

/// Why a command stopped.
pub enum Stop {
    Failure {
        verb: &'static str,
        failure: Failure,
    },
    /// A signal came, and nothing had to be put in order.
    Signal(&'static str),
    /// Signals cannot be listened to.
    Signals(String),
}

impl Stop {
    /// For `map_err`: the failure of the command `verb`.
    pub fn at(verb: &'static str) -> impl Fn(Failure) -> Self {
        move |failure| Self::Failure { verb, failure }
    }

    /// What is wrong and what to do.
    pub fn text(&self, target: &CommandTarget) -> String {
        match self {
            Self::Failure { verb, failure } => {
                format!("{failure}; {}", advice(failure, &target.command(verb), target))
            }
            Self::Signal(name) => format!("ended by {name}"),
            Self::Signals(error) => format!("cannot listen to signals: {error}"),
        }
    }

    /// The same for programs.
    pub fn json(&self, target: &CommandTarget) -> Value {
        match self {
            Self::Failure { verb, failure } => json!({
                "kind": failure.kind(),
                "error": failure.to_string(),
                "next": advice(failure, &target.command(verb), target),
            }),
            Self::Signal(_) => json!({ "kind": "signal", "error": self.text(target), "next": null }),
            Self::Signals(_) => json!({ "kind": "signals", "error": self.text(target), "next": null }),
        }
    }
}

/// What to do after a failure: words that end with a command, where there is one. `again` is the command to repeat.
pub fn advice(failure: &Failure, again: &str, target: &CommandTarget) -> String {
    match failure {
        Failure::Stopped { blockers, .. } if !blockers.is_empty() => {
            format!("when that has ended, go on with: {again}")
        }
        Failure::Stopped { .. } => format!("go on with: {again}"),
        Failure::Newer { .. } => {
            "name the Kratos that migrated it, or a newer one, with --kratos-bin".to_owned()
        }
        Failure::Canceled => format!("to begin again, run: {again}"),
        Failure::Locked { .. } => format!("when it has ended, run: {again}"),
        Failure::Wedged { .. } => format!("see: {}", target.command("repair")),
        Failure::Lost { .. } => format!("compare with a backup, then run: {again}"),
        Failure::Refused(_) => format!("mend this, then run: {again}"),
        Failure::InvalidIndexes(_) => {
            format!("rebuild each with REINDEX INDEX CONCURRENTLY, then run: {again}")
        }
        Failure::Database(_) | Failure::Program(_) | Failure::Fence(_) | Failure::Failed { .. } => {
            format!("then run again: {again}")
        }
    }
}
