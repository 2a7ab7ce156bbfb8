//! Whether a running Kratos has taken over a kratos.yaml that was just written.
//!
//! A Kratos that knows `revision` answers with it on its admin API. It and older ones also log what became of a change,
//! which tells a refusal at once; what they print beside it may be a secret and is only searched, never repeated.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use crate::kratos::Place;
use crate::kratos::admin::Admin;
use crate::kratos::names::KRATOS;
use crate::pebble::{Client, Error};

/// Kratos notices a change in less than 1.5 s; a busy machine may take longer.
const UNTIL_TAKEN: Duration = Duration::from_secs(15);
/// So long an old Kratos that logs nothing is watched.
const UNTIL_QUIET: Duration = Duration::from_secs(4);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);
/// How long Kratos may take to answer: both ends are in the same pod.
const ONE_LOOK: Duration = Duration::from_secs(3);
/// Kratos takes the values over before it looks at the identity schemas; so long after them it may still refuse.
const UNTIL_SCHEMAS: Duration = Duration::from_millis(200);
/// More lines than come between two looks.
const LINES: u32 = 200;

const REFUSED: [&str; 2] = [
    "The changed identity schema configuration is invalid and could not be loaded",
    "The changed configuration is invalid and could not be loaded",
];
/// A line for people among those for programs; what is wrong follows.
const INVALID: &str = "The configuration contains values or keys which are invalid:";
const TAKEN: &str = "Configuration change processed successfully";

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    Taken,
    /// The old configuration goes on, or will when its file is back: of identity schemas Kratos only tells.
    Refused,
    /// It does not answer, or does not tell: a restart will.
    Silent,
}

/// The time of the newest line that Kratos logged, before the change.
pub async fn newest_line(pebble: &Client) -> Result<String, Error> {
    let lines = pebble.logs(&[KRATOS], Some(1)).await?;
    Ok(lines.into_iter().next_back().map(|line| line.time).unwrap_or_default())
}

/// Waits until it is known; `since` is what [`newest_line`] gave.
pub async fn result(
    pebble: &Client,
    place: &Place,
    revision: Option<&str>,
    since: &str,
) -> Result<Reload, Error> {
    let admin = Admin::new(place);
    let begun = Instant::now();
    let mut has_answered = false;
    loop {
        let mut is_taken = false;
        match revision {
            Some(revision) => {
                if let Ok(Ok(answer)) = timeout(ONE_LOOK, admin.revision()).await {
                    has_answered = true;
                    is_taken = answer == revision;
                }
            }
            None => has_answered |= timeout(ONE_LOOK, admin.is_alive()).await.unwrap_or(false),
        }
        let logged = logged(pebble, since).await?;
        is_taken |= revision.is_none() && logged == Some(Reload::Taken);
        if logged == Some(Reload::Refused) {
            return Ok(Reload::Refused);
        }
        if is_taken {
            sleep(UNTIL_SCHEMAS).await;
            let is_refused = self::logged(pebble, since).await? == Some(Reload::Refused);
            return Ok(if is_refused { Reload::Refused } else { Reload::Taken });
        }
        let waited = begun.elapsed();
        if waited >= UNTIL_QUIET && !has_answered {
            return Ok(Reload::Silent);
        }
        if waited >= UNTIL_QUIET && revision.is_none() {
            return Ok(Reload::Taken);
        }
        // Nobody refused it, so a start decides.
        if waited >= UNTIL_TAKEN {
            return Ok(Reload::Silent);
        }
        sleep(BETWEEN_LOOKS).await;
    }
}

/// What the lines after `since` tell; a refusal counts whatever else they tell.
async fn logged(pebble: &Client, since: &str) -> Result<Option<Reload>, Error> {
    let lines = pebble.logs(&[KRATOS], Some(LINES)).await?;
    let new = lines.iter().filter(|line| moment(&line.time) > moment(since));
    let told: Vec<Reload> = new.filter_map(|line| told(&line.message)).collect();
    let is_refused = told.contains(&Reload::Refused);
    Ok(if is_refused { Some(Reload::Refused) } else { told.first().copied() })
}

/// A time that can be compared: Pebble cuts the zeros at its end, and `Z` comes after the digits.
fn moment(time: &str) -> &str {
    time.trim_end_matches('Z')
}

/// Only what Kratos itself says counts: it logs the headers of every request too, and those say what anybody likes.
fn told(line: &str) -> Option<Reload> {
    if line.trim_end() == INVALID {
        return Some(Reload::Refused);
    }
    let fields = serde_json::from_str::<Value>(line);
    let said = match &fields {
        Ok(fields) => fields["msg"].as_str()?,
        // The end of a line that was too long for Pebble. In what a request says, a quote is escaped.
        Err(_) => line.rsplit_once("\"msg\":\"")?.1,
    };
    if REFUSED.iter().any(|text| said.starts_with(text)) {
        return Some(Reload::Refused);
    }
    said.starts_with(TAKEN).then_some(Reload::Taken)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_kratos_says_counts() {
        let line = |message: &str, header: &str| {
            json!({"http_request": {"headers": {"user-agent": header, "msg": header}}, "level": "info", "msg": message})
                .to_string()
        };
        for text in [REFUSED[0], REFUSED[1], TAKEN, INVALID] {
            assert_eq!(told(&line("started handling request", text)), None);
            let quoted = format!("\"msg\":\"{text}");
            let whole = line("started handling request", &quoted);
            assert_eq!(told(&whole), None);
            assert_eq!(told(&whole[10..]), None, "a piece of it");
        }
        let refused = line(&format!("{}. Rolling back", REFUSED[1]), "curl");
        assert_eq!(told(&refused), Some(Reload::Refused));
        assert_eq!(told(&refused[10..]), Some(Reload::Refused), "the piece with the end");
        assert_eq!(told(&line(&format!("{TAKEN}."), "curl")), Some(Reload::Taken));
        assert_eq!(told(INVALID), Some(Reload::Refused));
    }

    #[test]
    fn times_without_their_zeros_are_compared() {
        let order = ["", "2026-01-01T00:00:23Z", "2026-01-01T00:00:23.64Z", "2026-01-01T00:00:23.641Z"];
        assert!(order.windows(2).all(|pair| moment(pair[0]) < moment(pair[1])), "{order:?}");
    }
}
