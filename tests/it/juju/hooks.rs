//! The files in `hooks/`: one for each event that Juju may have for this charm, all with one content.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_yaml::Value;

const OF_EVERY_CHARM: [&str; 12] = [
    "install",
    "start",
    "stop",
    "remove",
    "config-changed",
    "leader-elected",
    "update-status",
    "upgrade-charm",
    "secret-changed",
    "secret-expired",
    "secret-remove",
    "secret-rotate",
];
const OF_A_CONTAINER: [&str; 3] = ["pebble-ready", "pebble-check-failed", "pebble-check-recovered"];
/// The last one is none of the peers': their relation ends with the application.
const OF_A_RELATION: [&str; 5] = ["created", "joined", "changed", "departed", "broken"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("hooks")
}

fn declared() -> BTreeSet<String> {
    let metadata: Value = serde_yaml::from_str(include_str!("../../../metadata.yaml")).unwrap();
    let names = |key: &str| {
        let map = metadata[key].as_mapping().unwrap();
        Vec::from_iter(map.keys().map(|name| name.as_str().unwrap().to_owned()))
    };
    let mut hooks = BTreeSet::from(OF_EVERY_CHARM.map(str::to_owned));
    for container in names("containers") {
        hooks.extend(OF_A_CONTAINER.map(|event| format!("{container}-{event}")));
    }
    for (key, count) in [("requires", 5), ("provides", 5), ("peers", 4)] {
        for endpoint in names(key) {
            hooks.extend(OF_A_RELATION[..count].iter().map(|event| format!("{endpoint}-relation-{event}")));
        }
    }
    hooks
}

#[test]
fn every_event_has_its_hook_and_all_hooks_are_alike() {
    let files =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(BTreeSet::from_iter(files), declared());
    let first = fs::read_to_string(folder().join("install")).unwrap();
    for hook in declared() {
        let path = folder().join(&hook);
        assert_eq!(fs::read_to_string(&path).unwrap(), first, "{hook}");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o111, 0o111, "{hook}");
    }
}

#[test]
fn a_hook_dispatches_its_own_name_however_it_is_called() {
    let charm = tempfile::tempdir().unwrap();
    let hook = charm.path().join("hooks/db-relation-joined");
    fs::create_dir(charm.path().join("hooks")).unwrap();
    fs::copy(folder().join("install"), &hook).unwrap();
    let dispatch = charm.path().join("dispatch");
    fs::write(&dispatch, "#!/bin/sh\necho \"$JUJU_DISPATCH_PATH\"\n").unwrap();
    fs::set_permissions(&dispatch, fs::Permissions::from_mode(0o755)).unwrap();
    for (directory, program) in [
        ("/", hook.to_str().unwrap()),
        (charm.path().to_str().unwrap(), "hooks/db-relation-joined"),
        (hook.parent().unwrap().to_str().unwrap(), "./db-relation-joined"),
    ] {
        let output = Command::new("/bin/sh").args(["-c", program]).current_dir(directory).output().unwrap();
        assert_eq!(output.stdout, b"hooks/db-relation-joined\n", "{program}: {output:?}");
    }
}
