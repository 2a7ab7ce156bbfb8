//! A container whose owner is killed: nobody calls Drop then.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use sandbox::container::Container;

use super::{processes, spec, wait_until};

const DIR: &str = "SANDBOX_TEST_ORPHAN_DIR";

/// Not a test of its own: the process that the test below kills.
#[test]
#[ignore = "run by `it_ends_when_its_owner_is_killed`"]
fn owner() {
    let Some(dir) = env::var_os(DIR) else { return };
    let _container = Container::start(spec(Path::new(&dir))).unwrap();
    fs::write(Path::new(&dir).join("ready"), "").unwrap();
    std::thread::sleep(Duration::from_secs(120));
}

#[test]
fn it_ends_when_its_owner_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut owner = Command::new(env::current_exe().unwrap())
        .args(["--exact", "container::orphan::owner", "--ignored"])
        .env(DIR, dir.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the start of the container", || dir.path().join("ready").exists());
    assert_eq!(processes(&dir.path().join("c")).len(), 2);
    owner.kill().unwrap();
    owner.wait().unwrap();
    wait_until("the end of the container", || processes(&dir.path().join("c")).is_empty());
}
