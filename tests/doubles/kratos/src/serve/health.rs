//! Health, version, metrics and the revision of the configuration.

use super::super::database::sql_error;
use super::super::migrations::{self, runner};
use super::answer::{Answer, Failure, body, ok};
use super::app::App;
use axum::http::StatusCode;
use serde_json::json;
use std::sync::atomic::Ordering;

/// Alive: never fails while listening.
pub fn alive() -> Answer {
    Ok(ok(&json!({ "status": "ok" })))
}

/// Ready: the database answers and no migration is pending, which is only looked at until it was seen once.
pub async fn ready(app: &App) -> Answer {
    let failed = |mut failure: Failure| {
        failure.status = StatusCode::SERVICE_UNAVAILABLE;
        failure
    };
    let client = app.pool.get().await.map_err(failed)?;
    let pending = if app.migrated.load(Ordering::Relaxed) {
        let answer = client.simple_query("SELECT 1").await;
        answer.map(|_| false).map_err(|error| failed(Failure::internal(sql_error(&error))))?
    } else {
        let pending = runner::pending(&client, &migrations::of(app.release)).await;
        !pending.map_err(|error| failed(Failure::internal(error.to_string())))?.is_empty()
    };
    app.pool.put(client);
    if pending {
        return Err(failed(Failure::internal("migrations have not yet been fully applied")));
    }
    app.migrated.store(true, Ordering::Relaxed);
    alive()
}

/// Ready on the public port, where the reason is kept back.
pub async fn ready_publicly(app: &App) -> Answer {
    ready(app).await.map_err(|failure| Failure {
        message: "error may contain sensitive information and was obfuscated".into(),
        ..failure
    })
}

/// The version.
pub fn version(app: &App) -> Answer {
    Ok(ok(&json!({ "version": app.release.label() })))
}

/// A few metrics in the text form of Prometheus.
pub fn metrics() -> Answer {
    let text = "# HELP go_goroutines Number of goroutines that currently exist.\n# TYPE go_goroutines gauge\ngo_goroutines 26\n";
    let kind = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";
    Ok(body(StatusCode::OK, kind, text.into()))
}

/// The revision of the configuration in force.
pub fn revision(app: &App) -> Answer {
    Ok(body(StatusCode::OK, "text/plain; charset=utf-8", app.config().revision()))
}
