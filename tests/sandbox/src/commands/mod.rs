//! juju's commands: one interpreter for tests and for people.
//!
//! It is given the words of a command line and does to the engine what juju does to a controller, then prints
//! what juju prints: results on standard output, progress and errors on standard error, with juju's exit
//! codes (2 for a bad command line, 1 for a refusal or a failed action).

mod applications;
mod deploy;
mod duration;
mod help;
mod refresh;
mod relate;
mod run;
mod secrets;
mod show;
mod status;
mod tasks;
mod units;
mod words;

use std::io::Write;
use std::sync::Arc;

use serde_json::Value;

use crate::hooks::{Flags, output};
use crate::juju::{Engine, Error};
use crate::model::ModelError;

pub use words::words;

/// What a command printed and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Output {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The exit code.
    pub code: i32,
}

/// Why a command does not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The command line is wrong: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// It was refused or failed: exit code 1.
    #[error("{0}")]
    Failed(String),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<ModelError> for Fault {
    fn from(error: ModelError) -> Self {
        Self::Failed(error.to_string())
    }
}

type Done = Result<(), Fault>;

/// One command while it runs.
pub(crate) struct Session<'a> {
    engine: &'a Arc<Engine>,
    flags: Flags,
    args: Vec<String>,
    output: Output,
    live: bool,
}

/// Runs one command line, split into words; `live` also prints it to this process' own output as it goes.
pub async fn run(engine: &Arc<Engine>, words: &[String], live: bool) -> Output {
    let words = if words.first().is_some_and(|word| word == "juju") { &words[1..] } else { words };
    let mut session =
        Session { engine, flags: Flags::default(), args: Vec::new(), output: Output::default(), live };
    let done = match words.split_first() {
        None => {
            session.out(&help::overview());
            Ok(())
        }
        Some((name, rest)) => execute(&mut session, name, rest).await,
    };
    if let Err(fault) = done {
        session.err(&format!("ERROR {fault}\n"));
        session.output.code = match fault {
            Fault::Usage(_) => 2,
            Fault::Failed(_) => 1,
        };
    }
    session.output
}

async fn execute(session: &mut Session<'_>, name: &str, rest: &[String]) -> Done {
    if ["help", "--help", "-h"].contains(&name) {
        let text = help::about(rest.first().map(String::as_str))?;
        session.out(&text);
        return Ok(());
    }
    let Some(spec) = help::find(name) else {
        let text = format!(
            "juju: \"{name}\" is not a juju command that the sandbox knows. It knows:\n{}",
            help::names()
        );
        return Err(Fault::Usage(text));
    };
    if rest.iter().any(|word| word == "--help" || word == "-h") {
        let text = help::about(Some(spec.name))?;
        session.out(&text);
        return Ok(());
    }
    (session.flags, session.args) = Flags::parse(rest, &spec.accepted())
        .map_err(|error| Fault::Usage(format!("{error}\n{}", help::options(spec))))?;
    match spec.name {
        "add-model" => applications::add_model(session),
        "deploy" => deploy::deploy(session).await,
        "integrate" => relate::integrate(session).await,
        "remove-relation" => relate::remove(session).await,
        "config" => applications::config(session).await,
        "trust" => applications::trust(session).await,
        "refresh" => refresh::refresh(session).await,
        "scale-application" => units::scale(session).await,
        "add-unit" => units::add(session).await,
        "remove-unit" => units::remove(session).await,
        "remove-application" => applications::remove(session).await,
        "resolved" => units::resolved(session).await,
        "run" => run::run(session).await,
        "show-task" => tasks::show(session).await,
        "show-operation" => tasks::show_operation(session),
        "cancel-task" => tasks::cancel(session).await,
        "show-unit" => show::unit(session),
        "status" => status::status(session),
        "secrets" => secrets::list(session),
        "show-secret" => secrets::show(session),
        "debug-log" => show::debug_log(session),
        other => Err(Fault::Usage(format!("juju: \"{other}\" is not a juju command"))),
    }
}

impl Session<'_> {
    fn out(&mut self, text: &str) {
        self.output.stdout.push_str(text);
        if self.live {
            // A closed pipe is the reader's wish.
            let _ = std::io::stdout().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush());
        }
    }

    fn err(&mut self, text: &str) {
        self.output.stderr.push_str(text);
        if self.live {
            let _ = std::io::stderr().write_all(text.as_bytes());
        }
    }

    /// A line of progress, which juju prints to standard error.
    fn info(&mut self, text: &str) {
        self.err(&format!("{text}\n"));
    }

    /// Runs what follows from this command; failed hooks run again.
    async fn settle(&self) {
        self.engine.retry_failed();
        self.engine.settle().await;
    }

    fn arg(&self, index: usize) -> Option<&str> {
        self.args.get(index).map(String::as_str)
    }

    fn required(&self, index: usize, what: &str) -> Result<String, Fault> {
        self.arg(index).map(str::to_owned).ok_or_else(|| Fault::Usage(format!("no {what} specified")))
    }

    fn at_most(&self, count: usize) -> Done {
        let extra: Vec<String> = self.args.iter().skip(count).map(|arg| format!("{arg:?}")).collect();
        if extra.is_empty() {
            Ok(())
        } else {
            Err(Fault::Usage(format!("unrecognized args: [{}]", extra.join(" "))))
        }
    }

    /// The format that was asked for, if it is one of these; the first is the default.
    fn format(&self, known: &[&str]) -> Result<String, Fault> {
        let format = self.flags.get("format").unwrap_or(known[0]);
        if known.contains(&format) {
            return Ok(format.to_owned());
        }
        Err(Fault::Usage(format!(
            "invalid value \"{format}\" for option --format: unknown format \"{format}\""
        )))
    }

    fn print(&mut self, value: &Value, format: &str) {
        self.out(&output::render(value, format));
    }
}
