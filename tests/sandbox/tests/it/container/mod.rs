//! Workload containers: what they run, what they keep, and that nothing of them is left behind.

mod orphan;
mod real;
mod stand_in;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use sandbox::container::{Container, ContainerSpec, MARKER};
use sandbox::programs::{Kratos, Program};

/// A container whose Pebble is the stand-in of this test, and whose Kratos is `sleep`.
fn spec(dir: &Path) -> ContainerSpec {
    ContainerSpec {
        dir: dir.join("c"),
        pebble: Program { path: stand_in::script(dir), double: false },
        image: image("v26.2.0"),
        environment: BTreeMap::from([("KRATOS_OPERATOR_TEST".to_owned(), "given".to_owned())]),
    }
}

fn image(version: &str) -> Kratos {
    Kratos { version: version.to_owned(), path: "/bin/sleep".into(), double: true }
}

/// The ids of the processes that carry the container's marker.
fn processes(dir: &Path) -> Vec<String> {
    let marker = format!("{MARKER}={}", dir.canonicalize().unwrap().display());
    let pids = fs::read_dir("/proc").unwrap().flatten().filter(|entry| {
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|line| line == marker.as_bytes())
    });
    pids.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn it_runs_pebble_with_kratos_on_the_path_and_nothing_of_our_environment() {
    let dir = tempfile::tempdir().unwrap();
    let container = Container::start(spec(dir.path())).unwrap();
    let home = dir.path().canonicalize().unwrap().join("c");
    assert_eq!(container.socket(), home.join("pebble/.pebble.socket"));
    let environment = fs::read_to_string(home.join("pebble/environment")).unwrap();
    let environment: BTreeMap<&str, &str> =
        environment.lines().filter_map(|line| line.split_once('=')).collect();
    let home = home.to_str().unwrap();
    for (name, value) in [
        ("HOME", format!("{home}/root")),
        ("KRATOS_DOUBLE_VERSION", "v26.2.0".to_owned()),
        ("KRATOS_OPERATOR_TEST", "given".to_owned()),
        ("PEBBLE", format!("{home}/pebble")),
    ] {
        assert_eq!(environment.get(name), Some(&value.as_str()), "{name}");
    }
    assert!(environment["PATH"].starts_with(&format!("{home}/bin:")));
    assert!(!environment.keys().any(|name| name.starts_with("CARGO")), "{environment:?}");
    assert!(fs::read_to_string(container.log()).unwrap().contains("stand-in runs"));
    assert_eq!(fs::read_link(Path::new(home).join("bin/kratos")).unwrap(), Path::new("/bin/sleep"));
}

#[test]
fn a_stop_leaves_no_process_even_of_those_that_left_their_group() {
    let dir = tempfile::tempdir().unwrap();
    let mut container = Container::start(spec(dir.path())).unwrap();
    let home = dir.path().join("c");
    assert_eq!(processes(&home).len(), 2, "Pebble and its service");
    let pid = container.pid().unwrap().to_string();
    assert!(processes(&home).contains(&pid));
    container.stop();
    assert_eq!(container.pid(), None);
    assert_eq!(processes(&home), [""; 0]);
    container.stop();

    let container = Container::start(spec(dir.path())).unwrap();
    drop(container);
    assert_eq!(processes(&home), [""; 0]);
}

#[test]
fn a_kill_takes_pebble_alone_and_a_restart_begins_with_an_empty_root() {
    let dir = tempfile::tempdir().unwrap();
    let mut container = Container::start(spec(dir.path())).unwrap();
    fs::create_dir_all(container.root().join("etc/config/kratos")).unwrap();
    fs::write(container.root().join("etc/config/kratos/kratos.yaml"), "dsn: x").unwrap();
    let pid = container.pid().unwrap().to_string();
    container.kill();
    assert_eq!(container.pid(), None);
    let left = processes(&dir.path().join("c"));
    assert!(left.len() == 1 && !left.contains(&pid), "the service stays: {left:?}");

    container.restart(image("v25.4.0")).unwrap();
    assert_eq!(container.image().version, "v25.4.0");
    assert_eq!(fs::read_dir(container.root()).unwrap().count(), 0);
    let environment = fs::read_to_string(dir.path().join("c/pebble/environment")).unwrap();
    assert!(environment.contains("KRATOS_DOUBLE_VERSION=v25.4.0"));
    let now = processes(&dir.path().join("c"));
    assert!(now.len() == 2 && !now.contains(&left[0]), "the old service is gone: {now:?}");
}

#[test]
fn what_cannot_start_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let long = ContainerSpec { dir: dir.path().join("l".repeat(100)), ..spec(dir.path()) };
    assert_eq!(Container::start(long).unwrap_err().kind(), "socket-path");

    let program = |path: &str| Program { path: path.into(), double: false };
    let missing = ContainerSpec { pebble: program("/nowhere/pebble"), ..spec(dir.path()) };
    let error = Container::start(missing).unwrap_err();
    assert!(error.to_string().starts_with("Pebble /nowhere/pebble did not start: No such file"), "{error}");
    let ends = ContainerSpec { pebble: program("/bin/false"), ..spec(dir.path()) };
    let error = Container::start(ends).unwrap_err();
    assert!(error.to_string().contains("it ended with exit status: 1; its log is "), "{error}");

    let file = dir.path().join("file");
    symlink("/dev/null", &file).unwrap();
    let in_the_way = ContainerSpec { dir: file, ..spec(dir.path()) };
    assert_eq!(Container::start(in_the_way).unwrap_err().kind(), "file");
}
