//! Roles, databases and secrets that the stand-in makes for a relation.

use sandbox::postgres::Cluster;
use tempfile::TempDir;
use tokio_postgres::{Client, Error, NoTls};

use super::model::{Bag, Model};

const CHANGED: &str = "database-relation-changed";
const BROKEN: &str = "database-relation-broken";
const SECRETS: (&str, &str) = ("requested-secrets", r#"["username","password","tls","tls-ca","uris"]"#);

/// A directory with a running cluster.
fn cluster() -> (TempDir, Cluster) {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(&dir.path().join("pg"), "127.0.0.1").unwrap();
    (dir, cluster)
}

async fn connect(dsn: &str) -> Result<Client, Error> {
    let (client, connection) = tokio_postgres::connect(dsn, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn text(client: &Client, sql: &str) -> String {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// A session with the credentials that a requirer reads.
async fn session(bag: &Bag, credentials: &Bag) -> Result<Client, Error> {
    let (user, password) = (&credentials["username"], &credentials["password"]);
    connect(&format!("postgresql://{user}:{password}@{}/{}", bag["endpoints"], bag["database"])).await
}

async fn superuser(cluster: &Cluster, sql: &str) -> String {
    text(&connect(&cluster.superuser_dsn("postgres")).await.unwrap(), sql).await
}

#[tokio::test]
async fn a_relation_gets_a_role_that_owns_its_database_through_granted_secrets() {
    let (_dir, cluster) = cluster();
    let model = Model::new(&cluster.superuser_dsn("postgres"));
    model.relate("database:7", &[("database", "idp_kratos"), SECRETS, ("extra-user-roles", "SUPERUSER")]);
    model.run(CHANGED, "database:7").await;

    let bag = model.own("database:7");
    assert_eq!(
        bag.keys().collect::<Vec<_>>(),
        ["data", "database", "endpoints", "secret-tls", "secret-user", "version"]
    );
    assert_eq!(bag["endpoints"], format!("{}:{}", cluster.host(), cluster.port()));
    assert_eq!((bag["database"].as_str(), bag["version"].as_str()), ("idp_kratos", cluster.version()));
    let seen: Bag = serde_json::from_str(&bag["data"]).unwrap();
    assert_eq!(seen["extra-user-roles"], "SUPERUSER");
    let credentials = model.content(&bag["secret-user"]);
    assert_eq!(credentials["username"], "relation_id_7");
    assert_eq!(model.content(&bag["secret-tls"])["tls"], "False");
    {
        let world = model.world.lock().unwrap();
        let secret = &world.secrets[&bag["secret-user"]];
        assert_eq!((secret.label.as_str(), secret.revision), ("database.7.user.secret", 1));
        assert_eq!(secret.granted, ["database:7"]);
        assert_eq!(world.version, cluster.version());
    }
    assert_eq!(model.status(), ("active".into(), String::new()));

    let client = session(&bag, &credentials).await.unwrap();
    client.batch_execute("CREATE EXTENSION pg_trgm; CREATE TABLE identities (id int)").await.unwrap();
    let owner = "SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = current_database()";
    assert_eq!(text(&client, owner).await, "relation_id_7");

    // Nothing moves when nothing changed; only the secret of TLS when that changed.
    model.run("update-status", "").await;
    assert_eq!(model.own("database:7"), bag);
    model
        .world
        .lock()
        .unwrap()
        .config
        .extend([("tls".into(), "true".into()), ("tls-ca".into(), "PEM\nPEM".into())]);
    model.run("config-changed", "").await;
    assert_eq!(model.own("database:7"), bag);
    assert_eq!(model.content(&bag["secret-user"]), credentials);
    assert_eq!(model.world.lock().unwrap().secrets[&bag["secret-user"]].revision, 1);
    let tls = model.content(&bag["secret-tls"]);
    assert_eq!((tls["tls"].as_str(), tls["tls-ca"].as_str()), ("True", "PEM\nPEM"));
}

#[tokio::test]
async fn an_ordinary_role_may_create_tables_but_no_more() {
    let (_dir, cluster) = cluster();
    let model = Model::new(&cluster.superuser_dsn("postgres"));
    model.world.lock().unwrap().config.insert("endpoints".into(), "db.example:1".into());
    model.relate("database:1", &[("database", "with \"quotes\" 'n all")]);
    model.run(CHANGED, "database:1").await;
    let mut bag = model.own("database:1");
    assert_eq!(bag["endpoints"], "db.example:1");
    assert_eq!(model.world.lock().unwrap().secrets.len(), 0);
    assert_eq!((bag["username"].as_str(), bag["tls"].as_str()), ("relation_id_1", "False"));
    assert!(bag["uris"].starts_with("postgresql://relation_id_1:"));

    // The name cannot stand in a connection string as it is.
    bag.insert("endpoints".into(), format!("{}:{}", cluster.host(), cluster.port()));
    bag.insert("database".into(), "with%20%22quotes%22%20%27n%20all".into());
    let client = session(&bag, &bag).await.unwrap();
    client.batch_execute("CREATE TABLE t (id int)").await.unwrap();
    let refused = client.batch_execute("CREATE ROLE another").await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "42501");

    // Too late: an answer in plain text stays one.
    model
        .world
        .lock()
        .unwrap()
        .relations
        .get_mut("database:1")
        .unwrap()
        .remote
        .insert(SECRETS.0.into(), SECRETS.1.into());
    let password = model.own("database:1")["password"].clone();
    model.run(CHANGED, "database:1").await;
    assert_eq!(model.own("database:1")["password"], password);
    assert!(!model.own("database:1").contains_key("secret-user"));
}

#[tokio::test]
async fn a_broken_relation_loses_its_role_and_the_next_one_gets_the_data() {
    let (_dir, cluster) = cluster();
    let model = Model::new(&cluster.superuser_dsn("postgres"));
    for (id, database) in [("database:1", "shared"), ("database:2", "other"), ("database:3", "shared")] {
        model.relate(id, &[("database", database)]);
    }
    model.run("database-relation-created", "database:1").await;
    let (first, third) = (model.own("database:1"), model.own("database:3"));
    let client = session(&first, &first).await.unwrap();
    client.batch_execute("CREATE TABLE kept AS SELECT 42 AS n; CREATE SCHEMA more").await.unwrap();
    // The second relation of the same database sees the first one's tables.
    session(&third, &third).await.unwrap().batch_execute("INSERT INTO kept VALUES (43)").await.unwrap();

    model.run(BROKEN, "database:1").await;
    model.world.lock().unwrap().relations.remove("database:1");
    assert!(session(&first, &first).await.is_err());
    let roles = "SELECT string_agg(rolname::text, ' ' ORDER BY rolname) FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%'";
    // The third relation was served in the same hook and took the database over.
    assert_eq!(superuser(&cluster, roles).await, "operator relation_id_2 relation_id_3");

    model.run(BROKEN, "database:3").await;
    model.world.lock().unwrap().relations.remove("database:3");
    assert_eq!(superuser(&cluster, roles).await, "keeper_of_shared operator relation_id_2");
    model.run(BROKEN, "database:3").await;

    model.relate("database:9", &[("database", "shared")]);
    model.run(CHANGED, "database:9").await;
    assert_eq!(superuser(&cluster, roles).await, "operator relation_id_2 relation_id_9");
    let ninth = model.own("database:9");
    let client = session(&ninth, &ninth).await.unwrap();
    assert_eq!(text(&client, "SELECT string_agg(n::text, ' ' ORDER BY n) FROM kept").await, "42 43");
    client.batch_execute("ALTER TABLE kept ADD COLUMN more text; CREATE TABLE more.t ()").await.unwrap();
}

#[tokio::test]
async fn bad_requests_are_treated_as_the_real_charm_treats_them() {
    let (_dir, cluster) = cluster();
    let model = Model::new(&cluster.superuser_dsn("postgres"));
    for (remote, message) in [
        (("database", "postgres"), "invalid database name: postgres"),
        (("extra-user-roles", "wizard"), "invalid role(s) for extra user roles"),
    ] {
        model.relate("database:1", &[("database", "good"), remote]);
        model.run(CHANGED, "database:1").await;
        assert_eq!(model.status(), ("blocked".into(), message.into()));
        assert_eq!(model.own("database:1"), Bag::new());
    }

    model.relate("database:1", &[("database", "good"), ("requested-secrets", "[")]);
    let output = model.hook(CHANGED, "database:1").await;
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(
        complaint.starts_with("ERROR relation database:1: requested-secrets is no JSON list"),
        "{complaint}"
    );

    model.relate("database:1", &[("database", "good"), SECRETS]);
    model.world.lock().unwrap().leader = false;
    model.run(CHANGED, "database:1").await;
    assert_eq!(model.own("database:1"), Bag::new());
    assert_eq!(model.status(), ("active".into(), String::new()));
}
