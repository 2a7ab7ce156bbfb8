//! Whether there is room for it: replicas that keep up, disk, time.

use std::time::Duration;

use super::planned_run::PlannedRun;
use super::report::Finding;
use crate::postgres::replication::{InactiveSlot, Replica, inactive_slots, replicas};
use crate::postgres::{Connection, Result, objects};

/// From when on a replica is behind.
const BEHIND_BYTES: i64 = 256 << 20;
const BEHIND_SECONDS: f64 = 30.0;

/// Replicas that are behind, and slots that nobody reads.
pub(super) async fn replication(connection: &Connection) -> Vec<Finding> {
    match look(connection).await {
        Ok(findings) => findings,
        Err(error) => vec![Finding::skipped(format!("the server does not tell: {error}"))],
    }
}

async fn look(connection: &Connection) -> Result<Vec<Finding>> {
    let (replicas, slots) = (replicas(connection).await?, inactive_slots(connection).await?);
    Ok(replicas.iter().filter_map(lagging_replica).chain(slots.iter().map(inactive_slot)).collect())
}

fn lagging_replica(replica: &Replica) -> Option<Finding> {
    let Replica { name, synchronous, behind_bytes, behind_seconds } = replica;
    let Some(bytes) = *behind_bytes else {
        return Some(Finding::skipped(format!("our role may not see how far the replica {name} is")));
    };
    let seconds = behind_seconds.unwrap_or_default();
    if bytes < BEHIND_BYTES && seconds < BEHIND_SECONDS {
        return None;
    }
    let waits = if *synchronous { ", and every commit waits for it" } else { "" };
    Some(Finding::warning(
        format!("the replica {name} is {seconds:.0} s and {} behind{waits}", megabytes(bytes)),
        "wait until it has caught up: SELECT * FROM pg_stat_replication",
    ))
}

fn inactive_slot(slot: &InactiveSlot) -> Finding {
    let InactiveSlot { quoted, kept_bytes } = slot;
    Finding::warning(
        format!(
            "nobody reads the replication slot {quoted}; the server keeps {} for it",
            megabytes(*kept_bytes)
        ),
        format!("if its replica is gone: SELECT pg_drop_replication_slot({quoted})"),
    )
}

/// The server tells no ordinary role how much room its disk has; the size of what may be rewritten is what can be
/// said.
pub(super) async fn disk(connection: &Connection, run: &PlannedRun<'_>) -> Vec<Finding> {
    let size = match run.touched {
        [] => None,
        touched => objects::size(connection, touched).await.ok(),
    };
    let size = size.map_or_else(String::new, |size| {
        format!("; the tables that change take {}, and a rewrite needs as much again", megabytes(size))
    });
    vec![Finding::skipped(format!("the server does not tell how much room its disk has{size}"))]
}

/// Whether the migration fits into its timeout.
pub(super) fn time(run: &PlannedRun<'_>) -> Vec<Finding> {
    let Some(estimate) = run.estimate else {
        return vec![Finding::skipped("how long it takes was not estimated")];
    };
    if estimate <= run.timeout.duration() {
        return Vec::new();
    }
    let needed = estimate.max(Duration::from_secs(1)).as_secs_f64().ceil();
    let text = format!("it takes about {needed} s, and the timeout is {} s", run.timeout);
    let remedy = format!("timeout={}", needed * 2.0);
    let finding = match run.force {
        true => Finding::warning(text, remedy),
        false => Finding::refusal(text, format!("{remedy}, or force=true")),
    };
    vec![finding]
}

fn megabytes(bytes: i64) -> String {
    format!("{} MB", (bytes.max(0) + (1 << 20) - 1) >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::preflight::Severity;

    fn replica(behind_bytes: Option<i64>, behind_seconds: Option<f64>) -> Replica {
        Replica { name: "r1".to_owned(), synchronous: true, behind_bytes, behind_seconds }
    }

    #[test]
    fn only_a_replica_that_is_behind_is_told() {
        assert_eq!(lagging_replica(&replica(Some(4096), None)), None);
        let behind = lagging_replica(&replica(Some(300 << 20), Some(2.0))).unwrap();
        assert_eq!(behind.severity, Severity::Warning);
        assert_eq!(behind.text, "the replica r1 is 2 s and 300 MB behind, and every commit waits for it");
        assert_eq!(lagging_replica(&replica(Some(0), Some(31.0))).unwrap().severity, Severity::Warning);
        assert_eq!(lagging_replica(&replica(None, None)).unwrap().severity, Severity::Skipped);
    }
}
