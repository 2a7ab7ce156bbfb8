//! The real charm's binary in the sandbox: black-box tests of whole lives, on a real PostgreSQL.

#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod actions;
mod bad_data;
mod deploy;
mod hot;
mod identities;
mod inputs;
mod kill;
mod migration;
mod quiet;
mod refusals;
mod schemas;
mod secrets;
mod support;
mod transfer;
