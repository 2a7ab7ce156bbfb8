//! Runs that are stopped: by their timeout, by a signal, and by a kill.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::getpgid;
use serde_json::json;

use super::support::*;

/// From the deadline until no session may be left.
const LIMIT: Duration = Duration::from_secs(5);

/// The next run goes on, and ends as if nothing had been.
async fn check_goes_on(database: &Database) {
    let run = database.run("run --json --timeout 300");
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(database.digest().await, undisturbed().await);
    database.check_nothing_left().await;
}

#[test]
fn a_run_that_takes_too_long_is_stopped_and_goes_on_later() {
    block_on(async {
        let database = Database::served(MIDDLE).await;
        let mut run = Background::start(database.slow(LATE, 600, "run --json --timeout 1 --force"));
        run.until("timeout of 1 s: stopping");
        let deadline = Instant::now();
        eventually("no session is left", async || database.migrating().await == 0).await;
        assert!(deadline.elapsed() < LIMIT);
        let (code, result) = run.end();
        assert_eq!((code, &result["kind"]), (Some(1), &json!("stopped")), "{result}");
        assert!(
            result["applied"].as_u64().unwrap() > 0 && result["pending"].as_u64().unwrap() > 0,
            "{result}"
        );
        let next = result["next"].as_str().unwrap();
        assert!(
            next.starts_with("go on with: kratos-operator migrate run")
                && next.ends_with(" --timeout 2 --force"),
            "{next}"
        );
        database.check_nothing_left().await;
        check_goes_on(&database).await;
    });
}

#[test]
fn a_signal_stops_a_run_in_order() {
    block_on(async {
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
            let database = Database::served(MIDDLE).await;
            let run = Background::start(database.slow(LATE, 600, "run --json --timeout 1200"));
            database.until_slow().await;
            // A terminal signals a whole group, and Kratos must not go before its statement does.
            for child in run.children() {
                assert_ne!(getpgid(Some(child)).unwrap().as_raw(), run.pid());
            }
            let asked = Instant::now();
            run.signal_group(signal);
            let (code, result) = run.end();
            assert!(asked.elapsed() < 2 * LIMIT, "{signal}");
            assert_eq!((code, &result["kind"]), (Some(1), &json!("stopped")), "{result}");
            let error = result["error"].as_str().unwrap();
            assert!(error.starts_with("stopped on request: ") && error.ends_with(" pending"), "{result}");
            assert!(result["next"].as_str().unwrap().ends_with(" --timeout 1200"), "{result}");
            database.check_nothing_left().await;
            check_goes_on(&database).await;
        }
    });
}

#[test]
fn a_killed_run_is_made_good_by_the_next() {
    block_on(async {
        // In a transaction, between the statements of an autocommit migration, and after a backfill.
        for version in [LATE, "20250708190000000000", "20251105000000000001"] {
            let database = Database::served(OLD).await;
            let run = Background::start(database.slow(version, 600, "run --json --timeout 1200"));
            database.until_slow().await;
            run.signal(Signal::SIGKILL);
            let (code, _) = run.end();
            assert_eq!(code, None);
            check_goes_on(&database).await;
        }
    });
}

#[test]
fn a_reader_who_goes_away_ends_no_run() {
    block_on(async {
        let database = Database::fresh().await;
        let mut command = database.operator("run --json");
        let (reader, writer) = std::io::pipe().unwrap();
        command.stdout(writer).stderr(std::process::Stdio::null());
        let mut child = command.spawn().unwrap();
        drop((command, reader));
        assert_eq!(child.wait().unwrap().code(), Some(0));
        assert_eq!(database.digest().await, undisturbed().await);
    });
}
