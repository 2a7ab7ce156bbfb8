//! Listing a directory or one file.
//!
//! It is given a path, perhaps a pattern and `itself`, and gives entries sorted by name; here errors are those of the whole
//! request.

use std::{
    fs::Metadata,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use serde_json::{Value, json};

use super::{PathError, glob};
use crate::{
    clock::Stamp,
    query::Query,
    respond::{Answer, Failure, bad, sync},
    users,
};

/// `GET /v1/files?action=list`.
///
/// # Errors
/// 404, 403 or 400 for a path that cannot be listed.
pub fn answer(query: &Query) -> Answer {
    let path = query.text("path");
    if path.is_empty() {
        return Err(bad("must specify path"));
    }
    let itself = match query.text("itself") {
        "" | "false" => false,
        "true" => true,
        _ => return Err(bad("itself parameter must be \"true\" or \"false\"")),
    };
    if !path.starts_with('/') {
        return Err(bad(format!("path must be absolute, got {path:?}")));
    }
    let pattern = query.text("pattern");
    list(path, pattern, itself)
        .map(Value::Array)
        .map_err(|error| {
            let status = match error.kind {
                "not-found" => 404,
                "permission-denied" => 403,
                _ => 400,
            };
            Failure::new(status, error.message).kind(error.kind)
        })
        .and_then(sync)
}

fn list(path: &str, pattern: &str, itself: bool) -> Result<Vec<Value>, PathError> {
    let metadata = Path::new(path).metadata().map_err(|error| PathError::of("stat", path, &error))?;
    let name_of_path =
        Path::new(path).file_name().map_or("/".to_owned(), |name| name.to_string_lossy().into_owned());
    let mut found: Vec<(String, String, Metadata)> = Vec::new();
    if metadata.is_dir() && !itself {
        let entries = std::fs::read_dir(path).map_err(|error| PathError::of("open", path, &error))?;
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            // Gone since it was read: not there.
            let Ok(metadata) = entry.path().symlink_metadata() else { continue };
            found.push((joined(path, &name), name, metadata));
        }
        found.sort_by(|a, b| a.1.cmp(&b.1));
    } else {
        found.push((path.to_owned(), name_of_path, metadata));
    }
    let mut items = Vec::new();
    for (path, name, metadata) in found {
        let fits = pattern.is_empty()
            || glob::matches(pattern, &name).map_err(|_| PathError::generic("syntax error in pattern"))?;
        if fits {
            items.push(item(&path, &name, &metadata));
        }
    }
    Ok(items)
}

/// Joins and cleans a path the way Go does: no `.`, `..` or doubled slashes.
fn joined(folder: &str, name: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain([name]) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

fn item(path: &str, name: &str, metadata: &Metadata) -> Value {
    let kind = metadata.file_type();
    let kind = if kind.is_file() {
        "file"
    } else if kind.is_dir() {
        "directory"
    } else if kind.is_symlink() {
        "symlink"
    } else if kind.is_socket() {
        "socket"
    } else if kind.is_fifo() {
        "named-pipe"
    } else if kind.is_block_device() || kind.is_char_device() {
        "device"
    } else {
        "unknown"
    };
    let mut item = json!({"path": path, "name": name, "type": kind});
    if metadata.is_file() {
        item["size"] = metadata.len().into();
    }
    let modified = metadata.modified().map_or(Stamp(0), Stamp::from);
    item["permissions"] = format!("{:03o}", metadata.permissions().mode() & 0o777).into();
    item["last-modified"] = modified.seconds().into();
    item["user-id"] = metadata.uid().into();
    item["user"] = users::user_name(metadata.uid()).into();
    item["group-id"] = metadata.gid().into();
    item["group"] = users::group_name(metadata.gid()).into();
    item
}
