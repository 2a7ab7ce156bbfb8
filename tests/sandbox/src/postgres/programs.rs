//! Finding PostgreSQL's own programs.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Error;
use super::owner::Owner;

/// Where Debian and Ubuntu keep the versions side by side.
const DEBIAN: &str = "/usr/lib/postgresql";
/// The oldest version that the charm supports.
const OLDEST: u32 = 14;

/// A directory with initdb and postgres of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    pub dir: PathBuf,
    /// For example `15.18`.
    pub version: String,
}

impl Installation {
    /// PG_BIN_DIR when it is set; otherwise the PATH, then the newest of the distribution's directories.
    pub fn find() -> Result<Self, Error> {
        Self::find_in(env::var_os("PG_BIN_DIR"), env::var_os("PATH"), Path::new(DEBIAN))
    }

    pub fn find_in(chosen: Option<OsString>, path: Option<OsString>, debian: &Path) -> Result<Self, Error> {
        if let Some(dir) = chosen.filter(|dir| !dir.is_empty()).map(PathBuf::from) {
            return Self::at(&dir).map_err(|reason| Error::Unusable { dir, reason });
        }
        let path = path.unwrap_or_default();
        // A program on the PATH may be a link into the directory that holds its companions.
        let on_path = env::split_paths(&path).filter_map(|dir| dir.join("postgres").canonicalize().ok());
        let on_path = on_path.filter_map(|postgres| postgres.parent().map(Path::to_owned));
        let mut versions: Vec<(u32, PathBuf)> = debian
            .read_dir()
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
            .collect();
        versions.sort();
        on_path
            .chain(versions.into_iter().rev().map(|(_, dir)| dir))
            .find_map(|dir| Self::at(&dir).ok())
            .ok_or_else(|| Error::Missing {
                searched: format!("looked on PATH and in {}; PG_BIN_DIR is unset", debian.display()),
            })
    }

    fn at(dir: &Path) -> Result<Self, String> {
        let initdb = dir.join("initdb");
        if !initdb.is_file() {
            return Err(format!("{} does not exist", initdb.display()));
        }
        let postgres = dir.join("postgres");
        let output = Command::new(&postgres)
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("{}: {error}", postgres.display()))?;
        // "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text.split_whitespace().nth(2).unwrap_or_default();
        let major: String = version.chars().take_while(char::is_ascii_digit).collect();
        match major.parse::<u32>() {
            Ok(major) if major >= OLDEST => Ok(Self { dir: dir.to_owned(), version: version.to_owned() }),
            _ => Err(format!("{} calls itself `{}`", postgres.display(), text.trim())),
        }
    }

    /// One of the programs, to run in `dir` as `owner`, with nothing of our environment that could change it.
    pub fn command(&self, name: &str, dir: &Path, owner: Option<&Owner>) -> Command {
        let mut command = Command::new(self.dir.join(name));
        command
            .current_dir(dir)
            .env_clear()
            .envs([("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LC_ALL", "C")]);
        command.stdin(Stdio::null());
        if let Some(owner) = owner {
            owner.run_as(&mut command);
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::programs::write;

    fn fake(dir: &Path, version: &str) {
        fs::create_dir_all(dir).unwrap();
        fs::write(dir.join("initdb"), "").unwrap();
        let script = format!("#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n");
        write(&dir.join("postgres"), &script).unwrap();
    }

    #[test]
    fn the_newest_version_of_the_distribution_is_found() {
        let dir = tempfile::tempdir().unwrap();
        for version in ["9", "13", "14", "16"] {
            fake(&dir.path().join(version).join("bin"), &format!("{version}.1 (Debian {version}.1-1)"));
        }
        let found = Installation::find_in(None, None, dir.path()).unwrap();
        assert_eq!(found, Installation { dir: dir.path().join("16/bin"), version: "16.1".into() });
    }

    #[test]
    fn a_chosen_directory_is_not_replaced_by_another() {
        let dir = tempfile::tempdir().unwrap();
        fake(&dir.path().join("16/bin"), "16.1");
        fake(&dir.path().join("old"), "13.9");
        for (chosen, says) in [("old", "13.9"), ("none", "initdb does not exist")] {
            let error =
                Installation::find_in(Some(dir.path().join(chosen).into()), None, dir.path()).unwrap_err();
            assert_eq!(error.kind(), "unusable");
            assert!(error.to_string().contains(says), "{error}");
        }
    }

    #[test]
    fn a_missing_installation_says_what_to_install() {
        let dir = tempfile::tempdir().unwrap();
        let error = Installation::find_in(None, Some(dir.path().into()), dir.path()).unwrap_err();
        assert_eq!(error.kind(), "missing");
        assert!(error.to_string().contains("apt-get install postgresql"), "{error}");
        assert!(!error.to_string().contains('\n'));
    }
}
