//! A server's life: waiting, listening, losing its database, reloading, ending.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::world::*;

#[tokio::test(flavor = "multi_thread")]
async fn on_an_empty_database_it_listens_on_nothing_until_there_are_tables() {
    let world = World::new();
    let database = world.database("db").await;
    let server = Served::start(&world, "serve", NEW, &database, |_| {});
    let waiting = "\"message\":\"Unable to locate the table\"";
    eventually("a warning", async || server.process.output().contains(waiting).then_some(())).await;
    assert!(server.process.output().contains("\"msg\":\"Unable to determine network, retrying.\""));
    assert!(!server.is_listening());
    database.migrate(NEW);
    let server = server.listening().await;
    assert_eq!(server.get("/admin/health/ready").await.unwrap().0, 200);
    let networks = "SELECT count(*) FROM networks";
    let client = database.client().await;
    assert_eq!(client.query_one(networks, &[]).await.unwrap().get::<_, i64>(0), 1);
    let second = Served::start(&world, "second", NEW, &database, |_| {}).listening().await;
    assert_eq!(second.get("/admin/health/ready").await.unwrap().0, 200);
    assert_eq!(client.query_one(networks, &[]).await.unwrap().get::<_, i64>(0), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_away_and_comes_back_is_noticed() {
    let mut world = World::new();
    let database = world.database("db").await;
    database.migrate(NEW);
    let server = Served::start(&world, "serve", NEW, &database, |_| {}).listening().await;
    assert_eq!(server.get("/admin/health/ready").await.unwrap().0, 200);
    world.cluster.stop();
    // A connection that was used within the last second is not looked at before it is used, and fails once.
    let (status, body) = eventually("not ready", async || {
        let is_cut_off = |body: &Value| {
            let message = body["error"]["message"].as_str().unwrap_or_default();
            message.starts_with("failed to connect to `user=kratos database=db`: ")
        };
        server.get("/admin/health/ready").await.ok().filter(|(_, body)| is_cut_off(body))
    })
    .await;
    let message = body["error"]["message"].as_str().unwrap();
    assert_eq!(status, 503);
    assert!(message.ends_with(": connect: connection refused"), "{message}");
    assert_eq!(server.get("/admin/health/alive").await.unwrap().0, 200);
    let (status, _) = server.get("/admin/identities").await.unwrap();
    assert_eq!(status, 500);
    world.cluster.start_again().unwrap();
    eventually("ready again", async || {
        server.get("/admin/health/ready").await.ok().filter(|(status, _)| *status == 200)
    })
    .await;
    assert!(!server.process.output().contains("s3cret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_in_order_and_refuses_a_port_in_use() {
    let world = World::new();
    let database = world.database("db").await;
    database.migrate(NEW);
    let mut server = Served::start(&world, "serve", NEW, &database, |_| {}).listening().await;
    let command = database.command(NEW, &format!("serve -c {}", server.config.display()));
    let taken = Run::of(command);
    assert_eq!(taken.code, Some(1));
    let place = server.public.trim_start_matches("http://");
    let last = format!("listen tcp {place}: bind: address already in use");
    assert_eq!(taken.err.trim_end().lines().last(), Some(last.as_str()));
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        server.process.signal(signal);
        assert_eq!(server.process.end().await, 0);
        let end = server.process.output();
        assert!(
            end.contains("Public httpd was shutdown gracefully")
                && end.contains("Admin httpd was shutdown gracefully")
        );
        server = Served::start(&world, "again", NEW, &database, |_| {}).listening().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_courier_stays_until_it_is_told_to_end() {
    let world = World::new();
    let database = world.database("db").await;
    let file = world.file("courier.json", &config(&world, &address(), |_| {}).to_string());
    let mut courier = Background::start(
        &world,
        "courier",
        database.command(NEW, &format!("courier watch -c {}", file.display())),
    );
    eventually("waiting", async || courier.output().contains("Unable to determine network").then_some(()))
        .await;
    database.migrate(NEW);
    eventually("working", async || courier.output().contains("Courier worker started.").then_some(())).await;
    assert!(courier.is_running());
    courier.signal(Signal::SIGTERM);
    assert_eq!(courier.end().await, 0);
    assert!(courier.output().contains("Courier worker was shutdown gracefully."));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_takes_effect_unless_it_is_invalid() {
    let world = World::new();
    let database = world.database("db").await;
    database.migrate(NEW);
    let revise = |revision: &'static str| move |config: &mut Value| config["revision"] = revision.into();
    let server = Served::start(&world, "serve", NEW, &database, revise("one")).listening().await;
    let revision = async || server.get("/admin/health/config").await.unwrap().1;
    assert_eq!(revision().await, "one");
    let now: Value = serde_json::from_str(&fs::read_to_string(&server.config).unwrap()).unwrap();
    let write = |change: Change| {
        let mut next = now.clone();
        change(&mut next);
        let new = world.file("next.json", &next.to_string());
        fs::rename(new, &server.config).unwrap();
    };
    write(&|config| config["revision"] = "two".into());
    eventually("the second revision", async || (revision().await == "two").then_some(())).await;
    write(&|config| {
        config["revision"] = "three".into();
        config["log"]["level"] = "loud".into();
    });
    let refusal = "The changed configuration is invalid and could not be loaded.";
    eventually("the refusal", async || server.process.output().contains(refusal).then_some(())).await;
    assert_eq!(revision().await, "two");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_configuration_is_refused_at_once() {
    let world = World::new();
    let database = Database { dsn: "postgres://kratos:s3cret@127.0.0.1:1/db".into() };
    let serve = |release: &str, change: Change| {
        let file = world.file("bad.json", &config(&world, "127.0.0.1", change).to_string());
        database.run(release, &format!("serve -c {}", file.display()))
    };
    let cases: [(Change, &str); 6] = [
        (
            &|c| c["foo"] = 1.into(),
            r#"I[#] S[#/additionalProperties] additionalProperties "foo" not allowed"#,
        ),
        (&|c| c["log"]["level"] = "warn".into(), "value must be one of"),
        (&|c| c["secrets"] = json!({ "cookie": ["short"] }), "length must be >= 16, but got 5"),
        (&|c| c["serve"]["admin"]["port"] = "4434".into(), "expected integer, but got string"),
        (&|c| c["selfservice"] = json!({}), r#"missing properties: "default_browser_return_url""#),
        (
            &|c| c["identity"]["schemas"][0]["url"] = "file:///nonexistent.json".into(),
            "open /nonexistent.json: no such file or directory",
        ),
    ];
    for (change, reason) in cases {
        let run = serve(NEW, change);
        assert_eq!((run.code, run.out.as_str()), (Some(1), ""), "{reason}");
        assert!(run.err.trim_end().lines().last().unwrap().contains(reason), "{reason}: {}", run.err);
    }
    let old = serve(OLD, &|config| config["revision"] = "1".into());
    assert!(old.err.contains(r#"additionalProperties "revision" not allowed"#), "{}", old.err);
}
