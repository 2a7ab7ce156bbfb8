//! `cleanup-database`: removes sessions and flows that expired long ago, by Kratos' own command, so that a migration
//! has less to work on.
//!
//! The command removes one batch of each table a run and does not say how many, so what is left is counted in the
//! database between the runs; it ends when nothing is left, when a run has removed nothing, or when the time is over.

use std::time::Duration;

use tokio::time::Instant;

use super::context::{ActionError, ActionOutput, IdentityAction, Parameters};
use crate::actions::parameters::{number, text};
use crate::actions::text::note;
use crate::kratos::names::CONFIG_PATH;
use crate::kratos::program::command::Kratos;
use crate::kratos::tables::expired;
use crate::postgres::Dsn;

const KEEP_LAST: &str = "168h";
const BATCH: u64 = 5000;
const MOST_AT_ONCE: u64 = 100_000;
/// Seconds in all unless told otherwise.
const TIMEOUT: u64 = 300;
const LONGEST: u64 = 24 * 3600;
/// One batch of each table is deleted in seconds; more means that something is locked.
const RUN_LIMIT: Duration = Duration::from_secs(120);
/// So close to the end the time is over: Pebble, which has the same limit, may be the first to end a run.
const MARGIN: Duration = Duration::from_millis(50);
/// Progress is shown so often.
const SHOWN_EVERY: Duration = Duration::from_secs(5);

/// Runs the action.
pub async fn run(action: &IdentityAction<'_>, parameters: &Parameters) -> Result<ActionOutput, ActionError> {
    let keep_last = text(parameters, "keep-last")?.unwrap_or_else(|| KEEP_LAST.to_owned());
    let Some(age) = age(&keep_last) else {
        return Err(format!(
            "Invalid parameter keep-last: it is a number of h, m or s: {}",
            action.again(&format!("keep-last={KEEP_LAST}"))
        )
        .into());
    };
    let batch = number(parameters, "batch-size", BATCH, 1..=MOST_AT_ONCE)?;
    let timeout = number(parameters, "timeout", TIMEOUT, 1..=LONGEST)?;
    let again = action.again(&format!("keep-last={keep_last} batch-size={batch} timeout={timeout}"));
    let Some(dsn) = &action.dsn else {
        return Err(format!("There is no database: juju status {} --relations", action.application).into());
    };
    let kratos = Kratos::Workload(action.pebble.clone());
    let config = action.place.path(CONFIG_PATH);
    let begun = Instant::now();
    let deadline = begun + Duration::from_secs(timeout);
    let before = count(action, dsn, age).await?;
    note(action.agent, &format!("{before} records expired more than {keep_last} ago")).await?;
    let (mut left, mut runs, mut shown) = (before, 0u64, begun);
    while left > 0 && Instant::now() < deadline {
        let limit =
            RUN_LIMIT.min(deadline.saturating_duration_since(Instant::now())).max(Duration::from_secs(1));
        let cleaned = kratos.cleanup(dsn, &config, &keep_last, batch, limit).await;
        // What fails when the time is over was cut off by that.
        let is_over = Instant::now() + MARGIN >= deadline;
        if let Err(error) = &cleaned
            && !is_over
        {
            return Err(format!(
                "The clean-up stopped with {left} records left: {error}; then run again: {again}"
            )
            .into());
        }
        runs += 1;
        let now = count(action, dsn, age).await?;
        if now >= left || cleaned.is_err() {
            left = now;
            break;
        }
        left = now;
        if shown.elapsed() >= SHOWN_EVERY {
            note(action.agent, &format!("{left} records left")).await?;
            shown = Instant::now();
        }
    }
    let removed = before.saturating_sub(left);
    let mut report = ActionOutput::line(format!("{removed} records removed, {left} left"))
        .with("removed", removed.to_string())
        .with("left", left.to_string())
        .with("runs", runs.to_string())
        .with("seconds", format!("{:.1}", begun.elapsed().as_secs_f64()));
    if left > 0 {
        report = report.with("next", again);
    }
    Ok(report)
}

async fn count(action: &IdentityAction<'_>, dsn: &Dsn, age: Duration) -> Result<u64, ActionError> {
    expired::count(dsn, age).await.map_err(|error| {
        format!("What expired cannot be counted: {error}; see juju status {} --relations", action.application)
            .into()
    })
}

/// A duration as Kratos takes it, of one unit.
fn age(text: &str) -> Option<Duration> {
    let unit = text.chars().next_back()?;
    let number: u64 = text[..text.len() - unit.len_utf8()].parse().ok()?;
    let seconds = match unit {
        'h' => number.checked_mul(3600)?,
        'm' => number.checked_mul(60)?,
        's' => number,
        _ => return None,
    };
    // A hundred years: what is more than that is a slip.
    (seconds <= 100 * 366 * 24 * 3600).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_one_unit() {
        assert_eq!(age("168h"), Some(Duration::from_secs(604_800)));
        assert_eq!(age("5m"), Some(Duration::from_secs(300)));
        assert_eq!(age("0s"), Some(Duration::ZERO));
        for wrong in ["", "h", "5", "-1h", "1d", "1.5h", "1h30m", "99999999h", "5 h", "ü"] {
            assert_eq!(age(wrong), None, "{wrong}");
        }
    }
}
