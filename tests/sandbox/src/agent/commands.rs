//! The hook commands' names, and the directory of links that a charm finds on its PATH.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::Error;

/// Every hook command of Juju 3.6 and 4.x.
pub const COMMANDS: &[&str] = &[
    "action-fail",
    "action-get",
    "action-log",
    "action-set",
    "application-version-set",
    "close-port",
    "config-get",
    "credential-get",
    "goal-state",
    "is-leader",
    "juju-log",
    "juju-reboot",
    "network-get",
    "open-port",
    "opened-ports",
    "relation-get",
    "relation-ids",
    "relation-list",
    "relation-model-get",
    "relation-set",
    "resource-get",
    "secret-add",
    "secret-get",
    "secret-grant",
    "secret-ids",
    "secret-info-get",
    "secret-remove",
    "secret-revoke",
    "secret-set",
    "state-delete",
    "state-get",
    "state-set",
    "status-get",
    "status-set",
    "storage-add",
    "storage-get",
    "storage-list",
    "unit-get",
];

/// Makes `dir` with one link per command, each to the program `hook_command`. Links that stand there are replaced.
pub fn tools_dir(dir: &Path, hook_command: &Path) -> Result<(), Error> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| Error::Tools { path, source }
    };
    let program = fs::canonicalize(hook_command).map_err(failed(hook_command))?;
    fs::create_dir_all(dir).map_err(failed(dir))?;
    for name in COMMANDS {
        let link = dir.join(name);
        match fs::remove_file(&link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&link)(error)),
            _ => symlink(&program, &link).map_err(failed(&link))?,
        }
    }
    Ok(())
}
