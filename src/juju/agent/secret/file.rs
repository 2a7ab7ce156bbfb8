//! A file that exists for the length of one command, to hand content to the agent.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::super::super::error::{Error, Result};

const PREFIX: &str = "juju-secret-";

/// A file of mode 0600 in the charm's own directory or, where that cannot be written, in the system's directory for
/// temporary files; removed when this value goes.
pub(super) struct ContentFile {
    path: String,
}

impl ContentFile {
    /// Writes `bytes` to a new file whose name nobody can foresee.
    pub(super) fn new(command: &'static str, bytes: &[u8]) -> Result<Self> {
        if let Some(directory) = charm_directory()
            && let Ok(file) = Self::create(&directory, bytes)
        {
            return Ok(file);
        }
        let directory = std::env::temp_dir();
        Self::create(&directory, bytes).map_err(|source| {
            let directory = directory.display().to_string();
            Error::TemporaryFile { command, directory, source }
        })
    }

    /// Absolute, and UTF-8 because it becomes an argument.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    fn create(directory: &Path, bytes: &[u8]) -> io::Result<Self> {
        let mut random = [0_u8; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let name = format!("{PREFIX}{:016x}", u64::from_ne_bytes(random));
        let path = std::path::absolute(directory)?.join(name).into_os_string().into_string();
        let path = path.map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "its path is not UTF-8"))?;
        // create_new refuses what is already there, a symbolic link included.
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        // From here on the file is removed, also if writing it fails.
        let this = Self { path };
        file.write_all(bytes)?;
        Ok(this)
    }
}

/// Removes what a killed process of this unit left: Juju runs one at a time.
pub(super) fn sweep() {
    let Some(entries) = charm_directory().and_then(|directory| fs::read_dir(directory).ok()) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            // Should it stay, it is as private as before.
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "every hook has the variable, wherever a secret is written")]
fn charm_directory() -> Option<PathBuf> {
    std::env::var_os("JUJU_CHARM_DIR").filter(|directory| !directory.is_empty()).map(PathBuf::from)
}

impl Drop for ContentFile {
    fn drop(&mut self) {
        // Nothing can be done about a failure here, and the file is ours alone to read.
        let _ = fs::remove_file(&self.path);
    }
}
