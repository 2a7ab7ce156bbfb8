//! The charm as Juju unpacks it, and the same as a `.charm` file.
//!
//! Given the charm's binary and its source directory, [`lay_out`] makes the directory that Juju would make of the
//! packed charm; [`zip`] packs such a directory. It does what `charmcraft pack` does for a charm of one binary, so that
//! a sandbox runs without charmcraft, and the modes (`dispatch` must be executable) are the same.

mod archive;
mod manifest;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use archive::zip;

/// Files that are copied as they are. Juju needs the first; a charm may do without the others.
const FILES: [&str; 6] = ["metadata.yaml", "config.yaml", "actions.yaml", "LICENSE", "icon.svg", "README.md"];

/// Why a charm could not be laid out or packed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot use {path}")]
    File { path: PathBuf, source: io::Error },
    #[error("{path} is not valid YAML")]
    Yaml { path: PathBuf, source: serde_yaml::Error },
    #[error("{path}: {reason}")]
    Charmcraft { path: PathBuf, reason: String },
    #[error("{0} is not empty")]
    NotEmpty(PathBuf),
    #[error("{path} cannot be packed: {reason}")]
    Pack { path: PathBuf, reason: String },
}

impl Error {
    /// A stable label for tests and logs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::File { .. } => "file",
            Self::Yaml { .. } => "yaml",
            Self::Charmcraft { .. } => "charmcraft",
            Self::NotEmpty(_) => "not-empty",
            Self::Pack { .. } => "pack",
        }
    }

    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

/// Lays the charm of `source` out in `dir`, which is made when missing and must be empty: `dispatch` is `binary`,
/// beside it stand the YAML files, the hooks, and a manifest.yaml for this machine's architecture.
pub fn lay_out(binary: &Path, source: &Path, dir: &Path) -> Result<(), Error> {
    fs::create_dir_all(dir).map_err(Error::file(dir))?;
    if fs::read_dir(dir).map_err(Error::file(dir))?.next().is_some() {
        return Err(Error::NotEmpty(dir.to_owned()));
    }
    let manifest = manifest::generate(&source.join("charmcraft.yaml"))?;
    install(binary, &dir.join("dispatch"))?;
    for name in FILES {
        let from = source.join(name);
        if from.exists() || name == "metadata.yaml" {
            copy(&from, &dir.join(name), 0o644)?;
        }
    }
    let manifest_path = dir.join("manifest.yaml");
    fs::write(&manifest_path, manifest).map_err(Error::file(&manifest_path))?;
    set_mode(&manifest_path, 0o644)?;
    let hooks = source.join("hooks");
    if hooks.is_dir() {
        let target = dir.join("hooks");
        fs::create_dir(&target).map_err(Error::file(&target))?;
        for entry in fs::read_dir(&hooks).map_err(Error::file(&hooks))? {
            let entry = entry.map_err(Error::file(&hooks))?;
            copy(&entry.path(), &target.join(entry.file_name()), 0o755)?;
        }
    }
    Ok(())
}

/// Copies a program by a child process. Of a file that we had open for writing, another thread's child may hold a copy
/// of the descriptor until it runs its own program, and until then the kernel refuses to execute the file.
pub(crate) fn install(from: &Path, to: &Path) -> Result<(), Error> {
    let mut command = Command::new("install");
    let output = command.args(["-m", "0755", "--"]).arg(from).arg(to).output();
    let output = output.map_err(Error::file(Path::new("install")))?;
    if output.status.success() {
        return Ok(());
    }
    let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::File { path: from.to_owned(), source: io::Error::other(reason) })
}

fn copy(from: &Path, to: &Path, mode: u32) -> Result<(), Error> {
    fs::copy(from, to).map_err(Error::file(from))?;
    set_mode(to, mode)
}

fn set_mode(path: &Path, mode: u32) -> Result<(), Error> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(Error::file(path))
}
