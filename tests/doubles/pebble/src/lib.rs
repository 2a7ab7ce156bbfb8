//! A double of Pebble v1.32.1, the service manager of the workload's container: it runs real processes and answers as the
//! real daemon was recorded to answer.
//!
//! It is given a directory (`PEBBLE`) and serves the HTTP API on a unix socket there. It exists so that the charm's client
//! can be tested and the charm be rehearsed where no Pebble is at hand; hence it is never kinder than the original. Left out,
//! each with a clear error: terminals, identities, metrics, following logs, and the delivery of logs to targets.

#![allow(clippy::disallowed_methods, reason = "the daemon starts services and stamps what happens")]

mod body;
mod changes;
mod checks;
mod clock;
mod daemon;
mod duration;
mod exec;
mod files;
mod logs;
mod notices;
mod plan;
mod process;
mod query;
mod record;
mod respond;
mod routes;
mod services;
mod users;
mod words;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use daemon::{Error, Options, run, serve};

/// The version that is doubled.
pub const VERSION: &str = "v1.32.1";

/// Locks; what a panicking thread left is used on, as each mutation is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
