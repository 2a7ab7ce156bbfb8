//! The actions on many identities, with a file in a workload, in every world: what is shown is a golden file.

use std::fs;
use std::path::Path;

use pebble_double::{Options, serve};
use serde_json::{Value, json};

use super::stand_in::Reply;
use super::{
    ID, OTHER, World, assert_golden, broken, identity, no_json, problem, refusing, shown_with, slow, well,
};
use crate::juju::Environment;
use crate::kratos::Place;
use crate::pebble::Client;
use crate::postgres::Dsn;

/// A workload without services: a Pebble and a directory that stands for its root.
struct Workload {
    pebble: Client,
    place: Place,
    root: tempfile::TempDir,
}

impl Workload {
    async fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        let (directory, socket) = (root.path().to_owned(), root.path().join("socket"));
        let options = Options { directory, socket: socket.clone(), create_dirs: true, hold: true };
        tokio::spawn(async move { serve(&options, std::future::pending()).await });
        let pebble = Client::new(socket);
        while pebble.plan().await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let root_path = root.path().to_str().unwrap();
        let place = Place::from_environment(&Environment::from([("KRATOS_OPERATOR_ROOT", root_path)]));
        Self { pebble, place, root }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.root.path().join(name.trim_start_matches('/'))
    }

    /// What an action shows, and the files that are there afterwards.
    async fn shown(&self, world: World, action: &str, parameters: Value) -> String {
        let (pebble, place) = (self.pebble.clone(), self.place.clone());
        let text = shown_with(pebble, place, None, world, action, parameters, Err("none")).await;
        let text = text.replace(self.root.path().to_str().unwrap(), "");
        let mut files: Vec<String> = files(&self.path("/tmp"));
        files.sort();
        format!("{}files: {}\n\n", text.trim_end_matches('\n').to_owned() + "\n", files.join(" "))
    }
}

fn files(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// A Kratos with two identities, of which one has no second factor.
fn two(method: &str, path: &str) -> Reply {
    let another = json!({"id": OTHER, "schema_id": "admin_v0", "state": "active", "traits": {"username": "root"},
        "credentials": {"totp": {"type": "totp"}}});
    match (method, path.split_once('?')) {
        ("GET", Some(("/admin/identities", "page_size=1"))) => {
            Reply { next: Some("dG9rZW4"), ..Reply::json(200, &json!([identity()])) }
        }
        ("GET", Some(("/admin/identities", query))) if query.starts_with("page_size=") => {
            Reply::json(200, &json!([identity(), another]))
        }
        ("GET", Some((path, _))) if path.ends_with(OTHER) => Reply::json(200, &another),
        ("GET", Some((path, _))) if path.ends_with(ID) => Reply::json(200, &identity()),
        _ if path.starts_with("/schemas") => schemas(),
        _ => well(method, path),
    }
}

fn schemas() -> Reply {
    Reply::json(200, &json!([{"id": "admin_v0", "schema": {}}, {"id": "social_user_v0", "schema": {}}]))
}

/// Nobody can be created, as all conflict with those that are there.
fn conflicting(method: &str, path: &str) -> Reply {
    match method {
        _ if path.starts_with("/schemas") => schemas(),
        "GET" if path.contains("%00") => unstorable(method, path),
        _ => refusing(method, path),
    }
}

/// Schemas can be listed and nothing can be created, by a fault.
fn full(method: &str, path: &str) -> Reply {
    if method == "POST" { problem(500, "could not extend file (SQLSTATE 53100)") } else { two(method, path) }
}

/// The database cannot hold what it is given.
fn unstorable(method: &str, path: &str) -> Reply {
    let reason = "ERROR: value too long for type character varying(255) (SQLSTATE 22001)";
    match method {
        "POST" => problem(500, reason),
        "GET" if path.contains("%00") => problem(500, "ERROR: invalid byte sequence (SQLSTATE 22021)"),
        _ => two(method, path),
    }
}

const LINES: &str = "/tmp/identities.jsonl";
const TROUBLES: [World; 4] =
    [("service down", two), ("slow server", slow), ("500", broken), ("no JSON", no_json)];

fn lines(all: &[Value]) -> String {
    all.iter().map(|line| format!("{line}\n")).collect()
}

async fn list(workload: &Workload) -> String {
    let mut text = String::new();
    for parameters in [
        json!({}),
        json!({"page-size": 1}),
        json!({"state": "inactive"}),
        json!({"schema-id": "admin_v0"}),
        json!({"state": "gone"}),
        json!({"page-size": 0}),
        json!({"page-size": "many"}),
        json!({"page-token": ["a"]}),
    ] {
        text += &workload.shown(("all well", two), "list-identities", parameters).await;
    }
    text += &workload.shown(("nobody there", super::nobody), "list-identities", json!({})).await;
    for trouble in TROUBLES {
        text += &workload.shown(trouble, "list-identities", json!({})).await;
    }
    text
}

#[tokio::test]
async fn every_action_on_many_in_every_world_shows_what_the_golden_file_says() {
    let workload = Workload::start().await;
    let ok: World = ("all well", two);
    let mut text = list(&workload).await;

    for trouble in TROUBLES {
        text += &workload.shown(trouble, "export-identities", json!({})).await;
    }
    for parameters in [
        json!({"dry-run": true}),
        json!({"path": "/etc/passwd"}),
        json!({"path": "x.jsonl"}),
        json!({"path": "/tmp/of today;reboot.jsonl"}),
        json!({"path": "/tmp/ü.jsonl"}),
        json!({"timeout": 0}),
        json!({"dry-run": "perhaps"}),
        json!({}),
    ] {
        text += &workload.shown(ok, "export-identities", parameters).await;
    }
    let exported = fs::read_to_string(workload.path(LINES)).unwrap();
    assert_eq!(exported.lines().count(), 2);
    assert!(exported.contains("$2a$12$x"), "the hash is in the file");

    text += &workload.shown(ok, "import-identities", json!({"dry-run": true})).await;
    for trouble in TROUBLES {
        text += &workload.shown(trouble, "import-identities", json!({})).await;
    }
    text += &workload.shown(("full", full), "import-identities", json!({})).await;
    // What the stopped run has kept stays.
    text += &workload.shown(ok, "import-identities", json!({"dry-run": true, "restart": true})).await;
    text += &workload.shown(("unstorable", unstorable), "import-identities", json!({})).await;
    fs::write(workload.path(LINES), exported.clone() + "\n").unwrap();
    text += &workload.shown(ok, "import-identities", json!({})).await;
    text += &workload.shown(ok, "import-identities", json!({"restart": true})).await;
    // Whoever has the same schema and traits is there; another one with the same address is not taken.
    let ada = json!({"schema_id": "social_user_v0", "traits": {"email": "ada@example.com", "givenName": "Ada", "phone_number": "1"}});
    let other =
        json!({"schema_id": "social_user_v0", "traits": {"email": "ada@example.com", "givenName": "Eve"}});
    let unheard =
        json!({"schema_id": "social_user_v0", "traits": {"email": "ada@example.com", "name": "a\0b"}});
    fs::write(workload.path(LINES), lines(&[ada, other, unheard])).unwrap();
    text += &workload.shown(("conflicting", conflicting), "import-identities", json!({})).await;
    // Nobody can be looked up by such a name.
    let nameless = json!({"schema_id": "admin_v0", "traits": {"name": "a\0b"}});
    fs::write(workload.path(LINES), lines(&[nameless, json!([])])).unwrap();
    text += &workload.shown(("unstorable", unstorable), "import-identities", json!({"dry-run": true})).await;
    let wrong = [json!([]), json!({"schema_id": "none", "traits": {}}), json!({"schema_id": "admin_v0"})];
    let no_text = b"{\"schema_id\":\"admin_v0\",\"traits\":{\"name\":\"\xff\"}}\n";
    fs::write(workload.path(LINES), [lines(&wrong).as_bytes(), no_text, b"{"].concat()).unwrap();
    text += &workload.shown(ok, "import-identities", json!({})).await;
    fs::remove_file(workload.path(LINES)).unwrap();
    for parameters in [json!({}), json!({"path": "/tmp/../x.jsonl"}), json!({"timeout": -1})] {
        text += &workload.shown(ok, "import-identities", parameters).await;
    }

    for parameters in [
        json!({}),
        json!({"keep-last": "1d"}),
        json!({"keep-last": 5}),
        json!({"batch-size": 0}),
        json!({"timeout": "long"}),
    ] {
        text += &workload.shown(ok, "cleanup-database", parameters).await;
    }
    let nobody_listens = Dsn::parse("postgres://u:p@127.0.0.1:1/idp").unwrap();
    let (pebble, place) = (workload.pebble.clone(), workload.place.clone());
    text += &shown_with(pebble, place, Some(nobody_listens), ok, "cleanup-database", json!({}), Err("none"))
        .await;
    // The container is gone.
    for action in ["export-identities", "import-identities"] {
        let gone = Client::new("/nowhere");
        text += &shown_with(gone, Place::pod(), None, ok, action, json!({}), Err("none")).await;
    }
    assert_golden("many.golden", &text);
}
