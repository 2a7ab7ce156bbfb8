//! What the checks found, and how it reads.

use std::fmt;

use super::name::CheckName;
use crate::postgres::{Error, Result};

/// How bad a check's findings are, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Ok,
    /// The server does not tell what would be needed to judge.
    Skipped,
    /// The migration may take longer or disturb somebody.
    Warning,
    /// The migration would fail or do harm: it is not begun.
    Refusal,
}

impl Severity {
    /// A stable label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Warning => "warning",
            Self::Refusal => "refused",
        }
    }
}

/// One thing that a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    pub text: String,
    /// What to do: the exact command or SQL where there is one; empty if there is nothing to do.
    pub remedy: String,
}

impl Finding {
    pub(super) fn refusal(text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: Severity::Refusal, text: text.into(), remedy: remedy.into() }
    }

    pub(super) fn warning(text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, text: text.into(), remedy: remedy.into() }
    }

    /// Without the answer nobody knows.
    pub(super) fn unanswered(error: &Error) -> Self {
        Self::refusal(format!("the server does not tell: {error}"), "try again, or see the server's log")
    }

    /// The findings of a question, or that it was not answered.
    pub(super) fn answered(found: Result<Vec<Self>>) -> Vec<Self> {
        found.unwrap_or_else(|error| vec![Self::unanswered(&error)])
    }

    pub(super) fn skipped(text: impl Into<String>) -> Self {
        Self { severity: Severity::Skipped, text: text.into(), remedy: String::new() }
    }
}

/// One check and what it found; nothing: all is well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreflightCheck {
    pub name: CheckName,
    pub findings: Vec<Finding>,
}

impl PreflightCheck {
    pub(super) fn new(name: CheckName, findings: Vec<Finding>) -> Self {
        Self { name, findings }
    }

    /// The worst of its findings.
    pub fn severity(&self) -> Severity {
        self.findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Ok)
    }
}

/// All checks, in the order in which they were made. Its text has a line per finding and one that counts the checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreflightReport {
    pub checks: Vec<PreflightCheck>,
}

impl PreflightReport {
    /// The worst of all; a run begins only below [`Severity::Refusal`].
    pub fn severity(&self) -> Severity {
        self.checks.iter().map(PreflightCheck::severity).max().unwrap_or(Severity::Ok)
    }

    /// Whether the migration is not to be begun.
    pub fn is_refused(&self) -> bool {
        self.severity() == Severity::Refusal
    }

    /// What stands against the migration, with the remedies, on one line; `None`: it may begin.
    pub fn refusal(&self) -> Option<String> {
        let text = |(name, finding): (CheckName, &Finding)| match finding.remedy.as_str() {
            "" => format!("{name}: {}", finding.text),
            remedy => format!("{name}: {}; remedy: {remedy}", finding.text),
        };
        let refusals: Vec<String> = self.findings(Severity::Refusal).map(text).collect();
        self.is_refused().then(|| refusals.join(" | "))
    }

    /// The findings as bad as `severity`, each with the name of its check.
    pub fn findings(&self, severity: Severity) -> impl Iterator<Item = (CheckName, &Finding)> {
        self.checks.iter().flat_map(move |check| {
            let name = check.name;
            check
                .findings
                .iter()
                .filter(move |finding| finding.severity == severity)
                .map(move |it| (name, it))
        })
    }
}

impl fmt::Display for PreflightReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |severity| self.checks.iter().filter(|check| check.severity() == severity).count();
        let mut counts = Vec::new();
        for severity in [Severity::Ok, Severity::Refusal, Severity::Warning, Severity::Skipped] {
            match count(severity) {
                0 => {}
                some => counts.push(format!("{some} {}", severity.label())),
            }
        }
        write!(formatter, "preflight: {}", counts.join(", "))?;
        for severity in [Severity::Refusal, Severity::Warning, Severity::Skipped] {
            for (name, Finding { text, remedy, .. }) in self.findings(severity) {
                write!(formatter, "\n{} {name}: {text}", severity.label())?;
                if !remedy.is_empty() {
                    write!(formatter, " -> {remedy}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_a_line_per_finding_and_counts_the_rest() {
        let disk = PreflightCheck::new(CheckName::Disk, vec![Finding::skipped("the server does not tell")]);
        let locked = vec![
            Finding::warning("kratos (pid 7)", "SELECT pg_terminate_backend(7)"),
            Finding::refusal("report (pid 8)", "SELECT pg_terminate_backend(8)"),
        ];
        let well = |name| PreflightCheck::new(name, Vec::new());
        let report = PreflightReport {
            checks: vec![
                well(CheckName::Reachable),
                disk,
                PreflightCheck::new(CheckName::LongTransactions, locked),
                well(CheckName::Time),
            ],
        };
        assert!(report.is_refused());
        assert_eq!(
            report.refusal().unwrap(),
            "long-transactions: report (pid 8); remedy: SELECT pg_terminate_backend(8)"
        );
        assert_eq!(
            report.to_string(),
            "preflight: 2 ok, 1 refused, 1 skipped\n\
             refused long-transactions: report (pid 8) -> SELECT pg_terminate_backend(8)\n\
             warning long-transactions: kratos (pid 7) -> SELECT pg_terminate_backend(7)\n\
             skipped disk: the server does not tell"
        );
        let well = PreflightReport { checks: vec![well(CheckName::Time)] };
        assert_eq!((well.to_string().as_str(), well.refusal()), ("preflight: 1 ok", None));
    }
}
