//! Files of the workload that are looked at or removed without their content.

use super::client::Client;
use super::error::{Error, PathError, PathErrorKind};
use super::values::open_enum;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

open_enum! {
    /// What a path is.
    FileType {
        File = "file",
        Directory = "directory",
        Symlink = "symlink",
        Socket = "socket",
        NamedPipe = "named-pipe",
        Device = "device",
        Unknown = "unknown",
    }
}

/// What Pebble knows of a path.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FileInfo {
    pub path: String,
    pub name: String,
    #[serde(rename = "type")]
    pub file_type: FileType,
    /// In bytes, of regular files only.
    pub size: Option<u64>,
    /// The nine permission bits, such as 0o644.
    #[serde(deserialize_with = "octal")]
    pub permissions: u32,
    /// RFC 3339, in seconds.
    pub last_modified: String,
    pub user_id: Option<u32>,
    /// Empty when the workload does not know the user's name.
    pub user: Option<String>,
    pub group_id: Option<u32>,
    pub group: Option<String>,
}

/// Who shall own what is written. All None: the daemon's user. A user by name brings their own group along; a
/// number that the workload does not know needs a group beside it, and a group alone is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Owner {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// What became of one path of a request.
#[derive(Debug, Deserialize)]
pub(super) struct PathResult {
    pub(super) path: String,
    error: Option<PathFailure>,
}

#[derive(Debug, Deserialize)]
struct PathFailure {
    kind: PathErrorKind,
    #[serde(default)]
    message: String,
}

impl PathResult {
    pub(super) fn into_result(self) -> Result<(), PathError> {
        let path = self.path;
        self.error.map_or(Ok(()), |error| Err(PathError { kind: error.kind, path, message: error.message }))
    }
}

impl Client {
    /// The entries of a directory, sorted by name, those whose name matches the glob `pattern` if there is
    /// one. A file, or with `itself` a directory, gives the one entry of the path; a symbolic link is
    /// followed there, but not inside a directory.
    pub async fn list(
        &self,
        path: &str,
        pattern: Option<&str>,
        itself: bool,
    ) -> Result<Vec<FileInfo>, Error> {
        let mut query =
            vec![("action", "list"), ("path", path), ("itself", if itself { "true" } else { "false" })];
        query.extend(pattern.map(|pattern| ("pattern", pattern)));
        match self.get("/v1/files", &query).await {
            Ok(answer) => answer.list("file list"),
            // The one file call that reports a path's error as its own.
            Err(Error::Api { kind: Some(kind), message, .. })
                if !matches!(PathErrorKind::from(kind.clone()), PathErrorKind::Other(_)) =>
            {
                Err(PathError { kind: kind.into(), path: path.to_owned(), message }.into())
            }
            Err(error) => Err(error),
        }
    }

    /// What a path is, or None when it does not exist. A dangling symbolic link does not exist.
    pub async fn stat(&self, path: &str) -> Result<Option<FileInfo>, Error> {
        match self.list(path, None, true).await {
            Ok(entries) => Ok(entries.into_iter().next()),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes a file, a symbolic link or an empty directory; with `recursive` also a directory with all that
    /// is in it, and then a missing path is no error.
    pub async fn remove(&self, path: &str, recursive: bool) -> Result<(), Error> {
        let body = json!({"action": "remove", "paths": [{"path": path, "recursive": recursive}]});
        let results = self.post("/v1/files", &body).await?.list::<PathResult>("file results")?;
        results.into_iter().try_for_each(|result| result.into_result().map_err(Error::from))
    }
}

/// Refuses a path that cannot stand in a header of a multipart body.
pub(super) fn check_path(path: &str) -> Result<(), Error> {
    if path.contains(['\r', '\n', '\0']) {
        return Err(Error::Input {
            what: format!("the path {path:?} holds a line break or a NUL, which Pebble cannot transfer"),
        });
    }
    Ok(())
}

fn octal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let text = String::deserialize(deserializer)?;
    u32::from_str_radix(&text, 8)
        .map_err(|_| serde::de::Error::custom(format_args!("bad permissions {text:?}")))
}
