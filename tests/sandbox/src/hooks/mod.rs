//! The hook commands, as Juju's agent runs them for one hook or action.
//!
//! A [`Context`] is given one command after another with the model, and answers what Juju would: output, exit
//! code (1 = it ran and failed, 2 = bad arguments) and error text. What Juju buffers until the hook succeeds,
//! the context keeps in [`Context::changes`]; what Juju does at once, it does to the model at once.

mod action;
mod context;
mod flags;
mod input;
pub mod output;
mod ports;
mod relation;
mod secret;
mod secret_write;
mod state;
mod status;
mod unit;

pub use context::{ActionRun, Context};
pub use flags::{Flag, Flags};

use std::path::PathBuf;
use std::time::SystemTime;

use crate::agent::{Reply, Request};
use crate::model::{Model, ModelError};

/// Why a command does not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Bad flags or arguments: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// It ran and failed: exit code 1.
    #[error("{0}")]
    Failed(String),
    /// It needs standard input, which was not sent.
    #[error("standard input needed")]
    Stdin,
}

impl Fault {
    /// A stable label: `usage`, `failed` or `stdin`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::Failed(_) => "failed",
            Self::Stdin => "stdin",
        }
    }

    fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    fn failed(text: impl Into<String>) -> Self {
        Self::Failed(text.into())
    }
}

impl From<ModelError> for Fault {
    fn from(error: ModelError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// A line for the model's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When.
    pub time: SystemTime,
    /// The unit.
    pub unit: String,
    /// DEBUG, INFO, WARNING, ERROR, CRITICAL or TRACE.
    pub level: String,
    /// `unit.app/0.juju-log`, or `unit.app/0.HOOK` for what the charm printed.
    pub module: String,
    /// The text.
    pub text: String,
}

/// One command while it runs.
struct Call<'a> {
    ctx: &'a mut Context,
    model: &'a mut Model,
    flags: Flags,
    args: Vec<String>,
    dir: PathBuf,
    stdin: Option<&'a [u8]>,
    now: SystemTime,
}

type Outcome = Result<String, Fault>;
type Run = fn(&mut Call<'_>) -> Outcome;

/// Commands that change something, at once or at the commit.
const WRITES: &[&str] = &[
    "action-fail",
    "action-log",
    "action-set",
    "application-version-set",
    "close-port",
    "juju-log",
    "open-port",
    "relation-set",
    "secret-add",
    "secret-grant",
    "secret-remove",
    "secret-revoke",
    "secret-set",
    "state-delete",
    "state-set",
    "status-set",
    "storage-add",
];

/// Whether a command changes something (`juju-log` and `action-log` do: they write to the log).
#[must_use]
pub fn is_write(command: &str) -> bool {
    WRITES.contains(&command)
}

const R: Flag = Flag::value(&["r", "relation"]);
const FORMAT: Flag = Flag::value(&["format"]);
const OUTPUT: Flag = Flag::value(&["o", "output"]);
const APP: Flag = Flag::switch(&["app"]);
const FILE: Flag = Flag::value(&["file"]);
const LABEL: Flag = Flag::value(&["label"]);
const ENDPOINTS: Flag = Flag::value(&["endpoints"]);
const UNIT: Flag = Flag::value(&["unit"]);
const ALL: Flag = Flag::switch(&["a", "all"]);
const LOG_LEVEL: Flag = Flag::value(&["l", "log-level"]);
const DEBUG: Flag = Flag::switch(&["debug"]);
const NOW: Flag = Flag::switch(&["now"]);
const BIND_ADDRESS: Flag = Flag::switch(&["bind-address"]);
const INGRESS_ADDRESS: Flag = Flag::switch(&["ingress-address"]);
const EGRESS_SUBNETS: Flag = Flag::switch(&["egress-subnets"]);
const PRIMARY_ADDRESS: Flag = Flag::switch(&["primary-address"]);
const PEEK: Flag = Flag::switch(&["peek"]);
const REFRESH: Flag = Flag::switch(&["refresh"]);
const REVISION: Flag = Flag::value(&["revision"]);
const APPLICATION: Flag = Flag::switch(&["application"]);
const STRICT: Flag = Flag::switch(&["strict"]);
const INCLUDE_DATA: Flag = Flag::switch(&["include-data"]);
const S: Flag = Flag::value(&["s"]);
const BY_ENDPOINT: Flag = Flag::switch(&["endpoints"]);
const SECRET_FLAGS: &[Flag] = &[
    LABEL,
    FILE,
    Flag::value(&["description"]),
    Flag::value(&["expire"]),
    Flag::value(&["rotate"]),
    Flag::value(&["owner"]),
];

// Which flags a command takes, and what runs it.
fn find(command: &str) -> Option<(&'static [Flag], Run)> {
    Some(match command {
        "action-fail" => (&[], action::fail),
        "action-get" => (&[FORMAT, OUTPUT], action::get),
        "action-log" => (&[], action::log),
        "action-set" => (&[], action::set),
        "application-version-set" => (&[], unit::version_set),
        "close-port" => (&[ENDPOINTS, FORMAT], ports::close),
        "config-get" => (&[ALL, FORMAT, OUTPUT], unit::config_get),
        "credential-get" => (&[FORMAT, OUTPUT], unit::credential_get),
        "goal-state" => (&[FORMAT, OUTPUT], status::goal_state),
        "is-leader" => (&[FORMAT, OUTPUT], unit::is_leader),
        "juju-log" => (&[LOG_LEVEL, DEBUG, FORMAT], unit::juju_log),
        "juju-reboot" => (&[NOW], unit::reboot),
        "network-get" => (
            &[R, BIND_ADDRESS, INGRESS_ADDRESS, EGRESS_SUBNETS, PRIMARY_ADDRESS, FORMAT, OUTPUT],
            ports::network_get,
        ),
        "open-port" => (&[ENDPOINTS, FORMAT], ports::open),
        "opened-ports" => (&[BY_ENDPOINT, FORMAT, OUTPUT], ports::opened),
        "relation-get" => (&[R, APP, FORMAT, OUTPUT], relation::get),
        "relation-ids" => (&[FORMAT, OUTPUT], relation::ids),
        "relation-list" => (&[R, APP, FORMAT, OUTPUT], relation::list),
        "relation-model-get" => (&[R, FORMAT, OUTPUT], relation::model_get),
        "relation-set" => (&[R, APP, FILE, FORMAT], relation::set),
        "resource-get" => (&[], unit::resource_get),
        "secret-add" => (SECRET_FLAGS, secret_write::add),
        "secret-get" => (&[LABEL, PEEK, REFRESH, FORMAT, OUTPUT], secret::get),
        "secret-grant" => (&[R, UNIT], secret_write::grant),
        "secret-ids" => (&[FORMAT, OUTPUT], secret::ids),
        "secret-info-get" => (&[LABEL, FORMAT, OUTPUT], secret::info_get),
        "secret-remove" => (&[REVISION], secret_write::remove),
        "secret-revoke" => (&[R, UNIT, APPLICATION], secret_write::revoke),
        "secret-set" => (SECRET_FLAGS, secret_write::set),
        "state-delete" => (&[], state::delete),
        "state-get" => (&[STRICT, FORMAT, OUTPUT], state::get),
        "state-set" => (&[FILE], state::set),
        "status-get" => (&[INCLUDE_DATA, APPLICATION, FORMAT, OUTPUT], status::get),
        "status-set" => (&[APPLICATION], status::set),
        "storage-add" => (&[], unit::no_storage),
        "storage-get" => (&[S, FORMAT, OUTPUT], unit::no_storage),
        "storage-list" => (&[FORMAT, OUTPUT], unit::storage_list),
        "unit-get" => (&[FORMAT, OUTPUT], unit::unit_get),
        _ => return None,
    })
}

impl Context {
    /// Runs one command.
    pub fn run(&mut self, model: &mut Model, request: &Request, now: SystemTime) -> Reply {
        if request.context_id != self.id {
            return Reply::Rpc(format!("bad request: wrong context ID; got \"{}\"", request.context_id));
        }
        let Some((accepted, run)) = find(&request.command) else {
            return Reply::Rpc(format!("bad request: unknown command: {}", request.command));
        };
        let outcome =
            Flags::parse(&request.args, accepted).map_err(Fault::Usage).and_then(|(flags, args)| {
                let dir = PathBuf::from(&request.dir);
                let stdin = request.stdin.as_deref();
                run(&mut Call { ctx: self, model, flags, args, dir, stdin, now })
            });
        let (code, stdout, stderr) = match outcome {
            Ok(stdout) => (0, stdout, String::new()),
            Err(Fault::Failed(text)) => (1, String::new(), format!("ERROR {text}\n")),
            Err(Fault::Usage(text)) => (2, String::new(), format!("ERROR {text}\n")),
            Err(Fault::Stdin) => return Reply::stdin_needed(),
        };
        Reply::Exit { code, stdout: stdout.into_bytes(), stderr: stderr.into_bytes() }
    }
}

impl Call<'_> {
    fn at_most(&self, count: usize) -> Result<(), Fault> {
        let extra: Vec<String> = self.args.iter().skip(count).map(|arg| format!("{arg:?}")).collect();
        if extra.is_empty() {
            return Ok(());
        }
        Err(Fault::usage(format!("unrecognized args: [{}]", extra.join(" "))))
    }

    fn arg(&self, index: usize) -> Option<&str> {
        self.args.get(index).map(String::as_str)
    }

    // `k=v` words; the value may hold more `=`.
    fn pairs(&self, from: usize) -> Result<Vec<(String, String)>, Fault> {
        let pair = |arg: &String| match arg.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
            _ => Err(Fault::usage(format!("expected \"key=value\", got {arg:?}"))),
        };
        self.args.iter().skip(from).map(pair).collect()
    }

    // What a command prints, to its output or into the file that it was given.
    fn print(&self, value: &serde_json::Value) -> Outcome {
        self.print_as(value, "smart")
    }

    fn print_as(&self, value: &serde_json::Value, default: &str) -> Outcome {
        let format = self.flags.get("format").unwrap_or(default);
        let known = format == "yaml" || format == "json" || (format == "smart" && default == "smart");
        if !known {
            let text = format!("invalid value \"{format}\" for option --format: unknown format \"{format}\"");
            return Err(Fault::Usage(text));
        }
        let text = output::render(value, format);
        match self.flags.get("o").or(self.flags.get("output")) {
            None => Ok(text),
            Some(file) => {
                let path = self.dir.join(file);
                std::fs::write(&path, text)
                    .map_err(|error| Fault::failed(format!("{}: {error}", path.display())))?;
                Ok(String::new())
            }
        }
    }
}
