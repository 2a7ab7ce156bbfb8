//! Each action against a stand-in of the admin API that answers as told: what is shown is a golden file.
//!
//! `UPDATE_GOLDEN=1 cargo test` writes the file anew.

mod many;
mod stand_in;

use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};

use super::context::{ActionError, ActionOutput, IdentityAction, Parameters};
use super::{ACTIONS, show};
use crate::juju::transport::Call;
use crate::juju::{Agent, CommandOutput, Transport};
use crate::kratos::Place;
use crate::kratos::admin::Admin;
use crate::pebble::Client;
use crate::postgres::Dsn;
use stand_in::{Reply, StandIn};

const ID: &str = "4d3c6796-293e-45b3-85dd-0777f841b9a4";
const OTHER: &str = "202a3877-4bb2-4316-8a5e-f59991ce68a9";
const SECRET: &str = "secret:9m4e2mr0ui3e8a215n4g";
const PASSWORD: &str = "correct horse battery staple";

/// An agent that knows the parameters and one secret, and notes what is shown.
struct Shown {
    parameters: String,
    secret: Result<String, &'static str>,
    text: Mutex<String>,
}

impl Transport for Shown {
    fn call<'a>(&'a self, command: &'a str, args: &'a [&'a str], _: Option<&'a [u8]>) -> Call<'a> {
        let printed = |text: &str| CommandOutput { stdout: text.into(), ..CommandOutput::default() };
        let output = match command {
            "action-get" => printed(&self.parameters),
            "secret-get" => match &self.secret {
                Ok(content) => printed(content),
                Err(text) => CommandOutput { code: 1, stderr: (*text).into(), ..CommandOutput::default() },
            },
            _ => {
                let mut shown = self.text.lock().unwrap();
                for arg in args.iter().filter(|arg| **arg != "--") {
                    *shown += &format!("{command} {}\n", arg.replace('\n', "\n    "));
                }
                CommandOutput::default()
            }
        };
        Box::pin(std::future::ready(Ok(output)))
    }
}

fn identity() -> Value {
    json!({
        "id": ID,
        "credentials": {
            "oidc": {"type": "oidc", "identifiers": ["google:1", "github:2"], "version": 0},
            "password": {"type": "password", "identifiers": ["ada@example.com"], "config": {"hashed_password": "$2a$12$x"}},
            "webauthn": {"type": "webauthn", "identifiers": ["ada@example.com"], "config": {"user_handle": "oFC4wc=="}},
        },
        "schema_id": "social_user_v0",
        "state": "inactive",
        "traits": {"email": "ada@example.com", "givenName": "Ada", "phone_number": "1"},
        "recovery_addresses": [{"value": "ada@example.com", "via": "email"}],
        "metadata_public": null,
        "metadata_admin": {"note": "first"},
        "external_id": "ext-1",
    })
}

fn problem(code: u16, reason: &str) -> Reply {
    Reply::json(code, &json!({"error": {"code": code, "status": "S", "reason": reason, "message": "M"}}))
}

/// A Kratos in which all is well.
fn well(method: &str, path: &str) -> Reply {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let one = format!("/admin/identities/{ID}");
    match (method, path) {
        ("GET", "/admin/identities") if query == "credentials_identifier=ada%40example.com" => {
            Reply::json(200, &json!([identity()]))
        }
        ("GET", "/admin/identities") if query == "credentials_identifier=two%40example.com" => {
            Reply::json(200, &json!([{"id": ID}, {"id": OTHER}]))
        }
        ("GET", "/admin/identities") => Reply::json(200, &json!([])),
        ("POST", "/admin/identities") => Reply::json(201, &json!({"id": ID})),
        ("POST", "/admin/recovery/code") => Reply::json(
            201,
            &json!({"recovery_link": "http://ui/recovery?flow=1", "recovery_code": "332001", "expires_at": "soon"}),
        ),
        ("GET", "/schemas") => {
            let traits = json!({"username": {"type": "string"}, "email": {"type": "string"}});
            Reply::json(
                200,
                &json!([{"id": "admin_v0", "schema": {"properties": {"traits": {"properties": traits}}}}]),
            )
        }
        ("GET" | "PUT", path) if path == one => Reply::json(200, &identity()),
        ("DELETE", path) if path.starts_with(&one) => Reply { code: 204, ..Reply::default() },
        _ => problem(404, "Unable to locate the resource"),
    }
}

fn nobody(method: &str, path: &str) -> Reply {
    match method {
        "GET" if path.starts_with("/admin/identities?") => Reply::json(200, &json!([])),
        _ if path.starts_with("/schemas") => well(method, path),
        _ => problem(404, "Unable to locate the resource"),
    }
}

/// All is well, but what should go is not there.
fn nothing_to_remove(method: &str, path: &str) -> Reply {
    if method == "DELETE" {
        problem(404, "You tried to remove what is not set up.")
    } else {
        well(method, path)
    }
}

fn broken(_: &str, _: &str) -> Reply {
    problem(500, "cannot execute INSERT in a read-only transaction (SQLSTATE 25006)")
}

fn slow(_: &str, _: &str) -> Reply {
    Reply { delay: Duration::from_secs(5), ..Reply::default() }
}

fn refusing(method: &str, path: &str) -> Reply {
    match method {
        "GET" => well(method, path),
        _ if path == "/admin/recovery/code" => problem(404, "This endpoint was disabled."),
        "POST" if path == "/admin/identities" => problem(409, "This identity conflicts with another."),
        _ => problem(400, &format!("{PASSWORD} is not acceptable.")),
    }
}

/// Only the recovery of a Kratos that is well is switched off.
fn without_recovery(method: &str, path: &str) -> Reply {
    if path == "/admin/recovery/code" { refusing(method, path) } else { well(method, path) }
}

/// Kratos answers to a long password as if it had a fault itself.
fn with_bcrypt(method: &str, path: &str) -> Reply {
    match method {
        "PUT" | "POST" => problem(500, "I[#/password] S[] at most 72 characters are allowed"),
        _ => well(method, path),
    }
}

/// Kratos refuses or fails for reasons that are not the new password.
fn blameless(method: &str, path: &str) -> Reply {
    match method {
        "PUT" => problem(500, "FATAL: password authentication failed for user \"kratos\" (SQLSTATE 28P01)"),
        "POST" => problem(400, "I[#/traits/email] S[#/properties/traits] \"root\" is not valid \"email\""),
        _ => well(method, path),
    }
}

/// An identity with keys for login without a password.
fn keyed(method: &str, path: &str) -> Reply {
    let mut identity = identity();
    let config = json!({"credentials": [{"is_passwordless": true}]});
    identity["credentials"]["webauthn"] = json!({"type": "webauthn", "config": config});
    if method == "GET" { Reply::json(200, &identity) } else { well(method, path) }
}

/// An identity with one account and nothing else to sign in with.
fn with_one_account(method: &str, path: &str) -> Reply {
    let mut identity = identity();
    identity["credentials"] = json!({"oidc": {"type": "oidc", "identifiers": ["google:1"]}, "password": {"config": {}}, "webauthn": {"config": {}}});
    if method == "GET" { Reply::json(200, &identity) } else { well(method, path) }
}

fn no_json(_: &str, _: &str) -> Reply {
    Reply { code: 200, body: "<html>".into(), ..Reply::default() }
}

/// A Kratos that forgets the state at a PUT.
fn losing(method: &str, _: &str) -> Reply {
    static WRITTEN: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
    if method == "PUT" {
        WRITTEN.store(true, std::sync::atomic::Ordering::Relaxed);
    }
    let mut identity = identity();
    if WRITTEN.load(std::sync::atomic::Ordering::Relaxed) {
        identity["metadata_admin"] = Value::Null;
    }
    Reply::json(200, &identity)
}

/// Runs an action by its name in the table.
async fn act(action: &IdentityAction<'_>, parameters: &Parameters) -> Result<ActionOutput, ActionError> {
    let (_, run) = ACTIONS.iter().find(|(name, _)| *name == action.name).unwrap();
    run(action, parameters).await
}

type World = (&'static str, fn(&str, &str) -> Reply);

/// Runs an action in a world without a workload; what was shown, without what differs between two runs.
async fn shown(world: World, name: &str, parameters: Value, secret: Result<Value, &'static str>) -> String {
    shown_with(Client::new("/nowhere"), Place::pod(), None, world, name, parameters, secret).await
}

/// The same with a workload and, perhaps, a database.
async fn shown_with(
    pebble: Client,
    place: Place,
    dsn: Option<Dsn>,
    world: World,
    name: &str,
    parameters: Value,
    secret: Result<Value, &'static str>,
) -> String {
    let server = StandIn::start(world.1);
    if world.0 == "service down" {
        server.stop();
    }
    let transport = std::sync::Arc::new(Shown {
        parameters: parameters.to_string(),
        secret: secret.map(|content| content.to_string()),
        text: Mutex::default(),
    });
    let agent = Agent::with_transport(transport.clone());
    let base = format!("http://{}", server.address);
    // Only a server that is meant to be late may be late, however busy the machine is.
    let limit = if world.0 == "slow server" { Duration::from_millis(700) } else { Duration::from_secs(30) };
    let action = IdentityAction {
        agent: &agent,
        admin: Admin::at(base.clone(), base, limit),
        pebble,
        place,
        dsn,
        application: "kratos".to_owned(),
        unit: "kratos/0".to_owned(),
        name: name.to_owned(),
    };
    let parameters: Parameters = agent.action_get().await.unwrap();
    show(&agent, act(&action, &parameters).await).await.unwrap();
    let text = transport.text.lock().unwrap().replace(&server.address.to_string(), "HOST:4434");
    assert!(!text.contains(PASSWORD) && !text.contains("$2a$"), "a secret is shown: {text}");
    format!("== {name} {parameters:?}, {}\n{text}\n", world.0)
}

/// Parameters and more of them.
fn with(base: &Value, more: Value) -> Value {
    let mut all = base.as_object().unwrap().clone();
    all.extend(more.as_object().unwrap().clone());
    Value::from(all)
}

#[tokio::test]
async fn every_action_in_every_world_shows_what_the_golden_file_says() {
    let id = json!({"identity-id": ID});
    let email = json!({"email": "ada@example.com"});
    let ok: World = ("all well", well);
    let absent: World = ("nobody there", nobody);
    let nothing: World = ("nothing to remove", nothing_to_remove);
    let troubles: [World; 4] =
        [("service down", well), ("slow server", slow), ("500", broken), ("no JSON", no_json)];
    let secret = || Ok(json!({"password": PASSWORD}));
    let mut text = String::new();

    let about_one = [
        ("get-identity", json!({})),
        ("delete-identity", json!({})),
        ("reset-password", json!({})),
        ("reset-password", json!({"password-secret-id": SECRET})),
        ("invalidate-identity-sessions", json!({})),
        ("reset-identity-mfa", json!({"mfa-type": "totp"})),
        ("list-oidc-accounts", json!({})),
        ("unlink-oidc-account", json!({"credential-id": "google:1"})),
    ];
    for (action, more) in &about_one {
        text += &shown(ok, action, with(&id, more.clone()), secret()).await;
        text += &shown(ok, action, with(&email, more.clone()), secret()).await;
        text += &shown(absent, action, with(&id, more.clone()), secret()).await;
        text += &shown(absent, action, with(&email, more.clone()), secret()).await;
        text += &shown(ok, action, with(&json!({"email": "two@example.com"}), more.clone()), secret()).await;
        for trouble in troubles {
            text += &shown(trouble, action, with(&id, more.clone()), secret()).await;
        }
    }
    text += &shown(troubles[2], "get-identity", email.clone(), secret()).await;
    for wrong in
        [json!({}), with(&id, email.clone()), json!({"identity-id": "../x"}), json!({"email": ["a"]})]
    {
        text += &shown(ok, "delete-identity", wrong, secret()).await;
    }
    for (action, more) in &about_one[4..] {
        text += &shown(nothing, action, with(&id, more.clone()), secret()).await;
    }
    text += &shown(ok, "reset-identity-mfa", with(&id, json!({"mfa-type": "password"})), secret()).await;
    for world in [ok, ("with a passwordless key", keyed)] {
        text +=
            &shown(world, "reset-identity-mfa", with(&id, json!({"mfa-type": "webauthn"})), secret()).await;
    }
    text += &shown(ok, "unlink-oidc-account", id.clone(), secret()).await;
    let account = json!({"credential-id": "google:1"});
    text +=
        &shown(("one account", with_one_account), "unlink-oidc-account", with(&id, account), secret()).await;
    text += &shown(("refusing", refusing), "reset-password", id.clone(), secret()).await;

    let by_secret = with(&id, json!({"password-secret-id": SECRET}));
    text += &shown(("refusing", refusing), "reset-password", by_secret.clone(), secret()).await;
    text += &shown(("losing", losing), "reset-password", by_secret.clone(), secret()).await;
    let long: &'static str = Box::leak(PASSWORD.repeat(3).into_boxed_str());
    let root = json!({"username": "root", "email": "root@example.com", "password-secret-id": SECRET});
    for world in [("bcrypt", with_bcrypt as fn(&str, &str) -> Reply), ("blameless", blameless)] {
        let secret = || Ok(json!({"password": long}));
        text += &shown(world, "reset-password", by_secret.clone(), secret()).await;
        text += &shown(world, "create-admin-account", root.clone(), secret()).await;
    }
    let denied = "ERROR permission denied\n";
    let unknown = "ERROR secret \"9m4e2mr0ui3e8a215n4g\" not found\n";
    for secret in [Ok(json!({"pass": PASSWORD})), Ok(json!({"password": "\n"})), Err(denied), Err(unknown)] {
        text += &shown(ok, "reset-password", by_secret.clone(), secret).await;
    }
    text += &shown(ok, "reset-password", with(&id, json!({"password-secret-id": "--label"})), secret()).await;

    let admin = json!({"username": "root", "email": "root@example.com"});
    let admin_by_secret = with(&admin, json!({"password-secret-id": SECRET}));
    text += &shown(ok, "create-admin-account", admin.clone(), secret()).await;
    text += &shown(ok, "create-admin-account", admin_by_secret.clone(), secret()).await;
    text += &shown(ok, "create-admin-account", with(&admin, json!({"name": "R"})), secret()).await;
    text += &shown(ok, "create-admin-account", json!({"username": "root"}), secret()).await;
    text += &shown(("refusing", refusing), "create-admin-account", admin.clone(), secret()).await;
    text += &shown(("recovery off", without_recovery), "create-admin-account", admin.clone(), secret()).await;
    for trouble in troubles {
        text += &shown(trouble, "create-admin-account", admin_by_secret.clone(), secret()).await;
    }

    assert_golden("actions.golden", &text);
}

/// That all of a text stands in a golden file beside this one.
#[expect(clippy::disallowed_methods, reason = "a developer asks for the new text")]
fn assert_golden(name: &str, text: &str) {
    let path = format!("{}/src/actions/identities/tests/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    for (number, (found, expected)) in text.lines().zip(golden.lines()).enumerate() {
        assert_eq!(found, expected, "line {} of {path}", number + 1);
    }
    assert_eq!(text.len(), golden.len(), "{path} ends elsewhere");
}

#[tokio::test]
async fn a_new_password_is_sent_with_everything_that_the_identity_has() {
    let server = StandIn::start(well);
    let base = format!("http://{}", server.address);
    let transport = std::sync::Arc::new(Shown {
        parameters: json!({"identity-id": ID, "password-secret-id": SECRET}).to_string(),
        // As `juju add-secret NAME password#file=FILE` keeps it.
        secret: Ok(json!({"password": format!("{PASSWORD}\n")}).to_string()),
        text: Mutex::default(),
    });
    let agent = Agent::with_transport(transport);
    let action = IdentityAction {
        agent: &agent,
        admin: Admin::at(base.clone(), base, Duration::from_secs(5)),
        pebble: Client::new("/nowhere"),
        place: Place::pod(),
        dsn: None,
        application: "kratos".to_owned(),
        unit: "kratos/0".to_owned(),
        name: "reset-password".to_owned(),
    };
    let parameters = agent.action_get().await.unwrap();
    act(&action, &parameters).await.unwrap();
    let requests = server.requests();
    let lines: Vec<&str> = requests.iter().map(|request| request.line.as_str()).collect();
    let one = format!("/admin/identities/{ID}");
    assert_eq!(lines, [format!("GET {one}"), format!("PUT {one}"), format!("GET {one}")]);
    let sent: Value = serde_json::from_slice(&requests[1].body).unwrap();
    for name in ["schema_id", "traits", "state", "metadata_admin", "external_id"] {
        assert_eq!(sent[name], identity()[name], "{name}");
    }
    assert_eq!(sent["credentials"], json!({"password": {"config": {"password": PASSWORD}}}));
}
