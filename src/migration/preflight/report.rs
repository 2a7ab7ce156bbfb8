//! What the checks found, and how it reads.

use std::fmt;

/// How bad a check's findings are, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Ok,
    /// The server does not tell what would be needed to judge.
    Skipped,
    /// The migration may take longer or disturb somebody.
    Warning,
    /// The migration would fail or do harm: it is not begun.
    Refusal,
}

impl Verdict {
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
    pub verdict: Verdict,
    pub text: String,
    /// What to do: the exact command or SQL where there is one; empty if there is nothing to do.
    pub remedy: String,
}

impl Finding {
    pub(super) fn refusal(text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict: Verdict::Refusal, text: text.into(), remedy: remedy.into() }
    }

    pub(super) fn warning(text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warning, text: text.into(), remedy: remedy.into() }
    }

    pub(super) fn skipped(text: impl Into<String>) -> Self {
        Self { verdict: Verdict::Skipped, text: text.into(), remedy: String::new() }
    }
}

/// One check and what it found; nothing: all is well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Stable, in kebab case.
    pub name: &'static str,
    pub findings: Vec<Finding>,
}

impl Check {
    pub(super) fn new(name: &'static str, findings: Vec<Finding>) -> Self {
        Self { name, findings }
    }

    /// The worst of its findings.
    pub fn verdict(&self) -> Verdict {
        self.findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Ok)
    }
}

/// All checks, in the order in which they were made. Its text has a line per finding and one that counts the checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub checks: Vec<Check>,
}

impl Report {
    /// The worst of all; a run begins only below [`Verdict::Refusal`].
    pub fn verdict(&self) -> Verdict {
        self.checks.iter().map(Check::verdict).max().unwrap_or(Verdict::Ok)
    }

    /// Whether the migration is not to be begun.
    pub fn is_refused(&self) -> bool {
        self.verdict() == Verdict::Refusal
    }

    /// What stands against the migration, with the remedies, on one line; `None`: it may begin.
    pub fn refusal(&self) -> Option<String> {
        let text = |(name, finding): (&str, &Finding)| match finding.remedy.as_str() {
            "" => format!("{name}: {}", finding.text),
            remedy => format!("{name}: {}; remedy: {remedy}", finding.text),
        };
        let refusals: Vec<String> = self.findings(Verdict::Refusal).map(text).collect();
        self.is_refused().then(|| refusals.join(" | "))
    }

    /// The findings as bad as `verdict`, each with the name of its check.
    pub fn findings(&self, verdict: Verdict) -> impl Iterator<Item = (&'static str, &Finding)> {
        self.checks.iter().flat_map(move |check| {
            let name = check.name;
            check.findings.iter().filter(move |finding| finding.verdict == verdict).map(move |it| (name, it))
        })
    }

    /// The check of this name.
    pub fn check(&self, name: &str) -> Option<&Check> {
        self.checks.iter().find(|check| check.name == name)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |verdict| self.checks.iter().filter(|check| check.verdict() == verdict).count();
        let mut counts = Vec::new();
        for verdict in [Verdict::Ok, Verdict::Refusal, Verdict::Warning, Verdict::Skipped] {
            match count(verdict) {
                0 => {}
                some => counts.push(format!("{some} {}", verdict.label())),
            }
        }
        write!(formatter, "preflight: {}", counts.join(", "))?;
        for verdict in [Verdict::Refusal, Verdict::Warning, Verdict::Skipped] {
            for (name, Finding { text, remedy, .. }) in self.findings(verdict) {
                write!(formatter, "\n{} {name}: {text}", verdict.label())?;
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
        let disk = Check::new("disk", vec![Finding::skipped("the server does not tell")]);
        let locked = vec![
            Finding::warning("kratos (pid 7)", "SELECT pg_terminate_backend(7)"),
            Finding::refusal("report (pid 8)", "SELECT pg_terminate_backend(8)"),
        ];
        let well = |name| Check::new(name, Vec::new());
        let report = Report {
            checks: vec![well("reachable"), disk, Check::new("long-transactions", locked), well("time")],
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
        let well = Report { checks: vec![well("time")] };
        assert_eq!((well.to_string().as_str(), well.refusal()), ("preflight: 1 ok", None));
    }
}
