//! A bundle that the Python charm left: `juju refresh` takes it over as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use sandbox::Sandbox;
use sandbox::juju::version_name;
use sandbox::programs::Programs;

use super::world::*;
use crate::life::support::*;

/// The keys of every databag of Kratos before and after, one line each: `-` gone, `+` new, without a sign kept.
const KEYS: &str = include_str!("takeover.keys");
/// What Juju writes into the databag of every unit.
const JUJU: [&str; 3] = ["egress-subnets", "ingress-address", "private-address"];

/// A charm with our endpoints that writes what the Python charm writes.
fn former_charm(dir: &Path, version: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for name in ["metadata.yaml", "config.yaml"] {
        fs::copy(root.join(name), dir.join(name)).unwrap();
    }
    fs::write(dir.join("version"), version).unwrap();
    let dispatch = dir.join("dispatch");
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/bundle/former.sh"), &dispatch).unwrap();
    fs::set_permissions(&dispatch, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The keys of Kratos' databags, by for example `kratos in kratos:smtp smtp:smtp`; without what Juju itself writes.
fn keys(sandbox: &Sandbox) -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    for relation in sandbox.model().relations.values() {
        for (holder, bag) in relation.app_bags.iter().chain(&relation.unit_bags) {
            if holder.split('/').next() == Some("kratos") {
                let ours = bag.data.keys().filter(|key| !JUJU.contains(&key.as_str())).cloned();
                found.insert(format!("{holder} in {}", relation.key()), ours.collect());
            }
        }
    }
    found
}

/// One line for each databag that holds or held something.
fn compared(
    before: &BTreeMap<String, BTreeSet<String>>,
    after: &BTreeMap<String, BTreeSet<String>>,
) -> String {
    let mut lines = String::new();
    assert!(before.keys().eq(after.keys()), "the relations stayed");
    for (holder, before) in before {
        let after = &after[holder];
        let sign = |key: &String| match (before.contains(key), after.contains(key)) {
            (true, true) => "",
            (true, false) => "-",
            _ => "+",
        };
        let words: Vec<String> = before.union(after).map(|key| format!("{}{key}", sign(key))).collect();
        if !words.is_empty() {
            lines += &format!("{holder}: {}\n", words.join(" "));
        }
    }
    lines
}

#[test]
fn what_the_python_charm_left_is_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    let programs = Programs::find().unwrap();
    let kratos = programs.kratos.last().unwrap().clone();
    former_charm(dir.path(), &kratos.version);
    with_sandbox(async |sandbox| {
        deploy_others(&sandbox).await;
        let path = dir.path().display();
        juju(
            &sandbox,
            &format!("deploy {path} kratos --resource oci-image=kratos:{} --trust", kratos.version),
        )
        .await;
        for at in 0..RELATIONS.len() {
            integrate(&sandbox, at).await;
        }
        let before = keys(&sandbox);
        let bag = sandbox.databag(relation(&sandbox, 0), "postgresql-k8s");
        let user = sandbox.secret(&bag["secret-user"]).unwrap();
        let dsn = format!(
            "postgres://{}:{}@{}/{}",
            user["username"], user["password"], bag["endpoints"], bag["database"]
        );
        let migrate = Command::new(&kratos.path)
            .args(["migrate", "sql", "up", "--read-from-env", "--yes"])
            .env("DSN", dsn)
            .output()
            .unwrap();
        assert!(migrate.status.success(), "{}", String::from_utf8_lossy(&migrate.stderr));

        juju(&sandbox, &format!("refresh kratos --channel {}/stable", version_name(&kratos.version))).await;
        assert_eq!(troubled(&sandbox), [""; 0], "nobody has to run anything");
        let cookie = environment(&sandbox, 0, "SECRETS_COOKIE").await;
        assert!(cookie.contains("00112233445566778899aabbccddeeff"), "sessions stay valid: {}", cookie.len());
        register(&sandbox, 0, "ada@example.com").await;
        let now = sandbox.databag(relation(&sandbox, 0), "postgresql-k8s");
        assert_eq!(now, bag, "the database was not asked for again");

        let lines = compared(&before, &keys(&sandbox));
        assert!(lines == KEYS, "takeover.keys should read\n{lines}");
        let model = sandbox.model();
        let cookies =
            model.secrets.values().filter(|secret| secret.label.as_deref() == Some("cookie_secret"));
        assert_eq!(cookies.count(), 1, "no second cookie secret");
    });
}
