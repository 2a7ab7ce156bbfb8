//! Outputs beside the recordings of the original.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::world::*;

fn recordings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recordings/kratos")
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A log without the times of its lines.
fn timeless(log: &str) -> String {
    let line = |line: &str| match line.strip_prefix("time=").and_then(|rest| rest.split_once(' ')) {
        Some((_, rest)) => format!("{rest}\n"),
        None => format!("{line}\n"),
    };
    log.lines().map(line).collect()
}

/// A usage text without the descriptions of its flags, which are the double's own.
fn plain(usage: &str) -> String {
    let line = |line: &str| {
        let start = line.len() - line.trim_start().len();
        let flag = &line[start..];
        let end = if flag.starts_with('-') { flag.find("  ").or(flag.find(" If set")) } else { None };
        format!("{}\n", &flag[..end.unwrap_or(flag.len())])
    };
    usage.lines().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_print_what_the_original_prints() {
    let folder = recordings();
    let world = World::new();
    let database = world.database("db").await;
    let same = |release: &str, args: &str, name: &str| {
        let run = database.run(release, args);
        for (kind, got) in [("out", &run.out), ("err", &run.err)] {
            if folder.join(format!("{name}.{kind}")).exists() {
                let wanted = timeless(&read(&folder, &format!("{name}.{kind}")));
                assert_eq!(timeless(got), wanted, "{name}.{kind}");
            }
        }
        let code = fs::read_to_string(folder.join(format!("{name}.rc"))).unwrap_or("0".into());
        let code = code.split_whitespace().next().unwrap().trim_start_matches("rc=").to_owned();
        assert_eq!(run.code.map(|code| code.to_string()), Some(code), "{name}.rc");
    };
    same(NEW, "version", "version");
    same(NEW, "migrate sql status -e", "status_empty");
    same(NEW, "migrate sql up -e", "up_noyes");
    same(OLD, "migrate sql status -e", "v131_status");
    same(OLD, "migrate sql -e --yes", "v131_empty");
    same(OLD, "migrate sql -e --yes", "v131_noop");
    same(NEW, "migrate sql up -e --yes", "t13_up");
    same(NEW, "migrate sql -e --yes", "mig_full_again");
    same(NEW, "migrate sql up -e --yes", "migup_full_again");
    same(NEW, "migrate sql status -e", "status_full");
    same(NEW, "migrate sql down -e --yes", "down_nosteps");
    same(MIDDLE, "migrate sql status -e", "v25_status_on_v26db");
    same(MIDDLE, "migrate sql up -e --yes", "v25_up_on_v26db");
    same(MIDDLE, "migrate sql down -e --yes --steps 1", "v25_down1_on_v26db");
    same(NEW, "migrate sql status -e", "v26_status_after_v25down");
    assert_eq!(database.run(NEW, "migrate sql up -e --yes").code, Some(0));
    same(NEW, "migrate sql down -e --yes --steps 7", "down7");
    same(NEW, "migrate sql status -e", "status_v26_on_v25db");
    same(NEW, "migrate sql up -e --yes", "member_up");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_migrations_is_that_of_the_original() {
    let folder = recordings();
    let world = World::new();
    let database = world.database("db").await;
    database.migrate(MIDDLE);
    let run = database.run(NEW, "migrate sql status -e --format json");
    let got: Value = serde_json::from_str(&run.out).unwrap();
    let wanted: Value = serde_json::from_str(&read(&folder, "status_v26_on_v25db_json.shape.json")).unwrap();
    let (got, wanted) = (got.as_array().unwrap(), wanted.as_array().unwrap());
    assert_eq!(got.len(), wanted.len());
    for (got, wanted) in got.iter().zip(wanted) {
        for key in ["state", "version", "name"] {
            assert_eq!(got[key], wanted[key]);
        }
        assert_eq!(got["content"] == "", wanted["content"] == "<0 characters of SQL>", "{}", got["version"]);
        assert_eq!(got.as_object().unwrap().len(), 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_print_what_the_original_prints() {
    let folder = recordings();
    let none = Database { dsn: String::new() };
    let got = none.run(NEW, "migrate sql up --yes");
    assert_eq!(plain(&got.out), plain(&read(&folder, "err_noe.out")));
    let head = |text: &str| timeless(text).lines().take(2).collect::<Vec<_>>().join("\n");
    assert_eq!(head(&none.run(NEW, "migrate sql up -e --yes").err), head(&read(&folder, "err_nodsn.err")));

    let world = World::new();
    let nobody = Database { dsn: "postgres://kratos:kpw@127.0.0.1:54330/m1".into() };
    let cases: [(&str, Change); 6] = [
        ("badlevel", &|c| c["log"]["level"] = "loud".into()),
        ("noidentity", &|c| c["identity"] = json!({})),
        ("noselfservice", &|c| c["selfservice"] = json!({})),
        ("portstring", &|c| c["serve"]["admin"]["port"] = "abc".into()),
        ("shortcipher", &|c| c["secrets"] = json!({ "cipher": ["short"] })),
        ("unknownkey", &|c| c["foo"] = 1.into()),
    ];
    for (name, change) in cases {
        let file = world.file("bad.json", &config(&world, "127.0.0.1", change).to_string());
        let got = nobody.run(NEW, &format!("serve all -c {}", file.display()));
        assert_eq!(got.code, Some(1));
        let wanted = read(&folder, &format!("badcfg_{name}.err"));
        assert_eq!(plain(&timeless(&got.err)), plain(&timeless(&wanted)), "{name}");
    }
}

/// JSON with every id, time, code and number of a port made equal.
fn anonymous(value: &Value, hosts: &[&str]) -> Value {
    match value {
        Value::Object(map) => {
            let mut sorted: Vec<_> =
                map.iter().map(|(key, value)| (key.clone(), anonymous(value, hosts))).collect();
            sorted.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(sorted.into_iter().collect())
        }
        Value::Array(items) => items.iter().map(|item| anonymous(item, hosts)).collect(),
        Value::String(text) => {
            let text = hosts.iter().fold(text.clone(), |text, host| text.replace(host, "HOST"));
            let is_time = text.len() >= 20 && text.ends_with('Z') && text.as_bytes()[10] == b'T';
            let is_id = text.len() == 36 && text.matches('-').count() == 4;
            match text.as_str() {
                "0001-01-01T00:00:00Z" => text.into(),
                _ if is_time => "TIME".into(),
                _ if is_id => "ID".into(),
                _ if text.len() == 6 && text.chars().all(|c| c.is_ascii_digit()) => "CODE".into(),
                _ => text.split("flow=").next().unwrap_or_default().into(),
            }
        }
        other => other.clone(),
    }
}

const EMAIL: &str = "x1@example.test";

/// A recorded exchange: its name, the method and path, and the body.
type Step = (&'static str, &'static str, &'static str, Option<Value>);

fn creations() -> Vec<Step> {
    let password = json!({ "password": { "config": { "password": "Sup3rSecretXy!9" } } });
    let create = json!({ "schema_id": "default", "traits": { "email": EMAIL }, "credentials": password, "metadata_admin": { "k": "v" } });
    vec![
        ("create", "POST", "/admin/identities", Some(create)),
        (
            "create_dup",
            "POST",
            "/admin/identities",
            Some(json!({ "schema_id": "default", "traits": { "email": EMAIL } })),
        ),
        (
            "create_badtraits",
            "POST",
            "/admin/identities",
            Some(json!({ "schema_id": "default", "traits": { "email": "notmail" } })),
        ),
        (
            "create_badschema",
            "POST",
            "/admin/identities",
            Some(json!({ "schema_id": "zzz", "traits": { "email": "q@example.test" } })),
        ),
        ("get", "GET", "/admin/identities/ID", None),
        ("get_404", "GET", "/admin/identities/413e5d6b-c9da-414c-82be-263198ece3a3", None),
        ("get_notuuid", "GET", "/admin/identities/abc", None),
        ("list_ident", "GET", "/admin/identities?credentials_identifier=x1@example.test", None),
        ("list_ident_none", "GET", "/admin/identities?credentials_identifier=nobody@example.test", None),
    ]
}

fn changes() -> Vec<Step> {
    vec![
        (
            "put",
            "PUT",
            "/admin/identities/ID",
            Some(
                json!({ "schema_id": "default", "state": "active", "traits": { "email": EMAIL, "name": "N" } }),
            ),
        ),
        (
            "put_pw",
            "PUT",
            "/admin/identities/ID",
            Some(json!({ "schema_id": "default", "state": "active", "traits": { "email": EMAIL },
            "credentials": { "password": { "config": { "password": "An0therSecretXy!9" } } } })),
        ),
        (
            "put_nostate",
            "PUT",
            "/admin/identities/ID",
            Some(json!({ "schema_id": "default", "traits": { "email": EMAIL } })),
        ),
        (
            "patch_cred",
            "PATCH",
            "/admin/identities/ID",
            Some(json!([{ "op": "replace", "path": "/credentials", "value": {} }])),
        ),
        (
            "rec_code",
            "POST",
            "/admin/recovery/code",
            Some(json!({ "identity_id": "ID", "expires_in": "1h" })),
        ),
        (
            "rec_link",
            "POST",
            "/admin/recovery/link",
            Some(json!({ "identity_id": "ID", "expires_in": "1h" })),
        ),
        (
            "rec_code_noid",
            "POST",
            "/admin/recovery/code",
            Some(json!({ "identity_id": "1c3f2131-3706-4a87-9796-a7b13f340509" })),
        ),
        ("rec_code_bad", "POST", "/admin/recovery/code", Some(json!({ "identity_id": "abc" }))),
        (
            "rec_code_badexp",
            "POST",
            "/admin/recovery/code",
            Some(json!({ "identity_id": "ID", "expires_in": "1x" })),
        ),
        ("whoami_no", "GET", "/sessions/whoami", None),
        ("del_cred_pw", "DELETE", "/admin/identities/ID/credentials/password", None),
        ("del_cred_totp", "DELETE", "/admin/identities/ID/credentials/totp", None),
        ("del_cred_code", "DELETE", "/admin/identities/ID/credentials/code", None),
        ("openapi", "GET", "/admin/nonexist", None),
        ("meth", "PUT", "/admin/identities", None),
        ("delete", "DELETE", "/admin/identities/ID", None),
        ("delete2", "DELETE", "/admin/identities/ID", None),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_answers_what_the_original_answers() {
    let folder = recordings();
    let world = World::new();
    for (release, prefix) in [(MIDDLE, "api25"), (NEW, "api")] {
        let database = world.database(prefix).await;
        database.migrate(release);
        let server = Served::start(&world, prefix, release, &database, |_| {}).listening().await;
        let mut id = String::new();
        for (name, method, path, body) in creations().into_iter().chain(changes()) {
            let body = body.map(|body| body.to_string().replace("\"ID\"", &format!("{id:?}")));
            let (status, got) = server.send(method, &path.replace("ID", &id), body).await.unwrap();
            if name == "create" {
                id = got["id"].as_str().unwrap().to_owned();
            }
            let head = read(&folder, &format!("{prefix}_{name}.hdr"));
            assert_eq!(Some(status.to_string().as_str()), head.lines().next(), "{prefix}_{name}: {got}");
            let wanted = read(&folder, &format!("{prefix}_{name}.json"));
            let wanted = serde_json::from_str(&wanted).unwrap_or(Value::String(wanted));
            let wanted = anonymous(&wanted, &["127.0.0.1:14433", "127.0.0.1:14434"]);
            let hosts = [&server.public, &server.admin].map(|url| url.trim_start_matches("http://"));
            assert_eq!(anonymous(&got, &hosts), wanted, "{prefix}_{name}");
        }
    }
}
