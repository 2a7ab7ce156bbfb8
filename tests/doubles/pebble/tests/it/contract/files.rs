//! What the charm relies on when it reads and writes files of the workload, through its own client.
//!
//! Runs against the sandbox's double, or against a real Pebble when PEBBLE_BIN names its binary.

use super::Daemon;
use kratos_operator::pebble::{Content, Error, FileType, PathError, PathErrorKind, PushFile};
use std::io::Cursor;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

fn path_error(error: Error) -> PathError {
    match error {
        Error::Path(error) => error,
        other => panic!("not about a path: {other:?}"),
    }
}

fn mode(path: &str) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn any_name_and_content_goes_both_ways() {
    let daemon = Daemon::start().await;
    let client = &daemon.client;
    for name in
        ["plain", "wéird \"q\" \\b.txt", "ends in \\", "\\\"", "日本語 ☃", "a=b;c&d+e%0A%", " x ", "'"]
    {
        let path = daemon.file(name);
        for content in [&b""[..], b"\r\n--\0\xff", b"text\n"] {
            client.push(PushFile::new(&path, content.to_vec())).await.unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), content, "{name}");
            assert_eq!(client.pull(&path).await.unwrap(), content, "{name}");
        }
        let info = client.stat(&path).await.unwrap().unwrap();
        assert_eq!((info.name.as_str(), info.path.as_str(), info.size), (name, path.as_str(), Some(5)));
        client.remove(&path, false).await.unwrap();
        assert_eq!(client.stat(&path).await.unwrap(), None);
    }
}

#[tokio::test]
async fn big_files_go_both_ways() {
    let daemon = Daemon::start().await;
    let big: Vec<u8> = (0..8 * 1024 * 1024u32).map(|n| (n / 7).to_le_bytes()[0]).collect();
    let path = daemon.file("big");
    daemon.client.push(PushFile::new(&path, big.clone())).await.unwrap();
    assert_eq!(daemon.client.pull(&path).await.unwrap(), big);

    let streamed = daemon.file("streamed");
    let file = PushFile::new(&streamed, Content::reader(Cursor::new(big.clone())));
    let client = daemon.client.clone();
    tokio::spawn(async move { client.push(file).await }).await.unwrap().unwrap();
    let mut copy = Vec::new();
    assert_eq!(daemon.client.pull_to(&streamed, &mut copy).await.unwrap(), big.len() as u64);
    assert_eq!(copy, big);
}

#[tokio::test]
async fn several_files_come_in_one_answer() {
    let daemon = Daemon::start().await;
    let (a, b, missing, dir) = (daemon.file("a"), daemon.file("b"), daemon.file("missing"), daemon.file(""));
    std::fs::write(&a, "content of a").unwrap();
    std::fs::write(&b, "").unwrap();
    let results = daemon.client.pull_many(&[&a, &missing, &b, &dir, "relative", &a]).await.unwrap();
    let kinds: Vec<_> =
        results.iter().map(|result| result.as_ref().map_err(|error| error.kind.as_str())).collect();
    let (content, empty) = (b"content of a".to_vec(), Vec::new());
    assert_eq!(
        kinds,
        [
            Ok(&content),
            Err("not-found"),
            Ok(&empty),
            Err("generic-file-error"),
            Err("generic-file-error"),
            Ok(&content)
        ]
    );
    assert!(results[1].as_ref().is_err_and(|error| error.path == missing));
    assert_eq!(path_error(daemon.client.pull(&missing).await.unwrap_err()).kind, PathErrorKind::NotFound);
    assert_eq!(daemon.client.pull("/proc/self/comm").await.unwrap().last(), Some(&b'\n'));
}

#[tokio::test]
async fn a_write_replaces_the_whole_file() {
    let daemon = Daemon::start().await;
    let client = &daemon.client;
    let path = daemon.file("file");
    let file = |mode| PushFile { permissions: mode, ..PushFile::new(&path, "x") };
    client.push(file(Some(0o600))).await.unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(client.stat(&path).await.unwrap().unwrap().permissions, 0o600);
    client.push(file(None)).await.unwrap();
    assert_eq!(mode(&path), 0o644, "the old mode is not kept");
    let me = std::fs::metadata(daemon.files()).unwrap();
    let owner = kratos_operator::pebble::Owner {
        user_id: Some(me.uid()),
        group_id: Some(me.gid()),
        ..Default::default()
    };
    client.push(PushFile { owner, ..file(Some(0o007)) }).await.unwrap();
    assert_eq!(mode(&path), 0o007);

    let link = daemon.file("link");
    symlink(&path, &link).unwrap();
    client.push(PushFile::new(&link, "new")).await.unwrap();
    assert!(std::fs::symlink_metadata(&link).unwrap().is_file());
    assert_eq!(std::fs::read(&link).unwrap(), b"new");

    let names: Vec<_> = std::fs::read_dir(daemon.files()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "no temporary file is left: {names:?}");
}

#[tokio::test]
async fn a_write_that_fails_says_why() {
    let daemon = Daemon::start().await;
    let client = &daemon.client;
    let deep = daemon.file("x/y/z");
    let error = path_error(client.push(PushFile::new(&deep, "x")).await.unwrap_err());
    assert_eq!((error.kind, error.path.as_str()), (PathErrorKind::NotFound, deep.as_str()));
    client.push(PushFile { make_dirs: true, ..PushFile::new(&deep, "x") }).await.unwrap();
    assert_eq!(std::fs::read(&deep).unwrap(), b"x");
    assert_eq!(mode(&daemon.file("x/y")), 0o755);
    for bad in [daemon.file("x"), "relative".to_owned(), format!("{deep}/below")] {
        let error = path_error(client.push(PushFile::new(&bad, "x")).await.unwrap_err());
        assert_eq!((error.kind, error.path), (PathErrorKind::Generic, bad));
    }
    let owner =
        kratos_operator::pebble::Owner { user: Some("no-such-user".to_owned()), ..Default::default() };
    let error = path_error(client.push(PushFile { owner, ..PushFile::new(&deep, "y") }).await.unwrap_err());
    assert_eq!(error.kind, PathErrorKind::Generic);
    assert_eq!(std::fs::read(&deep).unwrap(), b"x");
}

#[tokio::test]
async fn directories_are_listed() {
    let daemon = Daemon::start().await;
    let client = &daemon.client;
    let dir = daemon.files();
    std::fs::write(dir.join("b.yaml"), "12345").unwrap();
    std::fs::write(dir.join("a.txt"), "").unwrap();
    std::fs::create_dir(dir.join("sub")).unwrap();
    symlink("nowhere", dir.join("dangling")).unwrap();
    let path = dir.to_str().unwrap();
    let list = client.list(path, None, false).await.unwrap();
    let seen: Vec<_> =
        list.iter().map(|entry| (entry.name.as_str(), entry.file_type.clone(), entry.size)).collect();
    assert_eq!(
        seen,
        [
            ("a.txt", FileType::File, Some(0)),
            ("b.yaml", FileType::File, Some(5)),
            ("dangling", FileType::Symlink, None),
            ("sub", FileType::Directory, None)
        ]
    );
    assert_eq!(client.list(path, Some("*.yaml"), false).await.unwrap(), [list[1].clone()]);
    assert!(client.list(path, Some("nothing*"), false).await.unwrap().is_empty());
    let itself = client.stat(path).await.unwrap().unwrap();
    assert_eq!((itself.file_type, itself.path.as_str()), (FileType::Directory, path));

    let missing = path_error(client.list(&daemon.file("missing"), None, false).await.unwrap_err());
    assert_eq!(missing.kind, PathErrorKind::NotFound);
    assert_eq!(client.stat(&daemon.file("dangling")).await.unwrap(), None);
    let through = path_error(client.list(&daemon.file("a.txt/x"), None, false).await.unwrap_err());
    assert_eq!(through.kind, PathErrorKind::Generic);
    assert_eq!(client.list("relative", None, false).await.unwrap_err().kind(), "api");
}

#[tokio::test]
async fn directories_are_removed() {
    let daemon = Daemon::start().await;
    let client = &daemon.client;
    for name in ["plain", "a/b/c"] {
        std::fs::create_dir_all(daemon.file(name)).unwrap();
    }
    let full = path_error(client.remove(&daemon.file("a"), false).await.unwrap_err());
    assert_eq!(full.kind, PathErrorKind::Generic);
    client.remove(&daemon.file("a"), true).await.unwrap();
    client.remove(&daemon.file("a"), true).await.unwrap();
    let missing = path_error(client.remove(&daemon.file("a"), false).await.unwrap_err());
    assert_eq!(missing.kind, PathErrorKind::NotFound);
    client.remove(&daemon.file("plain"), false).await.unwrap();
    assert!(!std::fs::exists(daemon.file("plain")).unwrap());
}
