//! Malformed data of others: no hook error, nothing that runs is stopped, and the status names what is wrong.

use sandbox::Sandbox;

use super::support::*;

const STUB: &str = "database-stub";

async fn with_stub(sandbox: &Sandbox) -> u32 {
    juju(sandbox, &format!("deploy kratos --channel {} --trust", newest())).await;
    sandbox.add_stub_application(STUB, "database", "postgresql_client").unwrap();
    juju(sandbox, &format!("integrate kratos:pg-database {STUB}:database")).await;
    sandbox.relation("kratos:pg-database", &format!("{STUB}:database")).unwrap()
}

#[test]
fn a_provider_that_writes_nonsense_is_waited_for() {
    with_sandbox(async |sandbox| {
        let relation = with_stub(&sandbox).await;
        let unreadable = sandbox.add_secret(STUB, &[("username", "u"), ("password", "sesame")]).unwrap();
        let empty = sandbox.add_secret(STUB, &[("other", "value")]).unwrap();
        sandbox.grant_secret(&empty, relation, "kratos").unwrap();
        let plain = [("username", "u"), ("password", "sesame"), ("endpoints", "127.0.0.1:1")];
        let cases: [(&[(&str, &str)], &str); 8] = [
            (&[("secret-user", "no uri at all")], "secret-user cannot be read"),
            (&[("secret-user", &unreadable), ("endpoints", "db:5432")], "secret-user cannot be read"),
            (&[("secret-user", &empty), ("endpoints", "db:5432")], "Waiting for database creation"),
            (&[("endpoints", "db:5432:5432"), ("username", "u"), ("password", "sesame")], "db:5432:5432"),
            (&[("endpoints", ",,"), ("username", "u"), ("password", "sesame")], "database endpoint"),
            (&[plain[0], plain[1], plain[2], ("tls", "true"), ("tls-ca", "junk")], "tls-ca"),
            (&plain, "cannot reach PostgreSQL at 127.0.0.1:1"),
            (&[], "Waiting for database creation"),
        ];
        for (data, expected) in cases {
            let keys = ["secret-user", "secret-tls", "endpoints", "username", "password", "tls", "tls-ca"];
            let mut all: Vec<(&str, &str)> = keys.iter().map(|key| (*key, "")).collect();
            for (key, value) in &mut all {
                *value = data.iter().find(|(known, _)| known == key).map_or("", |(_, value)| value);
            }
            sandbox.set_databag(relation, STUB, &all).await.unwrap();
            let text = status(&sandbox, 0);
            assert!(text.starts_with("waiting ") && text.contains(expected), "{data:?}: {text}");
            assert!(!text.contains("sesame"), "{text}");
        }
    });
}

#[test]
fn nonsense_stops_nothing_that_runs() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        let relation = sandbox.relation(DATABASE.0, DATABASE.1).unwrap();
        let endpoints = sandbox.databag(relation, "postgresql-k8s")["endpoints"].clone();
        sandbox.set_databag(relation, "postgresql-k8s", &[("endpoints", "::::")]).await.unwrap();
        assert!(status(&sandbox, 0).contains("::::"), "{}", status(&sandbox, 0));
        assert!(is_active(&sandbox, 0, "kratos").await);
        sandbox.set_databag(relation, "postgresql-k8s", &[("endpoints", &endpoints)]).await.unwrap();
        assert_eq!(status(&sandbox, 0), "active ");
    });
}

#[test]
fn weakness_15_new_credentials_and_endpoints_are_taken_over() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        let relation = sandbox.relation(DATABASE.0, DATABASE.1).unwrap();
        let bag = sandbox.databag(relation, "postgresql-k8s");
        let user = sandbox.secret(&bag["secret-user"]).unwrap();
        let admin = session(&sandbox).await;
        admin.batch_execute(&format!("ALTER ROLE {} PASSWORD 'n/e@w:1%'", user["username"])).await.unwrap();
        let revised: Vec<(&str, &str)> = user
            .iter()
            .map(|(key, value)| (key.as_str(), if key == "password" { "n/e@w:1%" } else { value.as_str() }))
            .collect();
        sandbox.revise_secret(&bag["secret-user"], &revised).await.unwrap();
        assert_eq!(status(&sandbox, 0), "active ", "secret-changed is enough");
        assert!(environment(&sandbox, 0, "DSN").await.contains(":n%2Fe%40w%3A1%25@"));

        let several = format!("127.0.0.1:1,{}", bag["endpoints"]);
        sandbox.set_databag(relation, "postgresql-k8s", &[("endpoints", &several)]).await.unwrap();
        assert_eq!(status(&sandbox, 0), "active ", "the second endpoint serves");
        register(&sandbox, 0, "ada@example.com").await;
    });
}
