//! Start, end and options of a cluster.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use nix::unistd::geteuid;
use sandbox::postgres::{Cluster, Options};

use super::{address, cluster, connect, processes_in, text};

/// The id of the System V segment that the running server uses.
fn segment(cluster: &Cluster) -> String {
    let text = fs::read_to_string(cluster.dir().join("data/postmaster.pid")).unwrap();
    text.lines().nth(6).unwrap().split_whitespace().nth(1).unwrap().to_owned()
}

fn segment_exists(id: &str) -> bool {
    let all = fs::read_to_string("/proc/sysvipc/shm").unwrap();
    all.lines().any(|line| line.split_whitespace().nth(1) == Some(id))
}

#[tokio::test]
async fn a_cluster_takes_passwords_over_tcp_and_socket_and_leaves_nothing() {
    let (dir, cluster) = cluster();
    assert_eq!(cluster.port(), 5432);
    let client = connect(&cluster.superuser_dsn("postgres")).await.unwrap();
    assert_eq!(
        text(&client, "SELECT rolsuper::text FROM pg_roles WHERE rolname = current_user").await,
        "true"
    );
    assert!(text(&client, "SHOW server_version").await.starts_with(cluster.version()));
    assert_eq!(text(&client, "SHOW listen_addresses").await, cluster.host());

    let wrong = format!("postgresql://operator:wrong@{}:{}/postgres", cluster.host(), cluster.port());
    let error = connect(&wrong).await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "28P01");
    let mut over_socket: tokio_postgres::Config = cluster.superuser_dsn("postgres").parse().unwrap();
    let password = over_socket.get_password().unwrap().to_vec();
    over_socket = tokio_postgres::Config::new();
    over_socket
        .host_path(cluster.dir())
        .port(cluster.port())
        .user("operator")
        .password(password)
        .dbname("postgres");
    assert!(over_socket.connect(tokio_postgres::NoTls).await.is_ok());

    let (segment, path) = (segment(&cluster), cluster.dir().to_owned());
    assert!(segment_exists(&segment));
    drop(client);
    drop(cluster);
    assert_eq!(processes_in(&path), [""; 0]);
    assert!(!segment_exists(&segment));
    dir.close().unwrap();
}

#[tokio::test]
async fn it_stops_dies_and_starts_again_at_the_same_port_with_its_data() {
    let (_dir, mut cluster) = cluster();
    let dsn = cluster.superuser_dsn("postgres");
    let client = connect(&dsn).await.unwrap();
    client.batch_execute("CREATE TABLE kept (n int)").await.unwrap();
    cluster.stop();
    assert!(connect(&dsn).await.is_err());
    cluster.start_again().unwrap();
    assert_eq!(cluster.start_again().unwrap_err().kind(), "running");

    let client = connect(&dsn).await.unwrap();
    client.batch_execute("INSERT INTO kept VALUES (1)").await.unwrap();
    cluster.kill();
    assert!(client.simple_query("SELECT 1").await.is_err());
    assert_eq!(processes_in(cluster.dir()), [""; 0]);
    cluster.start_again().unwrap();
    let client = connect(&dsn).await.unwrap();
    client.batch_execute("SELECT n FROM kept").await.unwrap();

    let segment = segment(&cluster);
    cluster.kill();
    cluster.stop();
    assert!(!segment_exists(&segment));
}

#[tokio::test]
async fn another_port_is_taken_when_the_standard_one_is_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let address = address();
    let _taken = TcpListener::bind((address.as_str(), 5432)).unwrap();
    let cluster = Cluster::start(&dir.path().join("pg"), &address).unwrap();
    assert_ne!(cluster.port(), 5432);
    connect(&cluster.superuser_dsn("template1")).await.unwrap();
}

#[tokio::test]
async fn certificate_and_settings_are_used() {
    let dir = tempfile::tempdir().unwrap();
    let certified = rcgen::generate_simple_self_signed(["db.example".to_owned()]).unwrap();
    let options = Options {
        tls: Some((certified.cert.pem(), certified.signing_key.serialize_pem())),
        settings: vec![
            ("lock_timeout".into(), "7s".into()),
            ("application_name".into(), r"it's a \ name".into()),
        ],
    };
    let cluster = Cluster::start_with(&dir.path().join("pg"), &address(), options).unwrap();
    let client = connect(&cluster.superuser_dsn("postgres")).await.unwrap();
    assert_eq!(text(&client, "SHOW lock_timeout").await, "7s");
    assert_eq!(text(&client, "SHOW application_name").await, r"it's a \ name");
    // PostgreSQL's request for TLS: length 8, then its code; `S` is yes.
    let mut stream = TcpStream::connect((cluster.host(), cluster.port())).unwrap();
    stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).unwrap();
    let mut answer = [0];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, *b"S");
}

#[test]
fn what_cannot_work_is_refused_with_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let bad_address = Cluster::start(&dir.path().join("a"), "db.example").unwrap_err();
    assert_eq!(bad_address.to_string(), "`db.example` is no IP address");
    let long = dir.path().join("l".repeat(100));
    assert_eq!(Cluster::start(&long, &address()).unwrap_err().kind(), "socket-path");

    let setting =
        |name: &str, value: &str| Options { settings: vec![(name.into(), value.into())], tls: None };
    let two_lines = Cluster::start_with(&dir.path().join("b"), &address(), setting("jit", "on\nfsync"));
    assert_eq!(two_lines.unwrap_err().kind(), "setting");
    let unknown =
        Cluster::start_with(&dir.path().join("c"), &address(), setting("no_such_thing", "1")).unwrap_err();
    assert_eq!(unknown.kind(), "failed");
    assert!(
        unknown.to_string().contains("unrecognized configuration parameter \"no_such_thing\""),
        "{unknown}"
    );

    let used = dir.path().join("d");
    fs::create_dir_all(used.join("data/something")).unwrap();
    let used = Cluster::start(&used, &address()).unwrap_err();
    assert!(used.to_string().contains("exists but is not empty"), "{used}");
    assert_eq!(processes_in(&dir.path().canonicalize().unwrap()), [""; 0]);
}

#[test]
fn a_place_that_is_closed_to_the_servers_user_is_named_and_nobodys_rights_are_changed() {
    let is_root = geteuid().is_root();
    let parent = if is_root { PathBuf::from("/var") } else { std::env::temp_dir() };
    let home = tempfile::tempdir_in(parent).unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let started = Cluster::start(&home.path().join("pg"), &address());
    if is_root {
        let error = started.unwrap_err();
        assert_eq!(error.kind(), "closed");
        assert!(error.to_string().contains(&format!("chmod o+x {}", home.path().display())), "{error}");
    } else {
        // The server of an ordinary user runs as that user, to whom the place is open.
        started.unwrap().stop();
    }
    assert_eq!(home.path().metadata().unwrap().permissions().mode() & 0o777, 0o700);
}
