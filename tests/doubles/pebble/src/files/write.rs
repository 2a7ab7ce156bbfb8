//! Writing files: a multipart request, and the atomic write of each file.
//!
//! It is given metadata in the first part and contents in the others. A file is written beside its place under a random
//! name, gets its mode and owner, and is then moved over whatever stood there.

use std::{
    collections::BTreeMap,
    io::Write as _,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use super::{PathError, absolute, change, kind, multipart, outcome, owner, permissions, results};
use crate::{
    body::{Fields, first_value},
    process::system_words,
    respond::{Answer, bad},
};

/// `POST /v1/files` with a multipart body.
///
/// # Errors
/// 400 for a body that is not as agreed; files before the bad part are written by then.
pub fn answer(content_type: &str, body: &[u8]) -> Answer {
    let boundary = multipart::boundary_of(content_type);
    if boundary.len() < 32 {
        return Err(bad(format!("invalid boundary {boundary:?}")));
    }
    let mut parts = multipart::Parts::new(body, &boundary);
    let part = parts.next().map_err(|error| bad(format!("cannot read request metadata: {error}")))?;
    let part = part.ok_or_else(|| bad("cannot read request metadata: EOF"))?;
    if part.name != "request" {
        return Err(bad(format!("metadata field name must be \"request\", got {:?}", part.name)));
    }
    let metadata =
        first_value(part.content).map_err(|error| bad(format!("cannot decode request metadata: {error}")))?;
    let metadata = Fields::of(&metadata, "cannot decode request metadata", "");
    let action = metadata.text("action")?;
    if action != "write" {
        return Err(bad(format!("multipart action must be \"write\", got {action:?}")));
    }
    let files = metadata.objects("files", "writeFilesItem")?;
    if files.is_empty() {
        return Err(bad("must specify one or more files"));
    }
    let mut paths = Vec::new();
    for file in &files {
        paths.push(file.text("path")?);
    }
    let mut written = BTreeMap::new();
    let mut number = 0;
    while let Some(part) =
        parts.next().map_err(|error| bad(format!("cannot read file part {}: {error}", number + 1)))?
    {
        if part.name != "files" {
            return Err(bad(format!("field name must be \"files\", got {:?}", part.name)));
        }
        let Some(place) = paths.iter().position(|path| *path == part.filename) else {
            return Err(bad(format!("no metadata for path {:?}", part.filename)));
        };
        written.insert(part.filename.clone(), write(&part.filename, &files[place], part.content)?);
        number += 1;
    }
    let missing = |path: &str| PathError::generic(format!("no file content for path {path:?}"));
    results(
        paths
            .iter()
            .map(|path| outcome(path, written.remove(path).unwrap_or_else(|| Err(missing(path)))))
            .collect(),
    )
}

/// Writes one file. The outer error is that of a request that cannot be decoded.
fn write(path: &str, fields: &Fields, content: &[u8]) -> Result<Result<(), PathError>, super::Failure> {
    let (mode, make_dirs, owner) = (fields.text("permissions")?, fields.flag("make-dirs")?, owner(fields)?);
    Ok(absolute(path).and_then(|()| {
        let owner = owner?;
        if make_dirs && let Some(parent) = Path::new(path).parent() {
            change::make_all(&parent.to_string_lossy(), 0o755, owner.as_ref())?;
        }
        let mode = permissions(&mode, 0o644)?;
        let name =
            Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.contains('*') {
            return Err(PathError::generic(format!(
                "cannot create tempfile for filename containing '*': {name:?}"
            )));
        }
        let temporary = format!("{path}.{}~", multipart::random() % 10_000_000_000);
        let result = place(path, &temporary, mode, owner.as_ref(), content);
        if result.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
        result
    }))
}

fn place(
    path: &str,
    temporary: &str,
    mode: u32,
    owner: Option<&crate::users::Identity>,
    content: &[u8],
) -> Result<(), PathError> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(temporary)
        .map_err(|error| PathError::of("open", temporary, &error))?;
    let bare = |error: &std::io::Error| PathError { kind: kind(error), message: system_words(error) };
    file.set_permissions(std::fs::Permissions::from_mode(mode)).map_err(|error| bare(&error))?;
    if let Some(owner) = owner {
        std::os::unix::fs::fchown(&file, Some(owner.uid), Some(owner.gid)).map_err(|error| bare(&error))?;
    }
    file.write_all(content).map_err(|error| PathError::of("write", temporary, &error))?;
    file.sync_all().map_err(|error| PathError::of("sync", temporary, &error))?;
    // Go looks before it moves, and words it so.
    if Path::new(path).symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(PathError::generic(format!("rename {temporary} {path}: file exists")));
    }
    std::fs::rename(temporary, path).map_err(|error| PathError {
        kind: kind(&error),
        message: format!("rename {temporary} {path}: {}", system_words(&error)),
    })
}
