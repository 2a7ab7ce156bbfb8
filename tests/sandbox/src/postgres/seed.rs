//! The seed: a data directory that `initdb` made once, and of which every further cluster begins as a copy.
//!
//! It is given a cluster's directory and fills `data` there; the superuser's password comes with it, so copies of one seed
//! share it. `initdb` takes some twenty times as long as a copy, and its result depends on nothing but its version. The seed
//! lies in Cargo's target directory, where `cargo clean` removes it; a program that runs elsewhere keeps none.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use nix::unistd::geteuid;

use super::owner::Owner;
use super::programs::Installation;
use super::{Error, SUPERUSER, server};
use crate::programs::target_dir;

/// Small segments, because what is not there need not be copied.
const ARGUMENTS: [&str; 6] = [
    "--no-sync",
    "--no-instructions",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--wal-segsize=1",
];

/// Fills `dir/data`; gives the superuser's password.
pub fn fill(installation: &Installation, dir: &Path, owner: Option<&Owner>) -> Result<String, Error> {
    let seeds = target_dir().map(|target| target.join("postgres"));
    fill_from(seeds.as_deref(), installation, dir, owner)
}

fn fill_from(
    seeds: Option<&Path>,
    installation: &Installation,
    dir: &Path,
    owner: Option<&Owner>,
) -> Result<String, Error> {
    let data = dir.join("data");
    let seed = seeds.map(|seeds| seeds.join(name(installation)));
    if let Some(seed) = &seed
        && let Ok(password) = fs::read_to_string(seed.join("password"))
        && !data.exists()
    {
        copy(&seed.join("data"), &data, owner)?;
        return Ok(password);
    }
    let password = random_password().map_err(Error::file(Path::new("/dev/urandom")))?;
    initdb(installation, dir, &password, owner)?;
    // Without a seed every cluster works all the same, so whatever hinders it is no error.
    let _ = seed.map(|seed| keep(&data, &password, &seed));
    Ok(password)
}

/// Of the same version and arguments; files that `initdb` made are closed to other users.
fn name(installation: &Installation) -> String {
    let mut arguments = DefaultHasher::new();
    (ARGUMENTS, SUPERUSER).hash(&mut arguments);
    format!("{}-{}-{:x}", installation.version, geteuid(), arguments.finish())
}

fn initdb(
    installation: &Installation,
    dir: &Path,
    password: &str,
    owner: Option<&Owner>,
) -> Result<(), Error> {
    let file = dir.join("password");
    server::write_private(&file, password).map_err(Error::file(&file))?;
    owner.map_or(Ok(()), |owner| owner.take(&file))?;
    let mut initdb = installation.command("initdb", dir, owner);
    initdb
        .args(ARGUMENTS)
        .arg(format!("--username={SUPERUSER}"))
        .arg(format!("--pwfile={}", file.display()))
        .arg(format!("--pgdata={}", dir.join("data").display()));
    let output = initdb.output().map_err(Error::file(&installation.dir.join("initdb")));
    fs::remove_file(&file).map_err(Error::file(&file))?;
    let output = output?;
    if !output.status.success() {
        let log = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Error::Failed { program: "initdb", dir: dir.to_owned(), log });
    }
    Ok(())
}

/// Makes a copy and moves it to its place at once: nobody finds half of a seed, and of several makers one succeeds.
fn keep(data: &Path, password: &str, seed: &Path) -> Result<(), Error> {
    let seeds = seed.parent().unwrap_or(seed);
    fs::create_dir_all(seeds).map_err(Error::file(seeds))?;
    let made = tempfile::Builder::new().prefix("making").tempdir_in(seeds).map_err(Error::file(seeds))?;
    copy(data, &made.path().join("data"), None)?;
    server::write_private(&made.path().join("password"), password).map_err(Error::file(made.path()))?;
    fs::rename(made.path(), seed).map_err(Error::file(seed))
}

/// Copies a directory with its modes, and gives it to `owner`.
fn copy(from: &Path, to: &Path, owner: Option<&Owner>) -> Result<(), Error> {
    let mode = from.metadata().map_err(Error::file(from))?.mode();
    fs::DirBuilder::new().mode(mode).create(to).map_err(Error::file(to))?;
    owner.map_or(Ok(()), |owner| owner.take(to))?;
    for entry in fs::read_dir(from).map_err(Error::file(from))? {
        let entry = entry.map_err(Error::file(from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().map_err(Error::file(&source))?.is_dir() {
            copy(&source, &target, owner)?;
        } else {
            fs::copy(&source, &target).map_err(Error::file(&source))?;
            owner.map_or(Ok(()), |owner| owner.take(&target))?;
        }
    }
    Ok(())
}

/// 24 random hexadecimal digits.
fn random_password() -> io::Result<String> {
    let mut bytes = [0u8; 12];
    io::Read::read_exact(&mut fs::File::open("/dev/urandom")?, &mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;
    use std::thread;

    use super::*;

    /// A new directory filled from the seeds, as a cluster's is: its path and the password.
    fn filled(root: &Path, name: &str, seeds: &Path) -> (PathBuf, String) {
        let owner = Owner::choose().unwrap();
        let dir = root.join(name);
        fs::create_dir(&dir).unwrap();
        if let Some(owner) = &owner {
            owner.open_parents(&dir.canonicalize().unwrap()).unwrap();
            owner.take(&dir).unwrap();
        }
        let password = fill_from(Some(seeds), &Installation::find().unwrap(), &dir, owner.as_ref()).unwrap();
        (dir.join("data"), password)
    }

    /// Name, mode and user of everything below a directory.
    fn entries(root: &Path) -> BTreeSet<(PathBuf, u32, u32)> {
        let (mut found, mut folders) = (BTreeSet::new(), vec![root.to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().flatten() {
                let (path, metadata) = (entry.path(), entry.metadata().unwrap());
                let name = path.strip_prefix(root).unwrap().to_owned();
                found.insert((name, metadata.mode(), metadata.uid()));
                folders.extend(metadata.is_dir().then_some(path));
            }
        }
        found
    }

    #[test]
    fn of_several_makers_one_leaves_the_seed_and_its_copies_are_like_the_original() {
        let root = tempfile::tempdir().unwrap();
        let (root, seeds) = (root.path(), root.path().join("seeds"));
        // What a maker leaves that is killed.
        fs::create_dir_all(seeds.join("making-killed/data")).unwrap();
        let made = thread::scope(|scope| {
            let makers = ["a", "b", "c"].map(|name| scope.spawn(|| filled(root, name, &seeds)));
            makers.map(|maker| maker.join().unwrap())
        });
        let seed = name(&Installation::find().unwrap());
        let kept: BTreeSet<_> =
            fs::read_dir(&seeds).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(kept, BTreeSet::from(["making-killed".into(), seed.into()]));

        let (copy, password) = filled(root, "copy", &seeds);
        let original = made.iter().find(|(_, known)| *known == password).unwrap();
        assert_eq!(entries(&copy), entries(&original.0));
        assert!(made.iter().all(|(data, _)| data.join("global/pg_control").is_file()));
    }
}
