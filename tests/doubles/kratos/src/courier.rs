//! `courier watch`: a process that stays up; it waits for the database like the server and ends at a signal.
//!
//! The double sends no mail; with `--expose-metrics-port` it answers `/metrics/prometheus` as the original does.

use super::cli::{Invocation, fail};
use super::log::Logger;
use super::serve;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use serde_json::json;
use tokio::net::TcpListener;

/// Runs until SIGTERM or SIGINT.
pub async fn run(invocation: &Invocation, log: &Logger) -> u8 {
    let Ok(port) = invocation.value("expose-metrics-port").unwrap_or("0").parse::<u16>() else {
        return fail(log.release, invocation.command, "invalid argument for \"--expose-metrics-port\" flag");
    };
    let started = match serve::start(invocation, log).await {
        Ok(started) => started,
        Err(code) => return code,
    };
    let log = started.log;
    let metrics = if port > 0 {
        let address = format!("{}:{port}", started.config.address("admin").0);
        let listener = match TcpListener::bind(&address).await {
            Ok(listener) => listener,
            Err(error) => return fail(log.release, invocation.command, &serve::bind_error(&address, &error)),
        };
        log.info("Starting the metrics httpd", json!({ "addr": address }));
        let text = "# TYPE go_goroutines gauge\ngo_goroutines 12\n";
        let missing = || async { (StatusCode::NOT_FOUND, "404 page not found\n") };
        let router =
            Router::new().route("/metrics/prometheus", get(move || async move { text })).fallback(missing);
        Some(tokio::spawn(async move { axum::serve(listener, router).await }))
    } else {
        None
    };
    log.info("Courier worker started.", json!({}));
    serve::wait_for_the_end().await;
    log.info("Courier worker was shutdown gracefully.", json!({}));
    if let Some(metrics) = metrics {
        metrics.abort();
        log.info("Metrics httpd was shutdown gracefully", json!({}));
    }
    drop(started.client);
    0
}
