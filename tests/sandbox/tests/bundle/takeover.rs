//! A bundle that the Python charm left: `juju refresh` takes it over as it is.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use sandbox::Sandbox;
use sandbox::juju::version_name;
use sandbox::programs::Programs;

use super::support::*;
use super::world::*;

/// The keys of every databag of Kratos before and after, one line each: `-` gone, `+` new, without a sign kept.
const KEYS: &str = include_str!("takeover.keys");

/// A charm with our endpoints that writes what the Python charm writes.
fn former_charm(dir: &Path, version: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for name in ["metadata.yaml", "config.yaml"] {
        fs::copy(root.join(name), dir.join(name)).unwrap();
    }
    fs::write(dir.join("version"), version).unwrap();
    let dispatch = dir.join("dispatch");
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bundle/former.sh"), &dispatch).unwrap();
    fs::set_permissions(&dispatch, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Kratos' databags with their keys, for example `kratos in kratos:smtp smtp:smtp: a b c`.
fn keys(sandbox: &Sandbox) -> Vec<(String, Vec<String>)> {
    let model = sandbox.model();
    let mut found = Vec::new();
    for relation in model.relations.values() {
        for (holder, bag) in relation.app_bags.iter().chain(&relation.unit_bags) {
            if holder.split('/').next() == Some("kratos") {
                let names = bag.data.keys().map(|key| masked(key)).collect();
                found.push((format!("{holder} in {}", relation.key()), names));
            }
        }
    }
    found
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

        let mut lines = String::new();
        for ((holder, after), (_, before)) in keys(&sandbox).iter().zip(&before) {
            let mut names: Vec<(&String, &str)> = before
                .iter()
                .map(|key| (key, if after.contains(key) { "" } else { "-" }))
                .chain(after.iter().filter(|key| !before.contains(key)).map(|key| (key, "+")))
                .collect();
            names.sort();
            let names: Vec<String> = names.iter().map(|(key, sign)| format!("{sign}{key}")).collect();
            lines += &format!("{holder}: {}\n", names.join(" "));
        }
        assert!(lines == KEYS, "takeover.keys should read\n{lines}");
        assert_eq!(
            sandbox
                .model()
                .secrets
                .values()
                .filter(|it| it.label.as_deref() == Some("cookie_secret"))
                .count(),
            1
        );
    });
}
