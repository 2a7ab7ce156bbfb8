//! `HeldVerdict`: a verdict that holds until a person accepts it.
//!
//! A run that lost rows, or left an index invalid, has nothing pending afterwards: the next look at the database would call
//! it well. So the verdict is kept beside it, with the parameter that takes it away.

use super::commands::command;

/// What a run found although nothing is pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldVerdict {
    LostRows,
    InvalidIndexes,
}

impl HeldVerdict {
    /// Reads the label of a failure, if it is one of these.
    pub fn parse(kind: &str) -> Option<Self> {
        [Self::LostRows, Self::InvalidIndexes].into_iter().find(|verdict| verdict.kind() == kind)
    }

    /// The label.
    pub fn kind(self) -> &'static str {
        match self {
            Self::LostRows => "lost-rows",
            Self::InvalidIndexes => "invalid-indexes",
        }
    }

    /// The parameter of run-migration that accepts it.
    pub fn parameter(self) -> String {
        format!("accept-{}", self.kind())
    }

    /// What to do about it, with the command.
    pub fn next(self, application: &str) -> String {
        let migrate = command(application);
        let accept = format!("{migrate} {}=true", self.parameter());
        match self {
            Self::LostRows => format!("compare with a backup; to go on without these rows: {accept}"),
            Self::InvalidIndexes => {
                format!(
                    "rebuild each with REINDEX INDEX CONCURRENTLY, then run: {migrate}; to go on without: {accept}"
                )
            }
        }
    }
}
