//! What is recorded of a migration that was made in this dispatch.
//!
//! A run that was refused before it began is none: it changed nothing, and ten of them would push out what did.

use crate::charm::observed::Observed;
use crate::integrations::peers::PeerRelation;
use crate::integrations::runs::{self, Run};
use crate::migration::{Failure, Outcome, Trail};

/// The record with the run of this dispatch; `None`: there was none.
pub fn runs(observed: &Observed, peers: &PeerRelation) -> Option<String> {
    let outcome = observed.migration.as_ref()?;
    let (trail, applied, pending) = reached(outcome)?;
    let unit = &observed.context.unit;
    let run = Run {
        who: observed.context.task().map_or_else(|| unit.to_string(), |task| format!("{unit} task {task}")),
        begun: trail.map(|trail| trail.begun.clone()),
        from: observed.recorded_version(),
        to: observed.version()?.to_string(),
        charm: observed.charm.as_ref().map(ToString::to_string),
        plan: trail.and_then(|trail| trail.digest.clone()),
        applied,
        pending,
        waived: observed.waived_units.clone(),
        seconds: (observed.migration_took.as_secs_f64() * 10.0).round() / 10.0,
        outcome: outcome.as_ref().map_or_else(Failure::kind, |_| "completed").to_owned(),
        steps: trail.map_or_else(Vec::new, |trail| own_times(&trail.steps)),
    };
    Some(runs::append(peers.runs(), run))
}

/// How far a run came that began; `None`: it was refused before.
fn reached(outcome: &Outcome) -> Option<(Option<&Trail>, Option<usize>, Option<usize>)> {
    match outcome {
        Ok(report) => Some((Some(&report.trail), Some(report.applied), report.schema.pending_count())),
        Err(failure) => match failure.reached() {
            Some(reached) => Some((Some(&*reached.trail), Some(reached.applied), reached.pending)),
            None => matches!(failure, Failure::InvalidIndexes(_) | Failure::Lost { .. }).then_some((
                None,
                None,
                Some(0),
            )),
        },
    }
}

/// From the time until each migration was done to the time that it took itself. A second attempt counts anew.
fn own_times(steps: &[(String, u64)]) -> Vec<(String, u64)> {
    let mut before = 0;
    let own = |(version, until): &(String, u64)| {
        let took = until.checked_sub(before).unwrap_or(*until);
        before = *until;
        (version.clone(), took)
    };
    steps.iter().map(own).collect()
}

#[cfg(test)]
mod tests {
    use super::own_times;

    #[test]
    fn each_migration_has_its_own_time_and_a_new_attempt_counts_anew() {
        let steps = [("a", 5), ("b", 25), ("c", 7), ("d", 8)].map(|(name, until)| (name.to_owned(), until));
        let took: Vec<u64> = own_times(&steps).into_iter().map(|(_, took)| took).collect();
        assert_eq!(took, [5, 20, 7, 1]);
    }
}
