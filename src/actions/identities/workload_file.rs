//! The file in the workload that identities are exported to and imported from, and what is kept beside it while that
//! goes on. Everything is readable by its owner only: it holds the hashes of passwords.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::context::{ActionError, IdentityAction, Parameters};
use crate::actions::parameters::text;
use crate::pebble::{self, Content, PushFile};

const DEFAULT: &str = "/tmp/identities.jsonl";
/// What every such file is called, so that none of the system's can be meant.
const ENDING: &str = ".jsonl";
const MODE: u32 = 0o600;

/// The path that the parameters name. It is shown in commands, so a shell must take it as one word.
pub fn path(action: &IdentityAction<'_>, parameters: &Parameters) -> Result<String, ActionError> {
    let path = text(parameters, "path")?.unwrap_or_else(|| DEFAULT.to_owned());
    let is_plain = path.starts_with('/')
        && path.ends_with(ENDING)
        && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte))
        && path.split('/').skip(1).all(|part| !matches!(part, "" | "." | ".." | ENDING));
    match is_plain {
        true => Ok(path),
        false => Err(format!(
            "The path must be absolute, of ASCII letters, digits and /._- only, without . and .., and end in {ENDING}: {}",
            action.again(&format!("path={DEFAULT}"))
        )
        .into()),
    }
}

/// Where the file lies in the charm's container while it passes through, on its way between `juju scp` and the workload.
pub fn passing(path: &str) -> String {
    format!("/tmp/{}", path.rsplit('/').next().unwrap_or_default())
}

impl IdentityAction<'_> {
    /// Writes a file of the workload.
    pub async fn write(&self, path: &str, content: Content) -> Result<(), pebble::Error> {
        let mut file = PushFile::new(self.place.path(path), content);
        file.permissions = Some(MODE);
        file.make_dirs = true;
        self.pebble.push(file).await
    }

    /// Keeps how far something has come.
    pub async fn keep<T: Serialize>(&self, path: &str, progress: &T) -> Result<(), ActionError> {
        let text = serde_json::to_vec(progress).map_err(|error| error.to_string())?;
        self.write(path, Content::from(text)).await.map_err(|error| self.file_trouble(path, &error))
    }

    /// How far it has come; `None`: it was not begun, or what was kept cannot be read.
    pub async fn kept<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, ActionError> {
        match self.pebble.pull(&self.place.path(path)).await {
            Ok(text) => Ok(serde_json::from_slice(&text).ok()),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(self.file_trouble(path, &error)),
        }
    }

    /// Removes a file or a directory, if it is there.
    pub async fn forget(&self, path: &str) -> Result<(), ActionError> {
        let removed = self.pebble.remove(&self.place.path(path), true).await;
        removed.map_err(|error| self.file_trouble(path, &error))
    }

    /// The failure of something with a file.
    pub fn file_trouble(&self, path: &str, error: &pebble::Error) -> ActionError {
        format!(
            "The file {path} of the workload cannot be used: {error}; choose another: {}",
            self.again(&format!("path={DEFAULT}"))
        )
        .into()
    }
}
