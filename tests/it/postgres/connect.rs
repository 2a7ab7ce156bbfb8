//! Opening a connection: what each mistake is called, how fast, and which of several endpoints is taken.

use std::time::{Duration, Instant};

use kratos_operator::postgres::catalog::is_writable_primary;
use kratos_operator::postgres::{Connection, HostPort, Tls};
use sandbox::postgres::Options;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::support::{
    PATIENCE, Server, block_on, dsn, eventually, open, open_as, refused, shared, show, sql, try_sql,
};

/// An endpoint where nothing listens: the port was free a moment ago.
async fn closed() -> HostPort {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    HostPort { host: "127.0.0.1".to_owned(), port: listener.local_addr().unwrap().port() }
}

/// An endpoint that takes connections and never says a word.
async fn silent() -> (TcpListener, HostPort) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, HostPort { host: "127.0.0.1".to_owned(), port })
}

#[test]
fn a_session_is_what_the_dsn_says() {
    let server = shared();
    block_on(async {
        let dsn = server.database().await.with_param("search_path", r#""a \b", public"#);
        let dsn = dsn.with_param("lock_timeout", "1234ms").with_param("max_conns", "20");
        let connection = open_as(&dsn.with_param("application_name", "not this"), "this one").await;
        assert!((140_000..300_000).contains(&connection.server_version_num()));
        assert_eq!(connection.host(), server.endpoint().to_string());
        assert_eq!(show(&connection, "application_name").await, "this one");
        assert_eq!(show(&connection, "search_path").await, r#""a \b", public"#);
        assert_eq!(show(&connection, "lock_timeout").await, "1234ms");
        connection.close().await;
    });
}

#[test]
fn mistakes_are_named_at_once_and_without_the_password() {
    let server = shared();
    block_on(async {
        let good = server.database().await;
        let (user, pass) = (good.username(), format!("pass of {}", good.username()));
        let own = vec![server.endpoint()];
        let nowhere = vec![HostPort { host: "no-such-host.invalid".to_owned(), port: 5432 }];
        let started = Instant::now();
        for (dsn, kind, text) in [
            (dsn(user, "hunter2", user, own.clone(), Tls::Prefer), "wrong-password", user),
            (dsn(user, "", user, own.clone(), Tls::Prefer), "wrong-password", user),
            (dsn(user, &pass, "absent", own.clone(), Tls::Prefer), "no-database", "absent"),
            (dsn(user, &pass, user, vec![closed().await], Tls::Prefer), "unreachable", "127.0.0.1:"),
            (dsn(user, &pass, user, nowhere, Tls::Prefer), "unreachable", "no-such-host.invalid:5432"),
            (dsn(user, &pass, user, own.clone(), Tls::Require), "tls-refused", "does not support TLS"),
            (good.clone().with_param("no_such_setting", "1"), "other", "no_such_setting"),
        ] {
            let error = refused(&dsn, PATIENCE).await;
            assert_eq!(error.kind(), kind, "{error}");
            let shown = format!("{error} {error:?}");
            assert!(shown.contains(text), "{shown}");
            assert!(!shown.contains("hunter2") && !shown.contains(&pass), "{shown}");
        }
        assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());

        let admin = open(&server.admin("postgres")).await;
        sql(&admin, &format!("REVOKE CONNECT ON DATABASE {user} FROM PUBLIC, {user}")).await;
        let error = refused(&good, PATIENCE).await;
        assert_eq!(error.kind(), "permission", "{error}");
    });
}

#[test]
fn a_password_that_the_server_repeats_is_masked() {
    let server = shared();
    block_on(async {
        let name = server.database().await.username().to_owned();
        let admin = open(&server.admin("postgres")).await;
        sql(&admin, &format!("ALTER ROLE {name} PASSWORD 'hunter2'")).await;
        let error = refused(&server.dsn(&name, "hunter2", "hunter2"), PATIENCE).await;
        assert_eq!(error.kind(), "no-database");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");

        let connection = open(&server.dsn(&name, "hunter2", &name)).await;
        let error = try_sql(&connection, "SELECT hunter2").await.unwrap_err();
        assert_eq!(error.to_string(), "PostgreSQL: column \"***\" does not exist (SQLSTATE 42703)");
    });
}

#[test]
fn a_silent_server_costs_the_limit_and_leaves_time_for_the_next() {
    let server = shared();
    block_on(async {
        let good = server.database().await;
        let pass = format!("pass of {}", good.username());
        let (_listener, silent) = silent().await;
        let limit = Duration::from_millis(300);
        let alone = dsn(good.username(), &pass, good.database(), vec![silent.clone()], Tls::Prefer);
        let started = Instant::now();
        let error = refused(&alone, limit).await;
        assert_eq!(error.kind(), "timeout", "{error}");
        assert!(error.to_string().contains(&silent.to_string()), "{error}");
        assert!(started.elapsed() >= limit);

        let endpoints = vec![closed().await, silent.clone()];
        let error = refused(&dsn("u", "p", "d", endpoints, Tls::Prefer), limit).await;
        assert_eq!(error.kind(), "unreachable", "{error}");

        let both = vec![silent, server.endpoint()];
        let both = dsn(good.username(), &pass, good.database(), both, Tls::Prefer);
        let connection = Connection::open(&both, "test", Duration::from_secs(8)).await.unwrap();
        assert_eq!(connection.host(), server.endpoint().to_string());
    });
}

#[test]
fn the_endpoint_that_takes_writes_is_chosen() {
    let primary = shared();
    let mut standby = Server::start(Options::default());
    block_on(async {
        for server in [&*primary, &standby] {
            let admin = open(&server.admin("postgres")).await;
            sql(&admin, "CREATE ROLE pair LOGIN PASSWORD 'pair'").await;
        }
    });
    standby.cluster.stop();
    // A server with this file replays until it is promoted; with nothing to replay, it waits and answers reads.
    std::fs::write(standby.cluster.dir().join("data/standby.signal"), "").unwrap();
    let (admin, first, second) = (standby.admin("postgres"), standby.endpoint(), primary.endpoint());
    let pair = |endpoints| dsn("pair", "pair", "postgres", endpoints, Tls::Prefer);
    std::thread::scope(|scope| {
        // The start may only count as done once the server takes writes, which it does not before the end.
        let start = scope.spawn(|| standby.cluster.start_again());
        block_on(async {
            let alone = eventually("the standby answers", || async {
                Connection::open(&admin, "test", PATIENCE).await.ok()
            })
            .await;
            assert!(!is_writable_primary(&alone).await.unwrap());
            let error = try_sql(&alone, "CREATE TABLE t ()").await.unwrap_err();
            assert_eq!(error.kind(), "read-only", "{error}");
            let error = refused(&pair(vec![first.clone(), first.clone()]), PATIENCE).await;
            assert_eq!(error.kind(), "read-only", "{error}");

            let all = pair(vec![closed().await, first.clone(), second.clone()]);
            assert_eq!(open(&all).await.host(), second.to_string());
            sql(&alone, "SELECT pg_promote()").await;
            let promoted = open(&all).await;
            assert_eq!(promoted.host(), first.to_string());
            assert!(is_writable_primary(&promoted).await.unwrap());
        });
        start.join().unwrap().unwrap();
    });
}

#[test]
fn behind_a_fence_the_primary_is_still_found() {
    let server = shared();
    block_on(async {
        let good = server.database().await;
        let (name, pass) = (good.username(), format!("pass of {}", good.username()));
        let fence = format!("ALTER ROLE {name} IN DATABASE {name} SET default_transaction_read_only = on");
        sql(&open(&good).await, &fence).await;
        let both = dsn(name, &pass, name, vec![server.endpoint(), closed().await], Tls::Prefer);
        let fenced = open(&both).await;
        assert!(!is_writable_primary(&fenced).await.unwrap());
        let through = open(&both.with_param("default_transaction_read_only", "off")).await;
        assert!(is_writable_primary(&through).await.unwrap());
    });
}

#[test]
fn prefer_falls_back_when_the_handshake_fails() {
    block_on(async {
        let (listener, endpoint) = silent().await;
        let server = async {
            // First a server that promises TLS and hangs up, then one that is asked without TLS.
            let (mut first, _) = listener.accept().await.unwrap();
            first.read_exact(&mut [0; 8]).await.unwrap();
            first.write_all(b"S").await.unwrap();
            drop(first);
            let (mut second, _) = listener.accept().await.unwrap();
            let length = second.read_u32().await.unwrap();
            let mut startup = vec![0; length as usize - 4];
            second.read_exact(&mut startup).await.unwrap();
            let fields = b"SFATAL\0C57P03\0Mstarting up\0\0";
            let length = u8::try_from(fields.len()).unwrap() + 4;
            second.write_all(&[b"E\0\0\0", &[length][..], fields].concat()).await.unwrap();
            startup
        };
        let dsn = dsn("u", "hunter2", "d", vec![endpoint], Tls::Prefer);
        let (startup, error) = tokio::join!(server, refused(&dsn, PATIENCE));
        assert!(startup.windows(6).any(|part| part == b"\0user\0"));
        assert_eq!(error.kind(), "unreachable");
        assert!(error.to_string().contains("starting up"), "{error}");
    });
}
