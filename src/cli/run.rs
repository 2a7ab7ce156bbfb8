//! `migrate run`: a run from the lock to the verdict, with its progress, that can be stopped in order.

use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::show::{Display, note, print};
use super::signals::{AT_ONCE, Signals};
use super::stop::{Stop, advice};
use super::target::CommandTarget;
use crate::migration::{self, Failure, Job, Outcome, RunEvent, Timeout};

/// Migrates and shows how; tells whether it succeeded. At a signal the run is stopped as at its timeout.
pub async fn run(
    target: &CommandTarget,
    timeout: Timeout,
    force: bool,
    json: bool,
    signals: &mut Signals,
) -> Result<bool, Stop> {
    let (request, cancel) = watch::channel(false);
    let job = Job {
        version: target.version.clone(),
        dsn: target.dsn.clone(),
        timeout,
        who: CommandTarget::who(),
        force,
        cancel: Some(cancel),
    };
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let begun = Instant::now();
    let work = async {
        let outcome = migration::run(&target.kratos, &job, None, &sender, async {}).await;
        drop(sender);
        Ok(outcome)
    };
    let show = async {
        let mut display = Display::new(json);
        loop {
            tokio::select! {
                progress = receiver.recv() => match progress {
                    Some(progress) => display.show(&progress),
                    None => break,
                },
                name = signals.next() => {
                    if request.send_replace(true) {
                        return Err(Stop::Signal(name));
                    }
                    let text = format!("{name}: the migration is stopped in order, which takes seconds; {AT_ONCE}");
                    display.show(&RunEvent::Step(text));
                }
            }
        }
        display.finish();
        Ok(())
    };
    let (outcome, ()) = tokio::try_join!(work, show)?;
    let end = RunEnd {
        target,
        outcome,
        seconds: begun.elapsed().as_secs_f64(),
        is_canceled: *request.borrow(),
        timeout,
        force,
    };
    if json {
        print(&end.json().to_string());
    }
    match (&end.outcome, json) {
        (Ok(_), true) => {}
        (Ok(_), false) => print(&end.text()),
        (Err(_), _) => note(&format!("kratos-operator: {}", end.text())),
    }
    Ok(end.outcome.is_ok())
}

/// What a run ended with.
struct RunEnd<'a> {
    target: &'a CommandTarget,
    outcome: Outcome,
    seconds: f64,
    is_canceled: bool,
    /// What was asked for.
    timeout: Timeout,
    force: bool,
}

impl RunEnd<'_> {
    /// In the words of a command line.
    fn text(&self) -> String {
        match &self.outcome {
            Ok(report) => format!(
                "Done: {} migrations applied in {:.1} s, nothing is pending for {}",
                report.applied, self.seconds, self.target.version
            ),
            Err(failure) => format!("{}; {}", self.error(failure), self.advice(failure)),
        }
    }

    fn json(&self) -> Value {
        let mut result = match &self.outcome {
            Ok(report) => json!({
                "event": "result", "kind": "completed", "applied": report.applied, "pending": 0,
            }),
            Err(failure) => {
                let reached = failure.reached();
                json!({
                    "event": "result",
                    "kind": failure.kind(),
                    "applied": reached.map(|reached| reached.applied),
                    "pending": reached.and_then(|reached| reached.pending),
                    "error": self.error(failure),
                })
            }
        };
        result["seconds"] = json!((self.seconds * 10.0).round() / 10.0);
        result["next"] = match &self.outcome {
            Ok(_) => self.target.command("status"),
            Err(failure) => self.advice(failure),
        }
        .into();
        result
    }

    fn error(&self, failure: &Failure) -> String {
        match failure {
            Failure::Stopped { reached, .. } if self.is_canceled => {
                let pending =
                    reached.pending.map_or_else(String::new, |pending| format!(", {pending} pending"));
                format!("stopped on request: {} migrations applied{pending}", reached.applied)
            }
            failure => failure.to_string(),
        }
    }

    fn advice(&self, failure: &Failure) -> String {
        let timeout = match failure {
            Failure::Stopped { timeout, blockers, .. } if !self.is_canceled && blockers.is_empty() => {
                timeout.doubled()
            }
            _ => self.timeout,
        };
        let timeout =
            if timeout == Timeout::DEFAULT { String::new() } else { format!(" --timeout {timeout}") };
        let force = if self.force { " --force" } else { "" };
        let again = format!("{}{timeout}{force}", self.target.command("run"));
        advice(failure, &again, self.target)
    }
}
