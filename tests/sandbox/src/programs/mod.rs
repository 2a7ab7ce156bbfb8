//! Where the programs are that the sandbox runs.
//!
//! Ours stand beside the running executable, because Cargo puts all of a workspace's programs into one directory.
//! Pebble and Kratos are the real ones when the variables `PEBBLE_BIN`, `KRATOS_BIN` and `KRATOS_BIN_*` name them, and
//! our doubles otherwise. A variable that names an unusable program is an error: who sets it wants the real thing.

mod tether;
mod version;

use std::env;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) use tether::Tether;
use version::{numbers, version};

/// The Kratos versions that the double plays.
pub const DOUBLE_VERSIONS: [&str; 3] = ["v1.3.1", "v25.4.0", "v26.2.0"];

/// A program that is either the real one or our double of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    pub path: PathBuf,
    pub double: bool,
}

/// A Kratos of one version, which stands for a workload image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kratos {
    /// As the program tells it, for example `v26.2.0`.
    pub version: String,
    pub path: PathBuf,
    pub double: bool,
}

/// All programs that a sandbox needs.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The charm: `kratos-operator`.
    pub charm: PathBuf,
    /// The program behind every hook command.
    pub hook_command: PathBuf,
    /// The stand-in for the PostgreSQL charm.
    pub postgresql: PathBuf,
    /// The stand-in for all other charms.
    pub stand_in: PathBuf,
    pub pebble: Program,
    /// At least one, oldest version first.
    pub kratos: Vec<Kratos>,
}

/// Why the programs are not complete.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot tell where this program is")]
    Here(#[source] io::Error),
    #[error("{name} is not in {dir}: `cargo test --workspace` and `cargo build --workspace` build it")]
    NotBuilt { name: &'static str, dir: PathBuf },
    #[error("{variable} names {path}, which cannot be run: {reason}")]
    Unusable { variable: String, path: PathBuf, reason: String },
}

impl Error {
    /// A stable label for tests and logs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Here(_) => "here",
            Self::NotBuilt { .. } => "not-built",
            Self::Unusable { .. } => "unusable",
        }
    }
}

impl Programs {
    /// Looks beside the running executable and at this process' variables.
    pub fn find() -> Result<Self, Error> {
        let here = env::current_exe().map_err(Error::Here)?;
        Self::find_with(
            &here,
            env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into()))),
        )
    }

    /// The same for the executable `here` and the given variables.
    pub fn find_with(
        here: &Path,
        variables: impl IntoIterator<Item = (String, PathBuf)>,
    ) -> Result<Self, Error> {
        let mut pebble = None;
        let mut kratos = Vec::new();
        for (variable, path) in variables {
            if variable == "PEBBLE_BIN" {
                check(&variable, &path)?;
                pebble = Some(Program { path, double: false });
            } else if variable == "KRATOS_BIN" || variable.starts_with("KRATOS_BIN_") {
                check(&variable, &path)?;
                let version = version(&path).map_err(|reason| Error::Unusable {
                    variable,
                    path: path.clone(),
                    reason,
                })?;
                kratos.push(Kratos { version, path, double: false });
            }
        }
        if kratos.is_empty() {
            let path = built(here, "kratos-double")?;
            let double =
                |version: &str| Kratos { version: version.to_owned(), path: path.clone(), double: true };
            kratos.extend(DOUBLE_VERSIONS.map(double));
        }
        kratos.sort_by_key(|kratos| (numbers(&kratos.version), kratos.path.clone()));
        kratos.dedup();
        Ok(Self {
            charm: built(here, "kratos-operator")?,
            hook_command: built(here, "hook-command")?,
            postgresql: built(here, "postgresql-k8s")?,
            stand_in: built(here, "stand-in")?,
            pebble: match pebble {
                Some(pebble) => pebble,
                None => Program { path: built(here, "pebble-double")?, double: true },
            },
            kratos,
        })
    }
}

impl Programs {
    /// The real Kratos of a version such as `v26.2.0`, if a variable names one.
    #[must_use]
    pub fn real(&self, version: &str) -> Option<&Path> {
        let found = self.kratos.iter().find(|kratos| !kratos.double && kratos.version == version);
        found.map(|kratos| kratos.path.as_path())
    }
}

/// A program of this workspace, for what needs only that one.
pub fn program(name: &'static str) -> Result<PathBuf, Error> {
    built(&env::current_exe().map_err(Error::Here)?, name)
}

/// Writes a program that can be run at once, by a child process. Of a file that we had open for writing, another thread's
/// child may hold a copy of the descriptor until it runs its own program, and until then the file is too busy to be run.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut install =
        Command::new("install").args(["-m", "0755", "/dev/stdin"]).arg(path).stdin(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = install.stdin.take() {
        stdin.write_all(text.as_bytes())?;
    }
    let status = install.wait()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("install: {status}"))) }
}

/// Where Cargo has put the running executable, if it has.
pub(crate) fn target_dir() -> Option<PathBuf> {
    let here = env::current_exe().ok()?;
    let dir = dir_of(&here);
    dir.join("deps").is_dir().then(|| dir.to_owned())
}

fn built(here: &Path, name: &'static str) -> Result<PathBuf, Error> {
    let dir = dir_of(here);
    let path = dir.join(name);
    if path.is_file() { Ok(path) } else { Err(Error::NotBuilt { name, dir: dir.to_owned() }) }
}

/// The directory of an executable, or that above it when it is a test in `deps`.
fn dir_of(here: &Path) -> &Path {
    let dir = here.parent().unwrap_or(Path::new("/"));
    if dir.ends_with("deps") { dir.parent().unwrap_or(dir) } else { dir }
}

fn check(variable: &str, path: &Path) -> Result<(), Error> {
    let reason = match path.metadata() {
        _ if !path.is_absolute() => "the path is not absolute".to_owned(),
        Err(error) => error.to_string(),
        Ok(metadata) if !metadata.is_file() => "it is no file".to_owned(),
        Ok(metadata) if metadata.permissions().mode() & 0o111 == 0 => "it is not executable".to_owned(),
        Ok(_) => return Ok(()),
    };
    Err(Error::Unusable { variable: variable.to_owned(), path: path.to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const OURS: [&str; 6] =
        ["kratos-operator", "hook-command", "postgresql-k8s", "stand-in", "pebble-double", "kratos-double"];

    /// A directory as Cargo leaves it, and the test executable in it.
    fn built_all() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        for name in OURS {
            write(&dir.path().join(name), "").unwrap();
        }
        let here = dir.path().join("deps/test-0123");
        (dir, here)
    }

    fn kratos(dir: &Path, version: &str) -> PathBuf {
        let path = dir.join(format!("kratos-{version}"));
        let script =
            format!("#!/bin/sh\n[ \"$1\" = version ] || exit 2\nprintf 'Version:\\t\\t\\t{version}\\n'\n");
        write(&path, &script).unwrap();
        path
    }

    #[test]
    fn our_programs_stand_beside_the_sandbox_and_above_a_test() {
        let (dir, test) = built_all();
        for here in [test, dir.path().join("sandbox")] {
            let programs = Programs::find_with(&here, []).unwrap();
            assert_eq!(programs.charm, dir.path().join("kratos-operator"));
            assert_eq!(programs.hook_command, dir.path().join("hook-command"));
            assert_eq!(programs.postgresql, dir.path().join("postgresql-k8s"));
            assert_eq!(programs.stand_in, dir.path().join("stand-in"));
            assert_eq!(programs.pebble, Program { path: dir.path().join("pebble-double"), double: true });
            let versions: Vec<_> =
                programs.kratos.iter().map(|kratos| (kratos.version.as_str(), kratos.double)).collect();
            assert_eq!(versions, [("v1.3.1", true), ("v25.4.0", true), ("v26.2.0", true)]);
        }
    }

    #[test]
    fn a_missing_program_is_named_with_what_builds_it() {
        for name in OURS {
            let (dir, here) = built_all();
            fs::remove_file(dir.path().join(name)).unwrap();
            let error = Programs::find_with(&here, []).unwrap_err();
            assert_eq!(error.kind(), "not-built");
            assert!(
                error.to_string().starts_with(name) && error.to_string().contains("cargo build"),
                "{error}"
            );
        }
    }

    #[test]
    fn real_programs_replace_the_doubles_oldest_first() {
        let (dir, here) = built_all();
        let [new, old] = ["v26.2.0", "v1.3.1"].map(|version| kratos(dir.path(), version));
        let pebble = dir.path().join("pebble");
        write(&pebble, "").unwrap();
        let variables =
            [("KRATOS_BIN", &new), ("KRATOS_BIN_OLD", &old), ("KRATOS_BIN_2", &new), ("PEBBLE_BIN", &pebble)];
        let programs =
            Programs::find_with(&here, variables.map(|(name, path)| (name.into(), path.clone()))).unwrap();
        assert_eq!(programs.pebble, Program { path: pebble, double: false });
        let real = |version: &str, path| Kratos { version: version.to_owned(), path, double: false };
        assert_eq!(programs.kratos, [real("v1.3.1", old), real("v26.2.0", new)]);
    }

    #[test]
    fn a_variable_that_names_no_program_is_an_error() {
        let (dir, here) = built_all();
        let plain = dir.path().join("plain");
        fs::write(&plain, "").unwrap();
        let silent = dir.path().join("silent");
        write(&silent, "#!/bin/sh\n").unwrap();
        for (variable, path, reason) in [
            ("PEBBLE_BIN", Path::new("/nowhere/pebble"), "No such file"),
            ("PEBBLE_BIN", Path::new("pebble"), "not absolute"),
            ("KRATOS_BIN", plain.as_path(), "not executable"),
            ("KRATOS_BIN_X", dir.path(), "no file"),
            ("KRATOS_BIN", silent.as_path(), "told no version"),
        ] {
            let error = Programs::find_with(&here, [(variable.to_owned(), path.to_owned())]).unwrap_err();
            assert_eq!(error.kind(), "unusable");
            assert!(error.to_string().starts_with(variable) && error.to_string().contains(reason), "{error}");
        }
    }
}
