//! The Kratos program: its version, the migrations it knows, and the migration process.
//!
//! It runs in the workload through Pebble's exec, or as a child of this process for a rehearsal by hand. The DSN goes
//! through the environment, never through an argument.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use tokio::time::timeout;

use super::process::{KratosProcess, LocalProcess, ProcessError};
use crate::kratos::version::WorkloadVersion;
use crate::pebble::{Client, ExecRequest, Output};
use crate::postgres::Dsn;

const PROGRAM: &str = "kratos";
/// How long a question to the program may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// Pebble's own limit stands behind ours, for the case that this process does not come to stop the command.
const BACKSTOP: Duration = Duration::from_secs(60);

/// Why the program gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot run `{command}`: {source}")]
    Run { command: String, source: ProcessError },
    #[error("`{command}` did not reach the database within {} s: {text}", limit.as_secs())]
    NoDatabase { command: String, limit: Duration, text: String },
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
    /// Its SQL; empty for a migration that is written in Go.
    #[serde(default)]
    pub content: String,
}

/// The program.
#[derive(Clone, Debug)]
pub enum Kratos {
    /// In the workload behind this Pebble.
    Workload(Client),
    /// On this machine.
    Local(PathBuf),
}

/// What a process that ended left.
struct Answer {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    code: i64,
}

impl Kratos {
    /// Its version.
    pub async fn version(&self) -> Result<WorkloadVersion, Error> {
        let stdout = self.ask(&["version"], None).await?;
        let text = String::from_utf8_lossy(&stdout);
        WorkloadVersion::from_output(&text).ok_or_else(|| Error::Output {
            command: named(&["version"]),
            what: format!("there is no version in {:?}", text.chars().take(80).collect::<String>()),
        })
    }

    /// All migrations that it knows, in its order. Only for a program that has `migrate sql status`: an older one
    /// would migrate.
    pub async fn migrations(&self, dsn: &Dsn) -> Result<Vec<ListedMigration>, Error> {
        let arguments = ["migrate", "sql", "status", "-e", "--format", "json"];
        let stdout = self.ask(&arguments, Some(dsn)).await?;
        serde_json::from_slice(&stdout)
            .map_err(|error| Error::Output { command: named(&arguments), what: error.to_string() })
    }

    /// Starts to migrate. In the workload the process ends within `limit` and some time, even if nobody stops it.
    pub async fn migrate(
        &self,
        version: &WorkloadVersion,
        dsn: &Dsn,
        limit: Duration,
    ) -> Result<KratosProcess, Error> {
        self.start(migrate_arguments(version), Some(dsn), limit + BACKSTOP).await
    }

    /// Migrates, waits for the end, and returns what it logged. For a database that nobody uses: whoever is late is
    /// killed, which leaves a statement running.
    pub async fn up(&self, version: &WorkloadVersion, dsn: &Dsn, limit: Duration) -> Result<String, Error> {
        let answer = self.finish(migrate_arguments(version), Some(dsn), limit).await?;
        Ok(String::from_utf8_lossy(&answer.stderr).into_owned())
    }

    /// Reverts the newest `steps` of the applied migrations that it knows, and waits for the end; see [`Self::up`].
    /// Only for a program that has `migrate sql down`.
    pub async fn down(&self, dsn: &Dsn, steps: usize, limit: Duration) -> Result<(), Error> {
        let steps = steps.to_string();
        let arguments = ["migrate", "sql", "down", "-e", "--yes", "--steps", &steps];
        self.finish(&arguments, Some(dsn), limit).await.map(drop)
    }

    /// Removes one batch of each kind of what expired more than `keep_last` ago, and waits for the end.
    pub async fn cleanup(
        &self,
        dsn: &Dsn,
        config: &str,
        keep_last: &str,
        batch: u64,
        limit: Duration,
    ) -> Result<(), Error> {
        let batch = batch.to_string();
        // Kratos would rest for a minute between two tables.
        let arguments = [
            "cleanup",
            "sql",
            "-e",
            "--keep-last",
            keep_last,
            "--database.cleanup.batch_size",
            &batch,
            "--database.cleanup.sleep.tables",
            "0s",
            "-c",
            config,
        ];
        self.finish(&arguments, Some(dsn), limit).await.map(drop)
    }

    async fn ask(&self, arguments: &[&str], dsn: Option<&Dsn>) -> Result<Vec<u8>, Error> {
        self.finish(arguments, dsn, ANSWER_LIMIT).await.map(|answer| answer.stdout)
    }

    /// Runs it to its end; an exit code other than 0 is an error.
    async fn finish(&self, arguments: &[&str], dsn: Option<&Dsn>, limit: Duration) -> Result<Answer, Error> {
        let command = || named(arguments);
        let mut answer = Answer { stdout: Vec::new(), stderr: Vec::new(), code: -1 };
        let run = async {
            let mut process = self.start(arguments, dsn, limit).await?;
            while let Some(piece) = process.next_output().await {
                match piece {
                    Output::Stdout(bytes) => answer.stdout.extend_from_slice(&bytes),
                    Output::Stderr(bytes) => answer.stderr.extend_from_slice(&bytes),
                }
            }
            answer.code =
                process.wait(limit).await.map_err(|source| Error::Run { command: command(), source })?;
            Ok(())
        };
        match timeout(limit, run).await {
            Ok(ended) => ended?,
            Err(_) => {
                let text = String::from_utf8_lossy(&answer.stderr);
                let text =
                    dsn.map_or_else(|| text.clone().into_owned(), |dsn| dsn.redact(&text).into_owned());
                return Err(match ping_failure(&text) {
                    Some(text) => Error::NoDatabase { command: command(), limit, text },
                    None => Error::Run { command: command(), source: ProcessError::Late(limit) },
                });
            }
        }
        if answer.code == 0 {
            return Ok(answer);
        }
        // Some commands tell their error on the other output (`cleanup sql`).
        let told = [&answer.stderr, &answer.stdout].map(|bytes| {
            let text = String::from_utf8_lossy(bytes);
            reason(&dsn.map_or(text.clone(), |dsn| dsn.redact(&text).into_owned().into()))
        });
        let text = told.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
        Err(Error::Exit { command: command(), code: answer.code, text })
    }

    async fn start(
        &self,
        arguments: &[&str],
        dsn: Option<&Dsn>,
        limit: Duration,
    ) -> Result<KratosProcess, Error> {
        // Kratos would report its use to its makers; a migration is no occasion.
        let mut environment = vec![("SQA_OPT_OUT", "true".to_owned())];
        environment.extend(dsn.map(|dsn| ("DSN", dsn.url())));
        let process = match self {
            Self::Workload(pebble) => {
                let mut request = ExecRequest::new(std::iter::once(PROGRAM).chain(arguments.iter().copied()));
                request.timeout = Some(limit);
                request.environment =
                    environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
                pebble.exec(request).await.map(KratosProcess::Workload).map_err(ProcessError::from)
            }
            Self::Local(program) => LocalProcess::start(program, arguments, &environment)
                .map(KratosProcess::Local)
                .map_err(ProcessError::Start),
        };
        process.map_err(|source| Error::Run { command: named(arguments), source })
    }
}

fn migrate_arguments(version: &WorkloadVersion) -> &'static [&'static str] {
    if version.has_migration_status() {
        &["migrate", "sql", "up", "-e", "--yes"]
    } else {
        &["migrate", "sql", "-e", "--yes"]
    }
}

fn named(arguments: &[&str]) -> String {
    format!("{PROGRAM} {}", arguments.join(" "))
}

/// The line of Kratos' output that tells the reason: the last one with a SQLSTATE, else the last that is
/// neither a log line nor part of a stack.
pub fn reason(output: &str) -> String {
    const LONGEST: usize = 300;
    let is_plain = |line: &&str| {
        let text = line.trim_start();
        !(text.is_empty()
            || text.starts_with("time=")
            || text.starts_with('/')
            || line.starts_with(char::is_whitespace))
    };
    let lines = || output.lines().rev().filter(|line| !line.starts_with('{'));
    let found = lines().find(|line| line.contains("SQLSTATE")).or_else(|| lines().find(is_plain));
    found.unwrap_or_default().trim().chars().take(LONGEST).collect()
}

/// Why Kratos waits for its database, by the last time that it said so: it tries again for minutes, and names the reason in a
/// line of its log that goes on in the next ones.
pub fn ping_failure(output: &str) -> Option<String> {
    const LONGEST: usize = 300;
    let (_, rest) = output.rsplit_once("Unable to ping database")?;
    let mut lines = rest.lines();
    let first = lines.next().unwrap_or_default();
    let told = lines
        .find(|line| line.starts_with('\t'))
        .or_else(|| first.split_once("message:").map(|(_, text)| text));
    let told = told.unwrap_or(first).trim();
    let told = told.split_once("] service_name").map_or(told, |(text, _)| text);
    Some(told.chars().take(LONGEST).collect())
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
    fn the_reason_of_a_wait_for_the_database_is_the_last_one() {
        let line = "level=warning msg=Unable to ping database, retrying. error=map[message:failed to connect to `user=k`:\n";
        let cause = "\t127.0.0.1:9 (127.0.0.1): dial error: connection refused";
        let log = format!("level=info msg=x\n{line}{cause}\n{line}{cause}] service_name=Ory Kratos\n");
        assert_eq!(ping_failure(&log).as_deref(), Some(cause.trim()));
        let one = "msg=Unable to ping database, retrying. error=map[message:FATAL: no such database] service_name=Ory Kratos";
        assert_eq!(ping_failure(one).as_deref(), Some("FATAL: no such database"));
        assert_eq!(ping_failure("level=info msg=x"), None);
    }

    #[test]
    fn the_reason_is_the_line_that_says_it() {
        let stderr = "time=now level=info msg=x\nCould not apply migrations:\n\
                      ERROR: column \"external_id\" already exists (SQLSTATE 42701)\n\
                      github.com/ory/x.f\n\t/src/x.go:1\n";
        assert_eq!(reason(stderr), "ERROR: column \"external_id\" already exists (SQLSTATE 42701)");
        assert_eq!(reason("time=x level=fatal\nUnable to confirm\n\n"), "Unable to confirm");
        let json = "An error occurred\n{\"level\":\"error\",\"msg\":\"x (SQLSTATE 1)\"}\n";
        assert_eq!(reason(json), "An error occurred");
        assert_eq!(reason(""), "");
    }
}
