//! The charm as Juju unpacks it and as a `.charm` file.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use sandbox::pack;
use tempfile::TempDir;

const CHARMCRAFT: &str =
    "type: charm\nbase: ubuntu@24.04\nplatforms:\n  amd64:\n  arm64:\n  s390x:\n  riscv64:\n  ppc64el:\n";

/// A charm's source with everything in it, modes deliberately wrong, and a binary.
fn source() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str, mode: u32| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    write("binary", "\x7fELF", 0o700);
    write("charmcraft.yaml", CHARMCRAFT, 0o644);
    for name in
        ["metadata.yaml", "config.yaml", "actions.yaml", "LICENSE", "icon.svg", "README.md", "src/main.rs"]
    {
        write(name, name, 0o600);
    }
    write("hooks/install", "#!/bin/sh\nexec ../dispatch\n", 0o644);
    write("hooks/start", "#!/bin/sh\nexec ../dispatch\n", 0o755);
    dir
}

/// Every file below `dir` with its mode.
fn files(dir: &Path) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
                found.insert(name, path.metadata().unwrap().permissions().mode() & 0o777);
            }
        }
    }
    found
}

#[test]
fn a_charm_is_laid_out_as_juju_unpacks_it() {
    let source = source();
    let charm = source.path().join("out/charm");
    pack::lay_out(&source.path().join("binary"), source.path(), &charm).unwrap();
    let expected = [
        ("LICENSE", 0o644),
        ("README.md", 0o644),
        ("actions.yaml", 0o644),
        ("config.yaml", 0o644),
        ("dispatch", 0o755),
        ("hooks/install", 0o755),
        ("hooks/start", 0o755),
        ("icon.svg", 0o644),
        ("manifest.yaml", 0o644),
        ("metadata.yaml", 0o644),
    ];
    assert_eq!(files(&charm), expected.map(|(name, mode)| (name.to_owned(), mode)).into());
    assert_eq!(fs::read(charm.join("dispatch")).unwrap(), b"\x7fELF");

    let manifest: serde_yaml::Value =
        serde_yaml::from_str(&fs::read_to_string(charm.join("manifest.yaml")).unwrap()).unwrap();
    assert_eq!(manifest["bases"][0]["name"], "ubuntu");
    assert_eq!(manifest["bases"][0]["channel"], "24.04");
    assert_eq!(manifest["bases"][0]["architectures"].as_sequence().unwrap().len(), 1);
    assert!(manifest["charmcraft-started-at"].is_string());
    assert_eq!(manifest["analysis"]["attributes"].as_sequence().unwrap().len(), 0);
}

#[test]
fn what_is_missing_or_in_the_way_is_named() {
    let source = source();
    let binary = source.path().join("binary");
    let error =
        pack::lay_out(&source.path().join("nothing"), source.path(), &source.path().join("a")).unwrap_err();
    assert!(error.to_string().ends_with("/nothing"), "{error}");
    let error = pack::lay_out(&binary, source.path(), &source.path().join("hooks")).unwrap_err();
    assert_eq!(error.kind(), "not-empty");
    fs::write(source.path().join("charmcraft.yaml"), "base: [").unwrap();
    assert_eq!(pack::lay_out(&binary, source.path(), &source.path().join("b")).unwrap_err().kind(), "yaml");
    fs::write(source.path().join("charmcraft.yaml"), "base: ubuntu@24.04").unwrap();
    assert_eq!(
        pack::lay_out(&binary, source.path(), &source.path().join("b")).unwrap_err().kind(),
        "charmcraft"
    );
    fs::write(source.path().join("charmcraft.yaml"), CHARMCRAFT).unwrap();
    fs::remove_file(source.path().join("metadata.yaml")).unwrap();
    let error = pack::lay_out(&binary, source.path(), &source.path().join("b")).unwrap_err();
    assert!(error.to_string().ends_with("/metadata.yaml"), "{error}");
}

#[test]
fn an_archive_keeps_content_and_modes_and_is_the_same_each_time() {
    let source = source();
    let charm = source.path().join("charm");
    pack::lay_out(&source.path().join("binary"), source.path(), &charm).unwrap();
    let (one, two) = (source.path().join("one.charm"), source.path().join("two.charm"));
    pack::zip(&charm, &one).unwrap();
    // Another time of change must not matter.
    File::options()
        .write(true)
        .open(charm.join("README.md"))
        .unwrap()
        .set_modified(std::time::UNIX_EPOCH)
        .unwrap();
    pack::zip(&charm, &two).unwrap();
    assert!(fs::read(&one).unwrap() == fs::read(&two).unwrap());

    let mut archive = zip::ZipArchive::new(File::open(&one).unwrap()).unwrap();
    let unpacked = source.path().join("unpacked");
    archive.extract(&unpacked).unwrap();
    assert_eq!(files(&unpacked), files(&charm));
    for name in files(&charm).keys() {
        assert_eq!(fs::read(unpacked.join(name)).unwrap(), fs::read(charm.join(name)).unwrap(), "{name}");
    }
}

#[test]
fn a_symbolic_link_is_not_packed() {
    let dir = tempfile::tempdir().unwrap();
    let charm = dir.path().join("charm");
    fs::create_dir(&charm).unwrap();
    symlink("dispatch", charm.join("install")).unwrap();
    let error = pack::zip(&charm, &dir.path().join("x.charm")).unwrap_err();
    assert_eq!(error.kind(), "pack");
    assert!(error.to_string().contains("install"), "{error}");
}
