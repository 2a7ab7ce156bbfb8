//! The ordinary user whom the server runs as when we are root, because PostgreSQL refuses to run as root.

use std::env;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::unistd::{User, geteuid};

use super::Error;

/// A user of this machine.
#[derive(Debug, Clone)]
pub struct Owner {
    name: String,
    uid: u32,
    gid: u32,
}

impl Owner {
    /// `None` when we are an ordinary user ourselves.
    pub fn choose() -> Result<Option<Self>, Error> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        let user = ["postgres", "nobody"].into_iter().find_map(|name| User::from_name(name).ok().flatten());
        let user = user.ok_or(Error::NoUser)?;
        Ok(Some(Self { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw() }))
    }

    /// Gives a file or directory to the user.
    pub fn take(&self, path: &Path) -> Result<(), Error> {
        chown(path, Some(self.uid), Some(self.gid)).map_err(Error::file(path))
    }

    /// Makes sure that the user can walk to `dir`.
    ///
    /// Directories of ours below the temporary directory are opened for passing through (temporary directories are
    /// made closed to everybody else); elsewhere a closed directory is an error, for it may be closed on purpose.
    pub fn open_parents(&self, dir: &Path) -> Result<(), Error> {
        // `dir` is free of links, so this has to be too.
        let temporary = env::temp_dir();
        let temporary = temporary.canonicalize().map_err(Error::file(&temporary))?;
        for parent in dir.ancestors().skip(1) {
            let metadata = parent.metadata().map_err(Error::file(parent))?;
            let mode = metadata.mode();
            let needed = if metadata.uid() == self.uid { 0o100 } else { 0o001 };
            if mode & needed != 0 {
                continue;
            }
            let ours = metadata.uid() == geteuid().as_raw();
            if !(ours && parent.starts_with(&temporary) && parent != temporary) {
                return Err(Error::Closed { path: parent.to_owned(), user: self.name.clone() });
            }
            let opened = fs::Permissions::from_mode((mode | needed) & 0o7777);
            fs::set_permissions(parent, opened).map_err(Error::file(parent))?;
        }
        Ok(())
    }

    /// Lets the command run as the user, without our supplementary groups.
    pub fn run_as(&self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }
}
