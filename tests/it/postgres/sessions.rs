//! The advisory lock, and watching and ending the sessions of one application.

use std::time::Duration;

use kratos_operator::postgres::activity::{backends, blockers, cancel_unless_booking, terminate, wait_gone};
use kratos_operator::postgres::{AdvisoryLock, LockKey, holder};
use tokio::time::Instant;

use super::support::{PATIENCE, block_on, eventually, open, open_as, shared, show, sql, try_sql};

const KEY: LockKey = LockKey::MIGRATION;

#[test]
fn one_session_holds_the_lock_and_is_named() {
    let server = shared();
    block_on(async {
        let dsn = server.database().await;
        let (first, second) =
            (open_as(&dsn, "kratos/0 run-migration").await, open_as(&dsn, "kratos/1").await);
        assert_eq!(holder(&second, KEY).await.unwrap(), None);
        let lock = AdvisoryLock::try_acquire(&first, KEY).await.unwrap().unwrap();
        assert!(AdvisoryLock::try_acquire(&second, KEY).await.unwrap().is_none());
        assert_eq!(show(&first, "idle_session_timeout").await, "0");

        let held = holder(&second, KEY).await.unwrap().unwrap();
        assert_eq!(held.application_name, "kratos/0 run-migration");
        assert_eq!(held.client_addr.as_deref(), Some("127.0.0.1"));
        let since = held.since.unwrap();
        assert!(since.len() == 20 && since.starts_with("20") && since.ends_with('Z'), "{since}");

        let negative = LockKey { class: -1, object: i32::MIN };
        let other = AdvisoryLock::try_acquire(&second, negative).await.unwrap();
        assert_eq!(holder(&first, negative).await.unwrap().unwrap().application_name, "kratos/1");
        other.unwrap().release().await.unwrap();
        assert_eq!(holder(&first, negative).await.unwrap(), None);

        // Another database knows nothing of it; a stranger's role sees the holder, but no details.
        let elsewhere = server.database().await;
        let elsewhere = open(&elsewhere).await;
        assert_eq!(holder(&elsewhere, KEY).await.unwrap(), None);
        assert!(AdvisoryLock::try_acquire(&elsewhere, KEY).await.unwrap().is_some());
        let stranger = server.database().await;
        let pass = format!("pass of {}", stranger.username());
        let stranger = open(&server.dsn(stranger.username(), &pass, dsn.database())).await;
        let seen = holder(&stranger, KEY).await.unwrap().unwrap();
        assert_eq!((seen.pid, seen.since, seen.client_addr), (held.pid, None, None));
        assert_eq!(seen.application_name, "kratos/0 run-migration");

        lock.release().await.unwrap();
        let lock = AdvisoryLock::try_acquire(&second, KEY).await.unwrap().unwrap();
        // Whatever ends the session gives the lock back.
        drop(lock);
        drop(second);
        eventually("the lock is free", || async { AdvisoryLock::try_acquire(&first, KEY).await.unwrap() })
            .await
            .release()
            .await
            .unwrap();
    });
}

#[test]
fn releasing_what_the_session_lost_is_an_error() {
    let server = shared();
    block_on(async {
        let connection = open(&server.database().await).await;
        let lock = AdvisoryLock::try_acquire(&connection, KEY).await.unwrap().unwrap();
        sql(&connection, "SELECT pg_advisory_unlock_all()").await;
        assert_eq!(lock.release().await.unwrap_err().kind(), "other");
    });
}

#[test]
fn closing_frees_the_lock() {
    let server = shared();
    block_on(async {
        let dsn = server.database().await;
        let (first, second) = (open(&dsn).await, open(&dsn).await);
        let _ = AdvisoryLock::try_acquire(&first, KEY).await.unwrap().unwrap();
        first.close().await;
        eventually("the lock is free", || async { AdvisoryLock::try_acquire(&second, KEY).await.unwrap() })
            .await
            .release()
            .await
            .unwrap();
    });
}

#[test]
fn a_running_statement_is_seen_canceled_and_its_session_ended() {
    let server = shared();
    block_on(async {
        let dsn = server.database().await;
        let (watch, sleeper) = (open(&dsn).await, open_as(&dsn, "sleeper").await);
        assert!(backends(&watch, "test").await.unwrap().is_empty(), "the watching session counts itself");
        let job = tokio::spawn(async move { (try_sql(&sleeper, "SELECT pg_sleep(600)").await, sleeper) });
        let seen = eventually("it sleeps", || async {
            let mut seen = backends(&watch, "sleeper").await.unwrap();
            seen.pop().filter(|backend| backend.wait_event.as_deref() == Some("Timeout/PgSleep"))
        })
        .await;
        assert_eq!(seen.state.as_deref(), Some("active"));
        assert!(seen.query_seconds.unwrap() >= 0.0 && seen.blocked_by.is_empty(), "{seen:?}");

        let soon = Instant::now() + Duration::from_millis(120);
        assert_eq!(wait_gone(&watch, "sleeper", soon).await.unwrap().len(), 1);
        assert!(Instant::now() >= soon);

        assert_eq!(cancel_unless_booking(&watch, "sleeper").await.unwrap().canceled, [seen.pid]);
        let (result, sleeper) = job.await.unwrap();
        assert_eq!(result.unwrap_err().kind(), "canceled");
        sql(&sleeper, "SELECT 1").await;

        assert_eq!(terminate(&watch, "sleeper").await.unwrap(), [seen.pid]);
        assert!(wait_gone(&watch, "sleeper", Instant::now() + PATIENCE).await.unwrap().is_empty());
        assert_eq!(try_sql(&sleeper, "SELECT 1").await.unwrap_err().kind(), "lost");
        assert!(terminate(&watch, "sleeper").await.unwrap().is_empty());
    });
}

#[test]
fn who_blocks_is_named() {
    let server = shared();
    block_on(async {
        let dsn = server.database().await;
        let (watch, reader, migration) =
            (open(&dsn).await, open_as(&dsn, "report").await, open_as(&dsn, "m").await);
        sql(&watch, "CREATE TABLE t ()").await;
        sql(&reader, "BEGIN; SELECT FROM t").await;
        assert_eq!(blockers(&watch, "m").await.unwrap(), []);
        let job = tokio::spawn(async move { try_sql(&migration, "ALTER TABLE t ADD COLUMN a int").await });
        let found = eventually("it waits", || async { blockers(&watch, "m").await.unwrap().pop() }).await;
        assert_eq!(found.application_name, "report");
        assert_eq!(found.user.as_deref(), Some(dsn.username()));
        assert_eq!(found.client_addr.as_deref(), Some("127.0.0.1"));
        assert_eq!(found.state.as_deref(), Some("idle in transaction"));
        assert!(found.transaction_seconds.unwrap() >= 0.0);
        let waiting = backends(&watch, "m").await.unwrap();
        assert_eq!(found.blocks, [waiting[0].pid]);
        assert_eq!(waiting[0].blocked_by, [found.pid]);
        assert_eq!(waiting[0].wait_event.as_deref(), Some("Lock/relation"));

        let bounded = open(&dsn.with_param("lock_timeout", "50")).await;
        let error = try_sql(&bounded, "ALTER TABLE t ADD COLUMN b int").await.unwrap_err();
        assert_eq!(error.kind(), "lock-timeout", "{error}");

        sql(&reader, "COMMIT").await;
        job.await.unwrap().unwrap();
        assert_eq!(blockers(&watch, "m").await.unwrap(), []);
    });
}

#[test]
fn a_long_name_is_matched_as_the_server_cuts_it() {
    let server = shared();
    block_on(async {
        let dsn = server.database().await;
        let name = "n".repeat(80);
        let (watch, _long) = (open(&dsn).await, open_as(&dsn, &name).await);
        assert_eq!(backends(&watch, &name).await.unwrap().len(), 1);
    });
}

#[test]
fn sessions_of_a_stronger_role_are_refused_not_skipped() {
    let server = shared();
    block_on(async {
        let dsn = server.database().await;
        let (watch, _admin) = (open(&dsn).await, open_as(&server.admin(dsn.database()), "strong").await);
        assert_eq!(terminate(&watch, "strong").await.unwrap_err().kind(), "permission");
    });
}
