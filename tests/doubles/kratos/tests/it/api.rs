//! Identities, sessions and recovery over HTTP, on every release.

use serde_json::{Value, json};

use super::world::*;

#[tokio::test(flavor = "multi_thread")]
async fn every_release_keeps_identities_in_its_own_tables() {
    let world = World::new();
    for release in [OLD, MIDDLE, NEW] {
        let database = world.database(&format!("db_{}", &release[1..3].replace('.', ""))).await;
        database.migrate(release);
        let server = Served::start(&world, release, release, &database, |_| {}).listening().await;
        let version = server.get("/admin/version").await.unwrap();
        assert_eq!(version, (200, json!({ "version": release })));
        let (status, made) = server.create("A@Example.test").await;
        assert_eq!((status, &made["state"]), (201, &json!("active")), "{made}");
        let id = made["id"].as_str().unwrap().to_owned();
        let path = format!("/admin/identities/{id}");

        let (status, twin) = server.create("a@example.test").await;
        assert_eq!((status, &twin["error"]["code"]), (409, &json!(409)), "{twin}");
        let found = server.get("/admin/identities?credentials_identifier=a@example.test").await.unwrap().1;
        assert_eq!(found[0]["credentials"]["password"]["identifiers"], json!(["a@example.test"]));
        assert!(found[0]["credentials"]["password"]["config"].is_null());
        let secret = server.get(&format!("{path}?include_credential=password")).await.unwrap().1;
        assert!(secret["credentials"]["password"]["config"]["hashed_password"].is_string());

        let patch = json!([{ "op": "add", "path": "/traits/name", "value": "N" }, { "op": "add", "path": "/metadata_admin", "value": { "k": 1 } }]);
        let (status, patched) = server.send("PATCH", &path, Some(patch.to_string())).await.unwrap();
        assert_eq!(
            (status, &patched["traits"]["name"], &patched["metadata_admin"]),
            (200, &json!("N"), &json!({ "k": 1 }))
        );
        let body = json!({ "schema_id": "default", "traits": { "email": "b@example.test" } });
        let (status, _) = server.send("PUT", &path, Some(body.to_string())).await.unwrap();
        let now = server.get(&path).await.unwrap().1;
        assert_eq!(
            (status, &now["metadata_admin"], &now["recovery_addresses"][0]["value"]),
            (200, &Value::Null, &json!("b@example.test"))
        );

        let (status, signed_in) = server.login("b@example.test").await;
        assert_eq!((status, &signed_in["session"]["identity"]["id"]), (200, &json!(id)), "{signed_in}");
        let sessions = format!("{path}/sessions");
        assert_eq!(server.get(&sessions).await.unwrap().1.as_array().map(Vec::len), Some(1));
        assert_eq!(server.send("DELETE", &sessions, None).await.unwrap().0, 204);
        assert_eq!(server.send("DELETE", &sessions, None).await.unwrap().0, 404);
        assert_eq!(server.get("/sessions/whoami").await.unwrap().0, 401);

        let ask = json!({ "identity_id": id, "expires_in": "12h" });
        let (status, code) = server.post("/admin/recovery/code", ask.clone()).await;
        assert_eq!((status, code["recovery_code"].as_str().map(str::len)), (201, Some(6)), "{code}");
        let (status, link) = server.post("/admin/recovery/link", ask).await;
        assert!(status == 200 && link["recovery_link"].as_str().unwrap().contains("&token="), "{link}");

        let last = server.send("DELETE", &format!("{path}/credentials/password"), None).await.unwrap();
        assert_eq!(
            (last.0, &last.1["error"]["reason"]),
            (400, &json!("You cannot remove the last first factor credential."))
        );
        assert_eq!(server.send("DELETE", &path, None).await.unwrap().0, 204);
        assert_eq!(server.get(&path).await.unwrap().0, 404);
        assert_eq!(server.get("/admin/identities/abc").await.unwrap().0, 404);

        // Only the newest answers admin paths that lack the prefix.
        let bare = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let bare = bare.get(format!("{}/health/ready", server.admin)).send().await.unwrap();
        assert_eq!(bare.status().as_u16(), if release == NEW { 200 } else { 307 });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_one_another() {
    let world = World::new();
    let database = world.database("db").await;
    database.migrate(NEW);
    let server = Served::start(&world, "serve", NEW, &database, |_| {}).listening().await;
    for index in 0..5 {
        assert_eq!(server.create(&format!("{index}@example.test")).await.0, 201);
    }
    let (mut seen, mut token) = (Vec::new(), String::new());
    for size in [2, 2, 1] {
        let page = server.get(&format!("/admin/identities?page_size=2&page_token={token}")).await.unwrap().1;
        let ids: Vec<_> =
            page.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(ids.len(), size);
        token = ids.last().unwrap().clone();
        seen.extend(ids);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_can_be_unlinked_while_another_way_in_remains() {
    let world = World::new();
    let database = world.database("db").await;
    database.migrate(NEW);
    let server = Served::start(&world, "serve", NEW, &database, |_| {}).listening().await;
    let providers =
        json!([{ "provider": "google", "subject": "1" }, { "provider": "google", "subject": "2" }]);
    let body = json!({ "traits": { "email": "o@example.test" }, "credentials": { "oidc": { "config": { "providers": providers } } } });
    let (status, made) = server.post("/admin/identities", body).await;
    assert_eq!(
        (status, &made["credentials"]["oidc"]["identifiers"]),
        (201, &json!(["google:1", "google:2"]))
    );
    let path = format!("/admin/identities/{}/credentials", made["id"].as_str().unwrap());
    let delete = async |rest: &str| server.send("DELETE", &format!("{path}/{rest}"), None).await.unwrap();
    for (rest, status, reason) in [
        ("oidc", 400, "You must provide an identifier to delete this credential."),
        ("oidc?identifier=google:9", 404, "The identifier `google:9` was not found among OIDC credentials."),
        ("totp", 404, "You tried to remove a totp but this user have no totp set up."),
        ("code", 400, "Credentials type code cannot be deleted."),
    ] {
        let (got, body) = delete(rest).await;
        assert_eq!((got, &body["error"]["reason"]), (status, &json!(reason)));
    }
    assert_eq!(delete("oidc?identifier=google:1").await.0, 204);
    assert_eq!(delete("oidc?identifier=google:2").await.0, 400);
}
