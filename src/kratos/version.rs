//! The version of a Kratos program, as `kratos version` prints it.

use std::cmp::Ordering;
use std::fmt;

/// A version such as `v1.3.1`, `v26.2.0` or `v26.3.0-pre.1`: three numbers and perhaps a pre-release,
/// which comes before the release of the same numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WorkloadVersion {
    numbers: [u64; 3],
    pre_release: Option<String>,
}

/// The first release whose command line has `migrate sql up|down|status` (the release after v1.3.1, where the
/// same words mean "apply").
const FIRST_WITH_STATUS: u64 = 25;

impl WorkloadVersion {
    /// Reads a bare version text, with or without the leading `v`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let bare = text.strip_prefix('v').unwrap_or(text);
        let bare = bare.split('+').next().unwrap_or(bare);
        let (numbers, pre_release) = match bare.split_once('-') {
            Some((numbers, pre)) if is_identifier(pre) => (numbers, Some(pre.to_owned())),
            Some(_) => return None,
            None => (bare, None),
        };
        let mut parts = numbers.split('.');
        let mut next = || parts.next().filter(|part| !part.is_empty())?.parse::<u64>().ok();
        let numbers = [next()?, next()?, next()?];
        parts.next().is_none().then_some(Self { numbers, pre_release })
    }

    /// Finds the version in the output of `kratos version`: the word after `Version:`, any white space between.
    pub fn from_output(output: &str) -> Option<Self> {
        output
            .lines()
            .find_map(|line| line.trim_start().strip_prefix("Version:"))
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(Self::parse)
    }

    /// Whether `kratos migrate sql status` exists. On older programs the same words apply the migrations.
    pub fn has_migration_status(&self) -> bool {
        self.numbers[0] >= FIRST_WITH_STATUS
    }

    /// Whether the configuration may hold `revision`. Older programs refuse the key.
    pub fn has_revision(&self) -> bool {
        self.numbers[0] >= FIRST_WITH_STATUS
    }
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
}

impl fmt::Display for WorkloadVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(formatter, "v{major}.{minor}.{patch}")?;
        match &self.pre_release {
            Some(pre) => write!(formatter, "-{pre}"),
            None => Ok(()),
        }
    }
}

impl Ord for WorkloadVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| match (&self.pre_release, &other.pre_release) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(mine), Some(theirs)) => compare_pre_releases(mine, theirs),
        })
    }
}

impl PartialOrd for WorkloadVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Identifiers are compared one by one, numbers as numbers and before words (semver 2.0, rule 11).
fn compare_pre_releases(mine: &str, theirs: &str) -> Ordering {
    let mut left = mine.split('.');
    let mut right = theirs.split('.');
    loop {
        let ordering = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(one), Some(other)) => match (one.parse::<u64>(), other.parse::<u64>()) {
                (Ok(one), Ok(other)) => one.cmp(&other),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => one.cmp(other),
            },
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_kratos_prints() {
        let output =
            "Version:\t\t\tv26.2.0\nBuild Commit:\t9d70859\nBuild Timestamp:\t2026-03-20T11:01:06Z\n";
        assert_eq!(WorkloadVersion::from_output(output).unwrap().to_string(), "v26.2.0");
        assert_eq!(WorkloadVersion::from_output("Version: master\n"), None);
        assert_eq!(WorkloadVersion::from_output(""), None);
    }

    #[test]
    fn refuses_what_is_no_version() {
        for text in ["", "v", "v1", "v1.2", "v1.2.3.4", "va.b.c", "v1.2.-3", "v1.2.3-", "v1.2.3-a b", "v1..3"]
        {
            assert_eq!(WorkloadVersion::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn orders_releases_and_pre_releases() {
        let ordered = ["v1.3.1", "v25.4.0-pre.2", "v25.4.0-pre.10", "v25.4.0-rc", "v25.4.0", "v26.2.0"];
        let versions: Vec<_> = ordered.iter().map(|text| WorkloadVersion::parse(text).unwrap()).collect();
        assert!(versions.is_sorted(), "{versions:?}");
        assert_eq!(versions.iter().map(ToString::to_string).collect::<Vec<_>>(), ordered);
    }

    #[test]
    fn only_programs_that_have_status_are_asked_for_it() {
        let has = |text| WorkloadVersion::parse(text).unwrap().has_migration_status();
        assert!(!has("v1.3.1") && !has("v0.13.0") && has("v25.4.0") && has("v26.2.0"));
    }
}
