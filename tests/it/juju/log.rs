//! The way from a traced event into Juju's log.

use std::io;

use kratos_operator::juju::{CommandOutput, log};
use tracing_subscriber::layer::SubscriberExt;

use super::recorder::Recorder;

#[tokio::test]
async fn events_become_lines_in_order_before_flush_returns() {
    let (recorder, agent) = Recorder::printing("");
    let (layer, guard) = log::layer(agent);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        tracing::trace!("one");
        tracing::debug!(answer = 42, "two");
        tracing::info!(unit = %"kratos/0", name = "plain", text = "with space", "-three {}", 3);
        tracing::warn!(only = "fields", more = true);
        tracing::error!(error = &io::Error::other("no such thing") as &dyn std::error::Error, "five");
    });
    guard.flush().await;
    let expected = [
        "juju-log --log-level TRACE -- one",
        "juju-log --log-level DEBUG -- two answer=42",
        "juju-log --log-level INFO -- -three 3 unit=kratos/0 name=plain text=\"with space\"",
        "juju-log --log-level WARNING -- only=fields more=true",
        "juju-log --log-level ERROR -- five error=no such thing",
    ];
    assert_eq!(recorder.lines(), expected);
}

#[tokio::test]
async fn lines_that_wait_together_are_one_call_and_a_warning_is_its_own() {
    let (recorder, agent) = Recorder::printing("");
    let (layer, guard) = log::layer(agent);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        tracing::info!("one");
        tracing::info!("two");
        tracing::warn!("three");
        tracing::warn!("four");
        tracing::info!("{}", "x".repeat(20_000));
        tracing::info!("five");
        tracing::debug!("six");
    });
    guard.flush().await;
    let long = format!("juju-log --log-level INFO -- {}", "x".repeat(20_000));
    let expected = [
        "juju-log --log-level INFO -- one\ntwo",
        "juju-log --log-level WARNING -- three",
        "juju-log --log-level WARNING -- four",
        &long,
        "juju-log --log-level INFO -- five",
        "juju-log --log-level DEBUG -- six",
    ];
    assert_eq!(recorder.lines(), expected);
}

#[tokio::test]
async fn a_log_that_cannot_be_written_fails_nothing() {
    for answer in [
        Err(io::Error::from(io::ErrorKind::NotFound)),
        Ok(CommandOutput { code: 1, ..CommandOutput::default() }),
    ] {
        let (recorder, agent) = Recorder::answering(answer);
        let (layer, guard) = log::layer(agent);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::warn!("lost");
            tracing::info!("kept");
        });
        guard.flush().await;
        assert_eq!(
            recorder.lines(),
            ["juju-log --log-level WARNING -- lost", "juju-log --log-level INFO -- kept"]
        );
    }
}

#[tokio::test]
async fn flush_without_lines_returns() {
    let (recorder, agent) = Recorder::printing("");
    let (_layer, guard) = log::layer(agent);
    guard.flush().await;
    assert!(recorder.lines().is_empty());
}
