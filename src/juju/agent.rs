//! The hook commands as typed methods.
//!
//! Given a [`Transport`], an [`Agent`] turns each method into one command of Juju, its output into a value and its
//! failure into an [`Error`]. Reads always ask for JSON, where Juju writes `null` for "none". One file per subject holds
//! the methods; here is what they share: the limits of an argument list, and the reading of JSON.

mod action;
mod model;
mod network;
mod relation;
mod secret;

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::environment::Environment;
use super::error::{Error, Result, classify};
use super::transport::{self, Transport};

pub use network::{BindAddress, InterfaceAddress, Network};
pub use relation::{Bag, Entity};
pub use secret::{NewSecret, SecretInfo, SecretRead, SecretRef};

/// The longest single argument that Linux passes to a program, in bytes.
const ARGUMENT_LIMIT: usize = 128 * 1024 - 1;

/// The unit's agent, through which the charm reads and changes the model.
///
/// Most writes are buffered by Juju until the hook exits with 0; status, log and a read that moves a secret's tracked
/// revision take effect at once. The agent executes one command at a time, however many are sent.
#[derive(Clone)]
pub struct Agent {
    transport: Arc<dyn Transport>,
}

impl Agent {
    /// The agent of the hook that `environment` describes.
    pub fn from_environment(environment: &Environment) -> Result<Self> {
        Ok(Self::with_transport(transport::choose(environment)?))
    }

    /// The agent behind `transport`.
    pub fn with_transport(transport: Arc<dyn Transport>) -> Self {
        Self { transport }
    }

    /// Runs a command and returns its output, or the failure that its exit code and error text mean.
    async fn run(&self, command: &'static str, args: &[&str], stdin: Option<&[u8]>) -> Result<Vec<u8>> {
        for arg in args.iter().filter(|_| !self.transport.hides_arguments()) {
            if arg.contains('\0') {
                let text = "an argument contains a NUL character".to_owned();
                return Err(Error::BadArguments { command, text });
            }
            if arg.len() > ARGUMENT_LIMIT {
                return Err(too_large(command, "an argument", arg.len(), ARGUMENT_LIMIT));
            }
        }
        let output =
            self.transport.call(command, args, stdin).await.map_err(|source| match source.kind() {
                io::ErrorKind::ArgumentListTooLong => {
                    let text = "the arguments are too long together".to_owned();
                    Error::BadArguments { command, text }
                }
                _ => Error::Unavailable { command, source },
            })?;
        match output.code {
            0 => Ok(output.stdout),
            code => Err(classify(command, code, &output.stderr)),
        }
    }

    /// Runs a command for its effect.
    async fn tell(&self, command: &'static str, args: &[&str]) -> Result<()> {
        self.run(command, args, None).await.map(drop)
    }

    /// Runs a command for its value. `null` and no output at all mean the empty value.
    async fn ask<T: DeserializeOwned + Default>(&self, command: &'static str, args: &[&str]) -> Result<T> {
        let args: Vec<&str> = ["--format=json"].iter().chain(args).copied().collect();
        let stdout = self.run(command, &args, None).await?;
        if stdout.trim_ascii().is_empty() {
            return Ok(T::default());
        }
        // The parser's own message quotes the data, which may be a secret; the position alone does not.
        let unexpected = |error: serde_json::Error| {
            let (line, column) = (error.line(), error.column());
            let fault = if error.is_data() { "JSON of another shape" } else { "no valid JSON" };
            Error::Unexpected { command, what: format!("{fault} (line {line} column {column})") }
        };
        Ok(serde_json::from_slice::<Option<T>>(&stdout).map_err(unexpected)?.unwrap_or_default())
    }
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Agent")
    }
}

fn too_large(command: &'static str, what: impl Into<String>, bytes: usize, limit: usize) -> Error {
    Error::TooLarge { command, what: what.into(), bytes, limit }
}

/// A message in a form that an argument can carry: shortened with a note, and without NUL.
fn message(text: &str) -> Cow<'_, str> {
    let text =
        if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) };
    if text.len() <= ARGUMENT_LIMIT {
        return text;
    }
    let note = format!(" [cut: {} bytes in all]", text.len());
    let kept = &text[..text.floor_char_boundary(ARGUMENT_LIMIT - note.len())];
    Cow::Owned(format!("{kept}{note}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_fit_an_argument() {
        assert_eq!(message("-x"), "-x");
        assert_eq!(message("a\0b"), "a\u{fffd}b");
        let exact = "x".repeat(ARGUMENT_LIMIT);
        assert_eq!(message(&exact), exact);
        for start in ["", "x", "xx", "xxx"] {
            let long = format!("{start}{}", "😀".repeat(40_000));
            let cut = message(&long);
            assert!(cut.len() <= ARGUMENT_LIMIT && cut.len() > ARGUMENT_LIMIT - 4);
            assert!(cut.ends_with(&format!(" [cut: {} bytes in all]", long.len())));
        }
    }
}
