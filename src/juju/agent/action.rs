//! Actions: their parameters, progress, results and failure.
//!
//! An action that fails reports it with [`Agent::action_fail`] and the process still exits with 0: any other exit code
//! would replace the message and drop everything that was written.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::error::{Error, Result};
use super::{ARGUMENT_LIMIT, Agent, message, too_large};

const SET: &str = "action-set";

/// Words that Juju keeps for itself in results. It refuses the first four anywhere in a key, and overwrites the last.
const RESERVED: [&str; 5] = ["stdout", "stderr", "stdout-encoding", "stderr-encoding", "return-code"];

impl Agent {
    /// The parameters, defaults filled in.
    pub async fn action_get(&self) -> Result<BTreeMap<String, Value>> {
        self.ask("action-get", &[]).await
    }

    /// Adds results. A dot in a key opens a level: `database.pending` is `pending` below `database`.
    ///
    /// Each part of a key consists of lower-case letters, digits and inner hyphens, and is not a word that Juju keeps
    /// for itself. A key with its value has at most 131,071 bytes. All of that is checked before the call.
    pub async fn action_set(&self, results: &BTreeMap<String, String>) -> Result<()> {
        if results.is_empty() {
            return Ok(());
        }
        let mut pairs = Vec::with_capacity(results.len());
        for (key, value) in results {
            check_result_key(key, results)?;
            if value.contains('\0') {
                return Err(refused(format!("the value of {key:?} contains a NUL character")));
            }
            let pair = format!("{key}={value}");
            if pair.len() > ARGUMENT_LIMIT {
                return Err(too_large(SET, format!("the result {key:?}"), pair.len(), ARGUMENT_LIMIT));
            }
            pairs.push(pair);
        }
        let args: Vec<&str> = std::iter::once("--").chain(pairs.iter().map(String::as_str)).collect();
        self.tell(SET, &args).await
    }

    /// Tells the waiting user about progress, at once. A message beyond 128 KiB is cut and says so.
    pub async fn action_log(&self, text: &str) -> Result<()> {
        self.tell("action-log", &["--", &message(text)]).await
    }

    /// Marks the action as failed. Results are kept, and so is everything else that was written.
    pub async fn action_fail(&self, text: &str) -> Result<()> {
        self.tell("action-fail", &["--", &message(text)]).await
    }
}

fn check_result_key(key: &str, results: &BTreeMap<String, String>) -> Result<()> {
    for part in key.split('.') {
        if !well_formed(part) {
            return Err(refused(format!(
                "the result key {key:?} must have parts of lower-case letters, digits and inner hyphens"
            )));
        }
        if RESERVED.contains(&part) {
            return Err(refused(format!(
                "the result key {key:?} contains {part:?}, which Juju keeps for itself"
            )));
        }
    }
    // Juju would silently replace the value by the level.
    let above = key.match_indices('.').map(|(at, _)| &key[..at]).find(|above| results.contains_key(*above));
    match above {
        Some(above) => Err(refused(format!("the result key {above:?} has a value and {key:?} below it"))),
        None => Ok(()),
    }
}

fn well_formed(part: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !part.is_empty() && !part.starts_with('-') && !part.ends_with('-') && part.bytes().all(inner)
}

fn refused(text: String) -> Error {
    Error::BadArguments { command: SET, text }
}
