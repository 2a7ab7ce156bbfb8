//! Whether a running Kratos has taken over a kratos.yaml that was just written.
//!
//! A Kratos that knows `revision` answers with it on its admin API. It and older ones also log what became of a change,
//! which tells a refusal at once; what they print beside it may be a secret and is only searched, never repeated.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::service::KRATOS;
use crate::kratos::Place;
use crate::kratos::admin::Admin;
use crate::pebble::{Client, Error};

/// Kratos notices a change in less than 1.5 s; a busy machine may take longer.
const UNTIL_TAKEN: Duration = Duration::from_secs(15);
/// So long an old Kratos that logs nothing is watched.
const UNTIL_QUIET: Duration = Duration::from_secs(4);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);
/// More lines than come between two looks.
const LINES: u32 = 200;

const REFUSED: [&str; 2] = [
    "The changed configuration is invalid and could not be loaded",
    "The configuration contains values or keys which are invalid",
];
const TAKEN: &str = "Configuration change processed successfully";

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Taken,
    /// The old configuration goes on.
    Refused,
    /// It does not answer: nothing is served, so nothing is lost by a restart.
    Silent,
}

/// The time of the newest line that Kratos logged, before the change.
pub async fn newest_line(pebble: &Client) -> Result<String, Error> {
    let lines = pebble.logs(&[KRATOS], Some(1)).await?;
    Ok(lines.into_iter().next_back().map(|line| line.time).unwrap_or_default())
}

/// Waits until it is known; `since` is what [`newest_line`] gave.
pub async fn verdict(
    pebble: &Client,
    place: &Place,
    revision: Option<&str>,
    since: &str,
) -> Result<Verdict, Error> {
    let admin = Admin::new(place);
    let begun = Instant::now();
    let mut has_answered = false;
    loop {
        match revision {
            Some(revision) => {
                if let Ok(answer) = admin.revision().await {
                    has_answered = true;
                    if answer == revision {
                        return Ok(Verdict::Taken);
                    }
                }
            }
            None => has_answered |= admin.is_alive().await,
        }
        let lines = pebble.logs(&[KRATOS], Some(LINES)).await?;
        let mut new = lines.iter().filter(|line| line.time.as_str() > since);
        match new.find_map(|line| told(&line.message)) {
            Some(Verdict::Taken) if revision.is_some() => {}
            Some(verdict) => return Ok(verdict),
            None => {}
        }
        let waited = begun.elapsed();
        if waited >= UNTIL_QUIET && !has_answered {
            return Ok(Verdict::Silent);
        }
        if waited >= UNTIL_QUIET && revision.is_none() {
            return Ok(Verdict::Taken);
        }
        if waited >= UNTIL_TAKEN {
            return Ok(Verdict::Refused);
        }
        sleep(BETWEEN_LOOKS).await;
    }
}

fn told(line: &str) -> Option<Verdict> {
    if REFUSED.iter().any(|text| line.contains(text)) {
        return Some(Verdict::Refused);
    }
    line.contains(TAKEN).then_some(Verdict::Taken)
}
