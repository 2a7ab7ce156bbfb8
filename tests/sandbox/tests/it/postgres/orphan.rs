//! A cluster whose owner is killed.

use sandbox::postgres::Cluster;

use super::{address, processes_in};
use crate::orphan::{own, start_owner, wait_until};

/// Not a test of its own: the process that the test below kills.
#[test]
#[ignore = "run by `it_ends_when_its_owner_is_killed`"]
fn owner() {
    own(|dir| Cluster::start(&dir.join("pg"), &address()).unwrap());
}

#[test]
fn it_ends_when_its_owner_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut owner = start_owner("postgres::orphan::owner", dir.path());
    let data = dir.path().canonicalize().unwrap().join("pg");
    assert!(!processes_in(&data).is_empty());
    owner.kill().unwrap();
    owner.wait().unwrap();
    wait_until("the end of the cluster", || processes_in(&data).is_empty());
    assert!(!data.join("data/postmaster.pid").exists(), "the server was not ended in order");
}
