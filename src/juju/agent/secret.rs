//! Secrets: their content and their metadata.
//!
//! Content never stands in the argument list of a process, where every other process of the container could read it. Where
//! tools are run, each value is handed over in a file that only this user may read and that is removed right after the
//! call. The agent, not the tool, opens that file, so its path is absolute; agent and charm are the same user in the same
//! container.

mod file;

use std::collections::BTreeMap;

use serde::Deserialize;

use self::file::ContentFile;
use super::super::error::{Error, Result};
use super::super::secret_uri::SecretUri;
use super::super::types::Scope;
use super::Agent;

/// Which secret is meant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SecretRef<'a> {
    Uri(&'a SecretUri),
    /// The label that this charm gave it.
    Label(&'a str),
}

/// Which revision is read, and whether that has an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretRead {
    /// The newest revision, without following it.
    Peek,
    /// The newest revision, followed from now on; takes effect at once.
    Refresh,
}

/// What a new secret has beside its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewSecret<'a> {
    /// The owner: the application (leader only) or this unit.
    pub owner: Scope,
    /// Our own name for it, unique among the owner's secrets.
    pub label: Option<&'a str>,
    pub description: Option<&'a str>,
}

/// The metadata of a secret that we own.
#[derive(Debug, Clone, PartialEq)]
pub struct SecretInfo {
    pub uri: SecretUri,
    /// The newest revision.
    pub revision: u64,
    /// Our own name for it; empty if it has none.
    pub label: String,
    pub owner: Scope,
}

#[derive(Deserialize)]
struct InfoReply {
    revision: u64,
    #[serde(default)]
    label: String,
    owner: String,
}

impl Agent {
    /// Creates a secret and returns its address, which is valid at once; the content is stored when the hook succeeds.
    pub async fn secret_add(
        &self,
        content: &BTreeMap<String, String>,
        new: NewSecret<'_>,
    ) -> Result<SecretUri> {
        const COMMAND: &str = "secret-add";
        let content = self.handed_over(COMMAND, content)?;
        let mut args = vec!["--owner", new.owner.word()];
        for (flag, value) in [("--label", new.label), ("--description", new.description)] {
            args.extend(value.into_iter().flat_map(|value| [flag, value]));
        }
        args.extend(content.iter().map(HandedOver::argument));
        let stdout = self.run(COMMAND, &args, None).await?;
        let text = String::from_utf8_lossy(&stdout);
        text.trim()
            .parse()
            .map_err(|error: Error| Error::Unexpected { command: COMMAND, what: error.to_string() })
    }

    /// Replaces the content of a secret that we own. Equal content makes no new revision.
    pub async fn secret_set(&self, uri: &SecretUri, content: &BTreeMap<String, String>) -> Result<()> {
        const COMMAND: &str = "secret-set";
        let content = self.handed_over(COMMAND, content)?;
        let uri = uri.to_string();
        let args: Vec<&str> =
            std::iter::once(uri.as_str()).chain(content.iter().map(HandedOver::argument)).collect();
        self.tell(COMMAND, &args).await
    }

    /// The content of a secret. Values that are not UTF-8 are not readable this way.
    pub async fn secret_get(
        &self,
        secret: SecretRef<'_>,
        read: SecretRead,
    ) -> Result<BTreeMap<String, String>> {
        let named = named(secret);
        let mut args: Vec<&str> = named.iter().map(String::as_str).collect();
        args.push(match read {
            SecretRead::Peek => "--peek",
            SecretRead::Refresh => "--refresh",
        });
        self.ask("secret-get", &args).await
    }

    /// The metadata of a secret that we own.
    pub async fn secret_info_get(&self, secret: SecretRef<'_>) -> Result<SecretInfo> {
        const COMMAND: &str = "secret-info-get";
        let named = named(secret);
        let args: Vec<&str> = named.iter().map(String::as_str).collect();
        let reply: BTreeMap<String, InfoReply> = self.ask(COMMAND, &args).await?;
        let unexpected = |what: String| Error::Unexpected { command: COMMAND, what };
        let (id, info) = reply.into_iter().next().ok_or_else(|| unexpected("no secret in it".to_owned()))?;
        let owner = match info.owner.as_str() {
            "application" => Scope::Application,
            "unit" => Scope::Unit,
            other => return Err(unexpected(format!("the owner {other:?}"))),
        };
        let uri = id.parse().map_err(|error: Error| unexpected(error.to_string()))?;
        Ok(SecretInfo { uri, revision: info.revision, label: info.label, owner })
    }

    /// Removes a secret that we own, or one revision of it.
    pub async fn secret_remove(&self, uri: &SecretUri, revision: Option<u64>) -> Result<()> {
        let uri = uri.to_string();
        match revision {
            Some(revision) => self.tell("secret-remove", &[&uri, "--revision", &revision.to_string()]).await,
            None => self.tell("secret-remove", &[&uri]).await,
        }
    }

    /// The content as arguments: the values themselves, or the names of files with them where other processes see arguments.
    fn handed_over(
        &self,
        command: &'static str,
        content: &BTreeMap<String, String>,
    ) -> Result<Vec<HandedOver>> {
        check_keys(command, content)?;
        if self.transport.hides_arguments() {
            let plain = |(key, value)| HandedOver { argument: format!("{key}={value}"), _file: None };
            return Ok(content.iter().map(plain).collect());
        }
        file::sweep();
        let in_file = |(key, value): (&String, &String)| {
            let file = ContentFile::new(command, value.as_bytes())?;
            Ok(HandedOver { argument: format!("{key}#file={}", file.path()), _file: Some(file) })
        };
        content.iter().map(in_file).collect()
    }
}

fn named(secret: SecretRef<'_>) -> Vec<String> {
    match secret {
        SecretRef::Uri(uri) => vec![uri.to_string()],
        SecretRef::Label(label) => vec!["--label".to_owned(), label.to_owned()],
    }
}

/// One value on its way to the agent, for the length of one command.
struct HandedOver {
    argument: String,
    /// Removed when this value goes.
    _file: Option<ContentFile>,
}

impl HandedOver {
    fn argument(&self) -> &str {
        &self.argument
    }
}

/// Refuses a key that Juju would not take: it wants at least three characters.
fn check_keys(command: &'static str, content: &BTreeMap<String, String>) -> Result<()> {
    let refused = |text: String| Error::BadArguments { command, text };
    if content.is_empty() {
        return Err(refused("a secret needs at least one key".to_owned()));
    }
    if let Some(key) = content.keys().find(|key| !valid_key(key)) {
        return Err(refused(format!(
            "the secret's key {key:?} must have three or more lower-case letters, digits and single inner hyphens, \
             and begin with a letter"
        )));
    }
    Ok(())
}

/// A letter, then at least two letters or digits, each of which may have one hyphen before it.
fn valid_key(key: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    key.starts_with(|c: char| c.is_ascii_lowercase())
        && !key.ends_with('-')
        && !key.contains("--")
        && key.bytes().all(|b| alphanumeric(b) || b == b'-')
        && key.bytes().filter(|b| alphanumeric(*b)).count() >= 3
}

#[cfg(test)]
mod tests {
    use super::valid_key;

    #[test]
    fn keys_follow_the_rule_of_juju() {
        for key in ["abc", "a-b-c", "a1b", "cookie-secret", "username"] {
            assert!(valid_key(key), "{key}");
        }
        for key in ["", "ab", "a-b", "1abc", "Abc", "a--bc", "abc-", "-abc", "a_bc", "key#base64", "käy"] {
            assert!(!valid_key(key), "{key}");
        }
    }
}
