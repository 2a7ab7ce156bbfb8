//! A cluster whose owner is killed: nobody calls Drop then.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use sandbox::postgres::Cluster;

use super::{address, processes_in, wait_until};

const DIR: &str = "SANDBOX_TEST_ORPHAN_DIR";

/// Not a test of its own: the process that the test below kills.
#[test]
#[ignore = "run by `it_ends_when_its_owner_is_killed`"]
fn owner() {
    let Some(dir) = env::var_os(DIR) else { return };
    let cluster = Cluster::start(&Path::new(&dir).join("pg"), &address()).unwrap();
    fs::write(Path::new(&dir).join("ready"), cluster.host()).unwrap();
    std::thread::sleep(Duration::from_secs(120));
}

#[test]
fn it_ends_when_its_owner_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut owner = Command::new(env::current_exe().unwrap())
        .args(["--exact", "postgres::orphan::owner", "--ignored"])
        .env(DIR, dir.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the start of the cluster", || dir.path().join("ready").exists());
    let data = dir.path().canonicalize().unwrap().join("pg");
    assert!(!processes_in(&data).is_empty());
    owner.kill().unwrap();
    owner.wait().unwrap();
    wait_until("the end of the cluster", || processes_in(&data).is_empty());
    assert!(!data.join("data/postmaster.pid").exists(), "the server was not ended in order");
}
