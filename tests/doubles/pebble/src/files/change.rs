//! Making directories and removing paths.
//!
//! It is given lists of paths with their options and works them off one by one; each has its own result.

use std::{io, os::unix::fs::PermissionsExt as _, path::Path};

use super::{Fields, PathError, absolute, kind, outcome, owner, permissions, results};
use crate::{process::system_words, respond::Answer, users::Identity};

/// The action `make-dirs`.
///
/// # Errors
/// 400 for fields of a wrong type.
pub fn make_directories(fields: &Fields) -> Answer {
    let mut made = Vec::new();
    for item in fields.objects("dirs", "makeDirsItem")? {
        let (path, mode, parents) =
            (item.text("path")?, item.text("permissions")?, item.flag("make-parents")?);
        let owner = owner(&item)?;
        let result = absolute(&path).and_then(|()| {
            let mode = permissions(&mode, 0o755)?;
            let owner = owner?;
            if parents { make_all(&path, mode, owner.as_ref()) } else { make(&path, mode, owner.as_ref()) }
        });
        made.push(outcome(&path, result));
    }
    results(made)
}

fn exists() -> io::Error {
    io::Error::from_raw_os_error(nix::errno::Errno::EEXIST as i32)
}

fn not_a_directory() -> io::Error {
    io::Error::from_raw_os_error(nix::errno::Errno::ENOTDIR as i32)
}

/// Makes one directory, complete with mode and owner before it gets its name.
fn make(path: &str, mode: u32, owner: Option<&Identity>) -> Result<(), PathError> {
    match Path::new(path).metadata() {
        Ok(metadata) if metadata.is_dir() => return Err(PathError::of("mkdir", path, &exists())),
        Ok(_) => return Err(PathError::of("mkdir", path, &not_a_directory())),
        Err(_) => {}
    }
    let new = format!("{}.mkdir-new", path.trim_end_matches('/'));
    let bare = |error: &io::Error| PathError { kind: kind(error), message: system_words(error) };
    std::fs::create_dir(&new).map_err(|error| PathError::of("mkdir", &new, &error))?;
    let finished = || {
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(mode))
            .map_err(|error| bare(&error))?;
        if let Some(owner) = owner {
            std::os::unix::fs::chown(&new, Some(owner.uid), Some(owner.gid))
                .map_err(|error| PathError::of("chown", &new, &error))?;
        }
        std::fs::rename(&new, path).map_err(|error| PathError {
            kind: kind(&error),
            message: format!("rename {new} {path}: {}", system_words(&error)),
        })
    };
    finished().inspect_err(|_| {
        let _ = std::fs::remove_dir(&new);
    })
}

/// Makes a directory and those above it that are missing; one that exists is left as it is.
pub(super) fn make_all(path: &str, mode: u32, owner: Option<&Identity>) -> Result<(), PathError> {
    match Path::new(path).metadata() {
        Ok(metadata) if metadata.is_dir() => return Ok(()),
        Ok(_) => return Err(PathError::of("mkdir", path, &not_a_directory())),
        Err(_) => {}
    }
    if let Some(parent) = Path::new(path).parent() {
        make_all(&parent.to_string_lossy(), mode, owner)?;
    }
    make(path, mode, owner)
}

/// The action `remove`.
///
/// # Errors
/// 400 for fields of a wrong type.
pub fn remove(fields: &Fields) -> Answer {
    let mut removed = Vec::new();
    for item in fields.objects("paths", "removePathsItem")? {
        let (path, recursive) = (item.text("path")?, item.flag("recursive")?);
        let result = absolute(&path).and_then(|()| remove_one(&path, recursive));
        removed.push(outcome(&path, result));
    }
    results(removed)
}

fn remove_one(path: &str, recursive: bool) -> Result<(), PathError> {
    let metadata = Path::new(path).symlink_metadata();
    let directory = metadata.as_ref().is_ok_and(|metadata| metadata.is_dir());
    let result = match (directory, recursive) {
        (true, true) => std::fs::remove_dir_all(path),
        (true, false) => std::fs::remove_dir(path),
        (false, _) => std::fs::remove_file(path),
    };
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound && recursive => Ok(()),
        other => other.map_err(|error| PathError::of("remove", path, &error)),
    }
}
