//! How long a dispatch takes in which nothing changed: from the start of the charm's process to its end, with real hook
//! commands over the agent's socket, a Pebble and no database question.
//!
//! Build the programs first: `cargo build --release --workspace`, then `cargo bench -p sandbox --bench dispatch`.

use std::time::{Duration, Instant};

use sandbox::{Options, Sandbox};

const ROUNDS: usize = 40;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let sandbox = Sandbox::start(Options::default())?;
        for line in [
            "deploy postgresql-k8s --channel 14/stable",
            "deploy kratos --trust",
            "integrate kratos:pg-database postgresql-k8s:database",
        ] {
            let output = sandbox.juju(line).await;
            assert_eq!(output.code, 0, "{line}: {}", output.stderr);
        }
        for event in ["config-changed", "update-status", "pg-database-relation-changed"] {
            let mut times = Vec::new();
            let mut calls = 0;
            for _ in 0..ROUNDS {
                sandbox.clear_trace();
                let begun = Instant::now();
                sandbox.fire("kratos/0", event).await?;
                times.push(begun.elapsed());
                calls = sandbox.trace().len();
            }
            times.sort();
            let ms = |time: Duration| time.as_secs_f64() * 1000.0;
            println!(
                "{event}: median {:.1} ms, least {:.1} ms, most {:.1} ms, {calls} hook commands, {ROUNDS} rounds",
                ms(times[ROUNDS / 2]),
                ms(times[0]),
                ms(times[ROUNDS - 1]),
            );
        }
        sandbox.stop().await;
        Ok(())
    })
}
