//! A container whose owner is killed.

use sandbox::container::Container;

use super::{processes, spec};
use crate::orphan::{own, start_owner, wait_until};

/// Not a test of its own: the process that the test below kills.
#[test]
#[ignore = "run by `it_ends_when_its_owner_is_killed`"]
fn owner() {
    own(|dir| Container::start(spec(dir)).unwrap());
}

#[test]
fn it_ends_when_its_owner_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut owner = start_owner("container::orphan::owner", dir.path());
    assert_eq!(processes(&dir.path().join("c")).len(), 2);
    owner.kill().unwrap();
    owner.wait().unwrap();
    wait_until("the end of the container", || processes(&dir.path().join("c")).is_empty());
}
