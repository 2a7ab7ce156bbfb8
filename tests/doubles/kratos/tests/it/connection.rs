//! Databases that cannot be reached, and connection strings that cannot be read.

use nix::sys::signal::Signal;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use sandbox::postgres::Options;

use super::world::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_refuses_is_tried_again_until_patience_ends() {
    let world = World::new();
    let database = world.database("db").await;
    let place = format!("{}:{}", world.cluster.host(), world.cluster.port());
    let cases = [
        (
            format!("postgres://kratos:WR0NG@{place}/db?sslmode=disable"),
            "failed SASL auth: FATAL: password authentication failed for user \"kratos\" (SQLSTATE 28P01)",
        ),
        (
            format!("postgres://kratos:s3cret@{place}/nodb?sslmode=disable"),
            "server error: FATAL: database \"nodb\" does not exist (SQLSTATE 3D000)",
        ),
        (
            format!("{}&foo=bar", database.dsn),
            "server error: FATAL: unrecognized configuration parameter \"foo\" (SQLSTATE 42704)",
        ),
        (format!("postgres://kratos:s3cret@{place}/db?sslmode=require"), "tls error: "),
    ];
    for (dsn, reason) in cases {
        let mut command = Database { dsn }.command(NEW, "migrate sql up -e --yes");
        command.env("KRATOS_DOUBLE_PATIENCE", "1");
        let run = Run::of(command);
        assert_eq!(run.code, Some(1));
        let lines: Vec<_> =
            run.err.lines().filter(|line| line.contains("Unable to ping database, retrying.")).collect();
        assert!(lines.len() >= 2 && lines.iter().all(|line| line.contains(reason)), "{}", run.err);
        let last = run.err.trim_end().lines().last().unwrap();
        let start = "an error occurred initializing migrations: failed to connect to `user=kratos database=";
        assert!(last.starts_with(start) && last.contains(reason), "{last}");
        assert!(!run.err.contains("WR0NG") && !run.err.contains("s3cret"), "{}", run.err);
        assert_eq!(run.out, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_program_dies_of_a_signal_at_once() {
    let world = World::new();
    let nobody = Database { dsn: "postgres://kratos:s3cret@127.0.0.1:1/db?sslmode=disable".into() };
    let config = world.file("kratos.json", &config(&world, &address(), |_| {}).to_string());
    let config = config.display();
    for args in [
        "migrate sql status -e".to_owned(),
        format!("serve -c {config}"),
        format!("courier watch -c {config}"),
    ] {
        let mut run = Background::start(&world, "run", nobody.command(NEW, &args));
        eventually("a warning", async || {
            run.output().contains("Unable to ping database, retrying.").then_some(())
        })
        .await;
        run.signal(Signal::SIGTERM);
        assert_eq!(run.end().await, -15, "{args}");
        assert!(run.output().contains("dial error: dial tcp 127.0.0.1:1: connect: connection refused"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_fails_at_once() {
    let run = |dsn: &str, args: &str| Database { dsn: dsn.into() }.run(NEW, args);
    let missing = run("", "migrate sql up -e --yes");
    assert_eq!((missing.code, missing.out.as_str()), (Some(1), ""));
    assert!(missing.err.contains("level=fatal msg=dsn must be set\n"), "{}", missing.err);
    // The one case in which the password is shown.
    let shown = run("postgres://kratos:s3cret@127.0.0.1:1/db?pool_min_conns=1", "migrate sql up -e --yes");
    assert_eq!((shown.code, shown.err.contains("s3cret")), (Some(1), true), "{}", shown.err);
    let neither = run("postgres://kratos:s3cret@127.0.0.1:1/db", "migrate sql up --yes");
    assert_eq!((neither.code, neither.err.as_str()), (Some(1), ""));
    assert!(
        neither.out.starts_with("Usage:\n  kratos migrate sql up [database_url] [flags]\n"),
        "{}",
        neither.out
    );
    let unknown = run("", "migrate sql up -e --steps 1");
    assert_eq!((unknown.code, unknown.err.lines().next()), (Some(1), Some("Error: unknown flag: --steps")));
    let gone = run("postgres://h/d", "migrate sql status -e -c /nonexistent/kratos.yaml");
    assert_eq!(gone.code, Some(1));
    assert!(gone.err.contains("open /nonexistent/kratos.yaml: no such file or directory"), "{}", gone.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connection_comes_from_word_environment_or_file() {
    let world = World::new();
    let database = world.database("db").await;
    let elsewhere = "postgres://kratos:s3cret@127.0.0.1:1/db";
    let file = world.file("dsn.yaml", &format!("dsn: {}\nunknown: key\n", database.dsn));
    let from_file =
        Database { dsn: String::new() }.run(NEW, &format!("migrate sql -e --yes -c {}", file.display()));
    assert_eq!((from_file.code, database.booked().await), (Some(0), 338), "{}", from_file.err);
    let file = world.file("elsewhere.yaml", &format!("dsn: {elsewhere}\n"));
    assert_eq!(database.run(NEW, &format!("migrate sql status -e -c {}", file.display())).code, Some(0));
    let word = Database { dsn: elsewhere.into() }.run(NEW, &format!("migrate sql status {}", database.dsn));
    assert_eq!(word.code, Some(0), "{}", word.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_and_several_hosts_are_understood() {
    let authority = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        rcgen::CertifiedIssuer::self_signed(params, key).unwrap()
    };
    let (ca, stranger) = (authority("ca"), authority("stranger"));
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["primary.model.svc".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    let tls = Some((certificate.pem(), key.serialize_pem()));
    let world = World::with(Options { tls, ..Options::default() });
    let database = world.database("db").await;
    let base = database.dsn.trim_end_matches("sslmode=disable").to_owned();
    let good = world.file("ca.pem", &ca.pem());
    let bad = world.file("stranger.pem", &stranger.pem());
    let (good, bad) = (good.display(), bad.display());
    let status = |query: String| {
        let mut command = Database { dsn: query }.command(NEW, "migrate sql status -e");
        command.env("KRATOS_DOUBLE_PATIENCE", "0");
        Run::of(command)
    };
    for query in
        ["sslmode=require".to_owned(), String::new(), format!("sslmode=verify-ca&sslrootcert={good}")]
    {
        let run = status(format!("{base}{query}"));
        assert_eq!(run.code, Some(0), "{query}: {}", run.err);
    }
    for query in
        [format!("sslmode=verify-ca&sslrootcert={bad}"), format!("sslmode=verify-full&sslrootcert={good}")]
    {
        let run = status(format!("{base}{query}"));
        assert_eq!((run.code, run.err.contains("tls error: ")), (Some(1), true), "{query}: {}", run.err);
    }
    let (host, port) = (world.cluster.host(), world.cluster.port());
    let several =
        format!("postgres://kratos:s3cret@127.0.0.1,{host}/db?port=1,{port}&target_session_attrs=primary");
    assert_eq!(status(several).code, Some(0));
}
