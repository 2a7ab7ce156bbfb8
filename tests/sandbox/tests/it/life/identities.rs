//! The actions on identities, by the real binary on a Kratos with a real database.

use sandbox::Sandbox;
use serde_json::{Value, json};

use super::support::*;

const PASSWORD: &str = "correct horse battery staple";

/// A call of a unit's admin API that has to succeed.
async fn call(sandbox: &Sandbox, method: &str, path: &str, body: Option<Value>) -> Value {
    let response = http().request(method.parse().unwrap(), format!("{}{path}", admin(sandbox, 0)));
    let response = match body {
        Some(body) => response.json(&body),
        None => response,
    };
    let response = response.send().await.unwrap();
    assert!(response.status().is_success(), "{method} {path}: {}", response.status());
    response.json().await.unwrap_or_default()
}

/// How many processes Pebble was asked to run beside the services.
async fn processes(sandbox: &Sandbox) -> usize {
    let changes = pebble_says(sandbox, 0, "changes?select=all").await;
    changes.as_array().unwrap().iter().filter(|change| change["kind"] == "exec").count()
}

/// Makes an identity with everything that one can have; its id.
async fn rich(sandbox: &Sandbox, email: &str) -> String {
    let body = json!({
        "schema_id": "social_user_v0",
        "traits": {"email": email, "given_name": "Ada"},
        "state": "inactive",
        "metadata_public": {"theme": "dark"},
        "metadata_admin": {"ticket": 4},
        "external_id": format!("external-{email}"),
        "credentials": {
            "password": {"config": {"password": "the first password"}},
            "oidc": {"config": {"providers": [{"provider": "google", "subject": email}]}},
        },
    });
    call(sandbox, "POST", "", Some(body)).await["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_new_password_leaves_everything_else_as_it_was() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        let id = rich(&sandbox, "ada@example.com").await;
        let whole = format!("/{id}?include_credential=password&include_credential=oidc");
        let before = call(&sandbox, "GET", &whole, None).await;

        // Juju denies whoever was not granted a secret, whosever it is.
        let uri = sandbox.add_secret("postgresql-k8s", &[("password", PASSWORD)]).unwrap();
        let reset = format!("run kratos/0 reset-password identity-id={id} password-secret-id={uri}");
        let text = action_fails(&sandbox, &reset).await;
        assert!(text.contains("juju grant-secret ") && text.contains(" kratos"), "{text}");
        assert_eq!(call(&sandbox, "GET", &whole, None).await, before, "a refused action changes nothing");

        grant(&sandbox, &uri);
        let mut shown = juju(&sandbox, &reset).await;
        assert!(shown.contains("Password was changed successfully"), "{shown}");
        let mut after = call(&sandbox, "GET", &whole, None).await;
        let hash = after["credentials"]["password"]["config"]["hashed_password"].as_str().unwrap().to_owned();
        assert_ne!(hash, before["credentials"]["password"]["config"]["hashed_password"]);
        // What is new is the hash, and when it was made.
        after["credentials"]["password"] = before["credentials"]["password"].clone();
        after["updated_at"] = before["updated_at"].clone();
        assert_eq!(after, before);

        shown += &juju(&sandbox, "debug-log --limit 100000").await;
        for line in sandbox.log() {
            shown += &line.text;
        }
        for call in sandbox.trace().iter().filter(|call| call.unit.starts_with("kratos/")) {
            shown += &call.args.join(" ");
        }
        let log = sandbox.container("kratos/0").unwrap().lock().unwrap().log();
        shown += &std::fs::read_to_string(log).unwrap();
        assert!(!shown.contains(PASSWORD) && !shown.contains(&hash), "a password or its hash is shown");
    });
}

#[test]
fn one_is_found_by_any_address_and_managed() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        let id = rich(&sandbox, "ada@example.com").await;
        let run = async |line: &str| juju(&sandbox, &format!("run kratos/0 {line}")).await;
        let fails = async |line: &str| action_fails(&sandbox, &format!("run kratos/0 {line}")).await;

        let before = processes(&sandbox).await;
        let text = run("get-identity email=ada@example.com").await;
        assert_eq!(processes(&sandbox).await, before, "a serving Kratos is asked, and no second one started");
        for expected in ["given-name: Ada", "ticket: ", "external-id: external-ada@example.com", &id] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
        assert!(!text.contains("hashed_password"), "{text}");
        let text = run(&format!("list-oidc-accounts identity-id={id}")).await;
        assert!(text.contains("google:ada@example.com"), "{text}");

        // Whoever signs in through a provider only has the address, and no identifier.
        let session = session(&sandbox).await;
        let unlist = "DELETE FROM identity_credential_identifiers WHERE identifier = 'ada@example.com'";
        session.execute(unlist, &[]).await.unwrap();
        let found = call(&sandbox, "GET", "?credentials_identifier=ada@example.com", None).await;
        assert_eq!(found, json!([]), "the API does not find it");
        assert!(run("get-identity email=Ada@Example.com").await.contains(&id));
        let addresses = "DELETE FROM identity_recovery_addresses; \
            UPDATE identity_verifiable_addresses SET verified = true";
        session.batch_execute(addresses).await.unwrap();
        assert!(run("get-identity email=ada@example.com").await.contains(&id), "by a verified address");
        session.batch_execute("UPDATE identity_verifiable_addresses SET verified = false").await.unwrap();
        let text = fails("get-identity email=ada@example.com").await;
        assert!(text.contains("Identity not found for email"), "an address that anybody may claim: {text}");

        let text = run(&format!("invalidate-identity-sessions identity-id={id}")).await;
        assert!(text.contains("has no sessions"), "{text}");
        let text = run(&format!("reset-identity-mfa identity-id={id} mfa-type=totp")).await;
        assert!(text.contains("has no totp credentials"), "{text}");
        let keys = "INSERT INTO identity_credentials (id, nid, identity_id, identity_credential_type_id, config, version, \
            created_at, updated_at) SELECT gen_random_uuid(), i.nid, i.id, t.id, \
            '{\"credentials\": [{\"is_passwordless\": false}, {\"is_passwordless\": true}]}', 1, now(), now() \
            FROM identities i, identity_credential_types t WHERE t.name = 'webauthn'";
        session.execute(keys, &[]).await.unwrap();
        let text = run(&format!("reset-identity-mfa identity-id={id} mfa-type=webauthn")).await;
        assert!(text.contains("without a password stay"), "{text}");
        let held = call(&sandbox, "GET", &format!("/{id}?include_credential=webauthn"), None).await;
        // A key is shown with more than was written.
        let held = held["credentials"]["webauthn"]["config"]["credentials"].as_array().unwrap();
        let held: Vec<&Value> = held.iter().map(|key| &key["is_passwordless"]).collect();
        assert_eq!(held, [true]);
        let unlink = format!("unlink-oidc-account identity-id={id} credential-id=google:ada@example.com");
        let text = run(&unlink).await;
        assert!(text.contains("Successfully unlinked"), "{text}");
        assert!(run(&unlink).await.contains("has no OIDC account"));

        let text = run(&format!("delete-identity identity-id={id}")).await;
        assert!(text.contains(&format!("id: {id}")), "{text}");
        let text = fails(&format!("delete-identity identity-id={id}")).await;
        assert!(text.contains("does not exist"), "{text}");
    });
}

#[test]
fn an_administrator_is_made_and_nothing_is_done_while_kratos_is_down() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        let create = "run kratos/0 create-admin-account username=root email=root@example.com";
        let text = juju(&sandbox, create).await;
        for expected in ["identity-id: ", "schema-id: ", "recovery-link: ", "recovery-code: "] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
        for expected in ["Recovery is off", "juju run kratos/0 reset-password identity-id="] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
        let text = juju(&sandbox, "run kratos/0 reset-password email=root@example.com").await;
        assert!(text.contains("recovery-code: ") && text.contains("Recovery is off"), "{text}");
        let text = action_fails(&sandbox, create).await;
        assert!(text.contains("The account already exists"), "{text}");
        let uri = sandbox.add_secret("postgresql-k8s", &[("password", "sesame-open")]).unwrap();
        grant(&sandbox, &uri);
        let second = "run kratos/0 create-admin-account username=toor email=toor@example.com";
        let text = juju(&sandbox, &format!("{second} password-secret-id={uri}")).await;
        assert!(text.contains("identity-id: ") && !text.contains("sesame-open"), "{text}");

        let all = call(&sandbox, "GET", "", None).await;
        stop_kratos(&sandbox).await;
        for action in ["get-identity email=root@example.com", "delete-identity email=root@example.com"] {
            let text = action_fails(&sandbox, &format!("run kratos/0 {action}")).await;
            assert!(
                text.contains("Service is not ready. Please re-run the action when the charm is active"),
                "{text}"
            );
            stop_kratos(&sandbox).await;
        }
        sandbox.fire("kratos/0", "update-status").await.unwrap();
        assert_eq!(call(&sandbox, "GET", "", None).await, all);
    });
}

async fn stop_kratos(sandbox: &Sandbox) {
    pebble(sandbox, 0).stop(&["kratos"]).await.unwrap();
    eventually("Kratos is stopped", async || !is_active(sandbox, 0, "kratos").await).await;
}

/// What `juju grant-secret` does.
fn grant(sandbox: &Sandbox, uri: &str) {
    let relation = sandbox.relation(DATABASE.0, DATABASE.1).unwrap();
    sandbox.grant_secret(uri, relation, "kratos").unwrap();
}
