//! What users notice of changes to the configuration: visits that fail through 50 changes that a running Kratos takes
//! over, and through one that restarts it.
//!
//! Build the programs first: `cargo build --release --workspace`, then `cargo bench -p sandbox --bench changes`.

use std::time::{Duration, Instant};

use sandbox::visits::{Visits, hot_change};
use sandbox::{Options, Sandbox};

const CHANGES: u32 = 50;

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        for (name, lines) in [
            ("taken over", (1..=CHANGES).map(hot_change).collect()),
            ("restart", vec!["config kratos log_level=debug".to_owned()]),
        ] {
            let sandbox = Sandbox::start(Options::default())?;
            for line in [
                "deploy postgresql-k8s --channel 14/stable",
                "deploy kratos --trust",
                "integrate kratos:pg-database postgresql-k8s:database",
            ] {
                run(&sandbox, line).await;
            }
            let visits = Visits::begin(&sandbox, "kratos/0").await?;
            tokio::time::sleep(Duration::from_secs(1)).await;
            let begun = Instant::now();
            for line in &lines {
                run(&sandbox, line).await;
            }
            let seconds = begun.elapsed().as_secs_f64();
            tokio::time::sleep(Duration::from_secs(1)).await;
            let visited = visits.end().await?;
            println!(
                "{name}: {} changes in {seconds:.1} s, {} visits succeeded, {} failed",
                lines.len(),
                visited.succeeded,
                visited.failures.len()
            );
            sandbox.stop().await;
        }
        Ok(())
    })
}

/// Runs a command that has to succeed.
async fn run(sandbox: &Sandbox, line: &str) {
    let output = sandbox.juju(line).await;
    assert_eq!(output.code, 0, "{line}: {}", output.stderr);
}
