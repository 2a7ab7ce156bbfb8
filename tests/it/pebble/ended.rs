//! A command in the workload, from its start to its end.

use std::time::Duration;

use kratos_operator::pebble::{Client, Error, ExecRequest, Output};

/// What a command that ran to its end left.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    pub code: i64,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// Runs a command to its end, for at most `limit`; it is killed after that.
pub async fn run_within(client: &Client, request: ExecRequest, limit: Duration) -> Result<Ended, Error> {
    let mut process = client.exec(request).await?;
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let gather = async {
        while let Some(piece) = process.next_output().await {
            match piece {
                Output::Stdout(bytes) => stdout.extend(bytes),
                Output::Stderr(bytes) => stderr.extend(bytes),
            }
        }
    };
    // What is still under way at the limit is waited for no more: `wait` says so.
    let _in_time = tokio::time::timeout(limit, gather).await;
    Ok(Ended { code: process.wait(limit).await?, stdout, stderr })
}
