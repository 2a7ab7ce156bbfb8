//! What a dispatch costs: from the start of the charm's process to its end, over the agent's socket and with tools.
//!
//! Measured are the first start, dispatches in which nothing changed (also where every hook command takes 5 and 20 ms longer),
//! the same with 10 and with 100 relations, and the rendering of a configuration. A charm that is an empty shell script is
//! measured beside it: that is what the sandbox itself takes. docs/speed.md tells how to read the figures.
//!
//! Build the programs first: `cargo build --release --workspace`, then `cargo bench -p sandbox --bench dispatch`.

#![expect(clippy::disallowed_methods, reason = "it measures a program")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use sandbox::programs::Programs;
use sandbox::{Options, Sandbox};

const ROUNDS: usize = 20;
const EVENTS: [&str; 2] = ["config-changed", "update-status"];
/// An application on every endpoint beside the database's, most of which say nothing.
const ENDPOINTS: [(&str, &str); 14] = [
    ("kratos-external-idp", "external_provider"),
    ("hydra-endpoint-info", "hydra_endpoints"),
    ("ui-endpoint-info", "login_ui_endpoints"),
    ("kratos-registration-webhook", "kratos_registration_webhook"),
    ("kratos-login-webhook", "kratos_login_webhook"),
    ("tracing", "tracing"),
    ("smtp", "smtp"),
    ("receive-ca-cert", "certificate_transfer"),
    ("public-route", "traefik_route"),
    ("internal-route", "traefik_route"),
    ("logging", "loki_push_api"),
    ("kratos-info", "kratos_info"),
    ("metrics-endpoint", "prometheus_scrape"),
    ("grafana-dashboard", "grafana_dashboard"),
];

fn main() -> Result<()> {
    render()?;
    let runtime = tokio::runtime::Runtime::new()?;
    for tools_only in [false, true] {
        println!("\nhook commands {}", if tools_only { "as tools" } else { "over the socket" });
        runtime.block_on(async {
            let sandbox = Sandbox::start(Options { tools_only, ..Options::default() })?;
            life(&sandbox).await?;
            sandbox.stop().await;
            anyhow::Ok(())
        })?;
    }
    Ok(())
}

async fn life(sandbox: &Sandbox) -> Result<()> {
    floor(sandbox).await?;
    juju(sandbox, "deploy postgresql-k8s --channel 14/stable").await?;
    let begun = Instant::now();
    juju(sandbox, "deploy kratos --trust").await?;
    juju(sandbox, "integrate kratos:pg-database postgresql-k8s:database").await?;
    println!("{:<58} {:>7.0} ms", "first start with its migration, 15 to 20 events", ms(begun.elapsed()));
    for (endpoint, interface) in ENDPOINTS {
        relate(sandbox, endpoint, endpoint, interface).await?;
    }
    for delay in [0, 5, 20] {
        sandbox.slow_down(Duration::from_millis(delay));
        for event in EVENTS {
            measure(sandbox, "kratos/0", event, &format!("{event}, {delay} ms more for each command"))
                .await?;
        }
    }
    sandbox.slow_down(Duration::ZERO);
    for (from, to) in [(1, 10), (10, 100)] {
        for number in from..to {
            relate(sandbox, &format!("reader{number}"), "kratos-info", "kratos_info").await?;
        }
        measure(
            sandbox,
            "kratos/0",
            "update-status",
            &format!("update-status, {to} relations on one endpoint"),
        )
        .await?;
    }
    Ok(())
}

/// A charm that does nothing.
async fn floor(sandbox: &Sandbox) -> Result<()> {
    let charm = tempfile::tempdir()?;
    fs::write(charm.path().join("metadata.yaml"), "name: floor\nsummary: nothing\ndescription: nothing\n")?;
    let dispatch = charm.path().join("dispatch");
    fs::write(&dispatch, "#!/bin/sh\n")?;
    fs::set_permissions(&dispatch, fs::Permissions::from_mode(0o755))?;
    juju(sandbox, &format!("deploy {}", charm.path().display())).await?;
    measure(sandbox, "floor/0", "update-status", "a shell script that does nothing").await
}

/// Renders one configuration, as a process of its own.
fn render() -> Result<()> {
    let charm = Programs::find()?.charm;
    let input = Path::new(env!("CARGO_MANIFEST_DIR")).join("../render/04-providers.yaml");
    let times = (0..ROUNDS).map(|_| {
        let begun = Instant::now();
        let status = Command::new(&charm)
            .args(["render", "--input"])
            .arg(&input)
            .stdout(Stdio::null())
            .status()
            .context("render")?;
        ensure!(status.success(), "render: {status}");
        Ok(begun.elapsed())
    });
    show("render of a configuration, as a process", times.collect::<Result<_>>()?, "");
    println!("the program has {} KiB", charm.metadata()?.len() / 1024);
    Ok(())
}

async fn measure(sandbox: &Sandbox, unit: &str, event: &str, what: &str) -> Result<()> {
    let mut times = Vec::new();
    let mut calls = 0;
    for _ in 0..ROUNDS {
        sandbox.clear_trace();
        let begun = Instant::now();
        sandbox.fire(unit, event).await?;
        times.push(begun.elapsed());
        calls = sandbox.trace().len();
        ensure!(
            !sandbox.trace().iter().any(|call| call.write),
            "something was written: {:?}",
            sandbox.trace()
        );
    }
    show(what, times, &format!("{calls} hook commands"));
    Ok(())
}

fn show(what: &str, mut times: Vec<Duration>, beside: &str) {
    times.sort();
    let (median, least) = (ms(times[times.len() / 2]), ms(times[0]));
    println!("{what:<58} {median:>7.1} ms, least {least:.1} ms  {beside}");
}

async fn relate(sandbox: &Sandbox, application: &str, endpoint: &str, interface: &str) -> Result<()> {
    sandbox.add_stub_application(application, "other", interface)?;
    juju(sandbox, &format!("integrate kratos:{endpoint} {application}:other")).await
}

async fn juju(sandbox: &Sandbox, line: &str) -> Result<()> {
    let output = sandbox.juju(line).await;
    ensure!(output.code == 0, "{line}: {}", output.stderr);
    Ok(())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
