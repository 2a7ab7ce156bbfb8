//! The Kratos program in the workload: its version, the migrations it knows, and the migration process.
//!
//! Runs through Pebble's exec. The DSN goes through the environment, never through an argument.

use std::time::Duration;

use serde::Deserialize;

use super::version::WorkloadVersion;
use crate::pebble::{self, Client, ExecOutput, ExecRequest, Process};
use crate::postgres::Dsn;

const PROGRAM: &str = "kratos";
/// How long a question to the program may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// Pebble's own limit stands behind ours, for the case that this process does not come to stop the command.
const BACKSTOP: Duration = Duration::from_secs(60);

/// Why the program gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot run `{command}` in the workload: {source}")]
    Run { command: String, source: pebble::Error },
    #[error("`{command}` exited with {code}{}", said(text))]
    Exit { command: String, code: i64, text: String },
    #[error("the output of `{command}` cannot be understood: {what}")]
    Output { command: String, what: String },
}

fn said(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// A migration as the program lists it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ListedMigration {
    pub version: String,
    #[serde(default)]
    pub name: String,
}

/// The program.
#[derive(Clone, Debug)]
pub struct Kratos {
    pebble: Client,
}

impl Kratos {
    /// The program in the workload behind `pebble`.
    pub fn new(pebble: Client) -> Self {
        Self { pebble }
    }

    /// Its version.
    pub async fn version(&self) -> Result<WorkloadVersion, Error> {
        let output = self.ask(&["version"], None).await?;
        let text = String::from_utf8_lossy(&output.stdout);
        WorkloadVersion::from_output(&text).ok_or_else(|| Error::Output {
            command: named(&["version"]),
            what: format!("there is no version in {:?}", text.chars().take(80).collect::<String>()),
        })
    }

    /// All migrations that it knows, in its order. Only for a program that has `migrate sql status`: an older one
    /// would migrate.
    pub async fn migrations(&self, dsn: &Dsn) -> Result<Vec<ListedMigration>, Error> {
        let arguments = ["migrate", "sql", "status", "-e", "--format", "json"];
        let output = self.ask(&arguments, Some(dsn)).await?;
        serde_json::from_slice(&output.stdout)
            .map_err(|error| Error::Output { command: named(&arguments), what: error.to_string() })
    }

    /// Starts to migrate. The process ends within `limit` and some time, even if nobody stops it.
    pub async fn migrate(
        &self,
        version: &WorkloadVersion,
        dsn: &Dsn,
        limit: Duration,
    ) -> Result<Process, Error> {
        let arguments = migrate_arguments(version);
        let request = ExecRequest { timeout: Some(limit + BACKSTOP), ..request(arguments, Some(dsn)) };
        self.pebble.exec(request).await.map_err(|source| Error::Run { command: named(arguments), source })
    }

    async fn ask(&self, arguments: &[&str], dsn: Option<&Dsn>) -> Result<ExecOutput, Error> {
        let request = ExecRequest { timeout: Some(ANSWER_LIMIT), ..request(arguments, dsn) };
        let output = self.pebble.exec_output(request, ANSWER_LIMIT).await;
        let output = output.map_err(|source| Error::Run { command: named(arguments), source })?;
        if output.exit_code == 0 {
            return Ok(output);
        }
        let text = String::from_utf8_lossy(&output.stderr);
        let text = reason(&dsn.map_or(text.clone(), |dsn| dsn.redact(&text).into_owned().into()));
        Err(Error::Exit { command: named(arguments), code: output.exit_code, text })
    }
}

fn migrate_arguments(version: &WorkloadVersion) -> &'static [&'static str] {
    if version.has_migration_status() {
        &["migrate", "sql", "up", "-e", "--yes"]
    } else {
        &["migrate", "sql", "-e", "--yes"]
    }
}

fn request(arguments: &[&str], dsn: Option<&Dsn>) -> ExecRequest {
    let mut request = ExecRequest::new(std::iter::once(PROGRAM).chain(arguments.iter().copied()));
    // Kratos asks once a day whether it may send usage data; a migration is no occasion.
    request.environment.insert("SQA_OPT_OUT".to_owned(), "true".to_owned());
    if let Some(dsn) = dsn {
        request.environment.insert("DSN".to_owned(), dsn.url());
    }
    request
}

fn named(arguments: &[&str]) -> String {
    format!("{PROGRAM} {}", arguments.join(" "))
}

/// The line of Kratos' error output that tells the reason: the last one with a SQLSTATE, else the last that is
/// neither a log line nor part of a stack.
pub fn reason(stderr: &str) -> String {
    const LONGEST: usize = 300;
    let is_plain = |line: &&str| {
        let text = line.trim_start();
        !(text.is_empty()
            || text.starts_with("time=")
            || text.starts_with('/')
            || line.starts_with(char::is_whitespace))
    };
    let lines = || stderr.lines().rev();
    let found = lines().find(|line| line.contains("SQLSTATE")).or_else(|| lines().find(is_plain));
    found.unwrap_or_default().trim().chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_without_status_is_never_given_the_word() {
        let arguments = |text| migrate_arguments(&WorkloadVersion::parse(text).unwrap());
        assert_eq!(arguments("v26.2.0"), ["migrate", "sql", "up", "-e", "--yes"]);
        assert_eq!(arguments("v1.3.1"), ["migrate", "sql", "-e", "--yes"]);
    }

    #[test]
    fn the_reason_is_the_line_that_says_it() {
        let stderr = "time=now level=info msg=x\nCould not apply migrations:\n\
                      ERROR: column \"external_id\" already exists (SQLSTATE 42701)\n\
                      github.com/ory/x.f\n\t/src/x.go:1\n";
        assert_eq!(reason(stderr), "ERROR: column \"external_id\" already exists (SQLSTATE 42701)");
        assert_eq!(reason("time=x level=fatal\nUnable to confirm\n\n"), "Unable to confirm");
        assert_eq!(reason(""), "");
    }
}
