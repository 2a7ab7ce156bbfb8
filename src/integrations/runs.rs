//! The record of the last migrations, as it stands in the peer application databag: JSON, newest last.
//!
//! It is an audit trail for people and decides nothing, so what cannot be read in it is left out. It stays small,
//! because every unit reads the databag at every event: ten runs, and of a long one its slowest migrations.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How many runs are kept.
const MOST_RUNS: usize = 10;
/// How many migrations of one run are kept.
const MOST_STEPS: usize = 120;
/// The whole text stays below this, in bytes.
const LIMIT: usize = 64 * 1024;

/// One run of the migration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The unit, and the task if an action asked for it.
    pub who: String,
    /// RFC 3339 in UTC, by the database's clock; absent if the run was judged without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<String>,
    /// The version that was recorded before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The Kratos that migrated.
    pub to: String,
    /// The URL of the charm that it came with; absent if that was not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charm: Option<String>,
    /// The digest of the plan, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// How many migrations it applied; absent if that was not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<usize>,
    /// How many were left; absent if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<usize>,
    /// Units of another Kratos that a person waived.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waived: Vec<String>,
    pub seconds: f64,
    /// `completed`, or the kind of the failure.
    pub outcome: String,
    /// Applied migrations, each with the milliseconds that it took.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<(String, u64)>,
}

/// The runs in a text of any writer; what is none is left out.
pub fn decode(text: &str) -> Vec<Run> {
    let items: Vec<Value> = serde_json::from_str(text).unwrap_or_default();
    items.into_iter().filter_map(|item| serde_json::from_value(item).ok()).collect()
}

/// The text after one more run. The oldest are dropped.
pub fn append(mut runs: Vec<Run>, mut run: Run) -> String {
    shorten(&mut run.steps);
    runs.push(run);
    runs.drain(..runs.len().saturating_sub(MOST_RUNS));
    loop {
        // Texts and numbers always encode.
        let text = serde_json::to_string(&runs).unwrap_or_default();
        if text.len() < LIMIT || runs.is_empty() {
            return text;
        }
        // Whatever somebody else wrote there.
        runs.remove(0);
    }
}

/// Keeps the slowest, in their order.
fn shorten(steps: &mut Vec<(String, u64)>) {
    let mut order: Vec<usize> = (0..steps.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(steps[*index].1));
    order.truncate(MOST_STEPS);
    order.sort_unstable();
    *steps = order.into_iter().map(|index| steps[index].clone()).collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(who: &str, steps: usize) -> Run {
        let step = |index| (format!("20250708{index:012}"), 600_000 + index);
        Run {
            who: who.to_owned(),
            begun: Some("2026-08-01T10:00:00Z".to_owned()),
            from: Some("v25.4.0".to_owned()),
            to: "v26.2.0".to_owned(),
            charm: Some("ch:amd64/noble/kratos-42".to_owned()),
            plan: Some("0123456789ab".to_owned()),
            applied: Some(7),
            pending: Some(0),
            waived: vec!["kratos/1 (v25.4.0)".to_owned()],
            seconds: 1.5,
            outcome: "completed".to_owned(),
            steps: (0..steps as u64).map(step).collect(),
        }
    }

    #[test]
    fn the_last_ten_are_kept_and_read_back() {
        let mut text = String::new();
        for number in 0..13 {
            text = append(decode(&text), run(&format!("kratos/0 task {number}"), 2));
        }
        let runs = decode(&text);
        let (first, last) = (&runs[0], &runs[9]);
        assert_eq!((runs.len(), first.who.as_str()), (10, "kratos/0 task 3"));
        assert_eq!(last, &run("kratos/0 task 12", 2));
    }

    #[test]
    fn it_stays_small_and_the_slowest_are_kept() {
        let mut text = String::new();
        for _ in 0..10 {
            text = append(decode(&text), run("kratos/0 task 7", 1000));
            assert!(text.len() < LIMIT, "{}", text.len());
        }
        let runs = decode(&text);
        assert_eq!((runs.len(), runs[9].steps.len()), (10, MOST_STEPS));
        assert_eq!(runs[0].steps.last().unwrap().1, 600_999);
        let huge = run(&"x".repeat(LIMIT), 0);
        assert_eq!(
            decode(&append(vec![huge], run("kratos/0", 0))).len(),
            1,
            "what others wrote too big goes"
        );
    }

    #[test]
    fn what_others_wrote_is_left_out() {
        for text in ["", "{", "7", "{}", "[1, {\"who\": 3}, null]", "\"v26.2.0\""] {
            assert!(decode(text).is_empty(), "{text}");
        }
        let whole = append(Vec::new(), run("kratos/0", 0));
        let mixed = whole.replacen('[', "[{\"who\": \"somebody\"}, ", 1);
        assert_eq!(decode(&mixed), decode(&whole));
    }
}
