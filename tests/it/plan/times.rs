//! The suggested timeout is at least the time of the real run and at most ten times it.

use kratos_operator::migration::{Job, Timeout, run};
use kratos_operator::postgres::Dsn;
use serde_json::json;
use tokio::sync::mpsc;

use super::support::{Database, Server, block_on, shared, sql, version};

/// Other programs on the machine may disturb a measurement; not all of them.
const ATTEMPTS: usize = 3;

/// The seconds of a run to `release`, which has as long as it needs.
async fn real(server: &Server, release: &str, dsn: &Dsn) -> f64 {
    let job = Job {
        version: version(release),
        dsn: dsn.clone(),
        timeout: Timeout::parse(Some(&json!(300))).unwrap(),
        who: "test".to_owned(),
        force: false,
        cancel: None,
    };
    let (progress, _lines) = mpsc::unbounded_channel();
    run(&server.kratos(release), &job, None, &progress, async {}).await.unwrap().elapsed.as_secs_f64()
}

async fn check(server: &Server, served: &Database, releases: &[&str]) -> Result<(), String> {
    let copy = server.database(Some(served)).await;
    for release in releases {
        let plan = server.plan(release, &copy.dsn).await;
        let real = real(server, release, &copy.dsn).await;
        #[expect(clippy::cast_precision_loss, reason = "no timeout has 2^53 seconds")]
        let suggested = plan.suggested_timeout as f64;
        let text = format!(
            "{release}: estimate {} s, suggested {suggested} s, real {real} s",
            plan.estimate_seconds
        );
        println!("{text}");
        // A timeout has whole seconds, and no plan suggests less than two.
        if suggested < real || suggested > (10.0 * real).ceil().max(2.0) {
            return Err(text);
        }
    }
    Ok(())
}

async fn fits(identities: u32, paths: &[&[&str]], with_createdb: bool) {
    let server = shared();
    let served = server.served(identities).await;
    if !with_createdb {
        let admin = server.superuser("postgres").await;
        sql(&admin, &format!("ALTER ROLE {} NOCREATEDB", served.dsn.username())).await;
    }
    for path in paths {
        let mut failures = Vec::new();
        while failures.len() < ATTEMPTS {
            match check(&server, &served, path).await {
                Ok(()) => break,
                Err(failure) => failures.push(failure),
            }
        }
        assert!(failures.len() < ATTEMPTS, "{failures:#?}");
    }
}

const PATHS: [&[&str]; 2] = [&["v25.4.0", "v26.2.0"], &["v26.2.0"]];

#[test]
fn the_timeout_fits_a_small_database() {
    block_on(fits(200, &PATHS, true));
}

#[test]
fn the_timeout_fits_a_small_database_without_a_replay() {
    block_on(fits(200, &PATHS, false));
}

#[test]
fn the_timeout_fits_200_000_identities() {
    block_on(fits(200_000, &PATHS, true));
}
