//! A client of Pebble, the service manager of a workload container: given the path of its unix socket, it
//! reads and changes layers, services, files and checks there, and runs commands.
//!
//! It is the only door from the charm to the workload. It decides nothing and keeps nothing between two
//! calls: every call opens its own connection, so a restarted daemon needs no special care. A call that gets
//! no answer within the client's timeout (5 s unless [`Client::with_timeout`] says otherwise) is a connection
//! error; a wait that takes longer than its caller allows is [`Error::Timeout`].
//!
//! Nothing here puts an environment value or the content of a file into an error.

mod changes;
mod checks;
mod client;
mod envelope;
mod error;
mod exec;
mod files;
mod logs;
mod multipart;
mod plan;
mod process;
mod pull;
mod push;
mod services;
mod values;

pub use changes::{Change, ChangeStatus, Progress, Task};
pub use checks::{CheckInfo, CheckRefresh, CheckStatus};
pub use client::Client;
pub use error::{Error, PathError, PathErrorKind};
pub use exec::ExecRequest;
pub use files::{FileInfo, FileType, Owner};
pub use logs::LogEntry;
pub use plan::{
    Check, CheckLevel, ExecCheck, HttpCheck, Layer, LogTarget, OnFailure, Override, Plan, Service, Startup,
    TcpCheck,
};
pub use process::{Output, Process};
pub use pull::PULL_LIMIT;
pub use push::{Content, PushFile};
pub use services::{ServiceInfo, ServiceStatus};
pub use values::ChangeId;
