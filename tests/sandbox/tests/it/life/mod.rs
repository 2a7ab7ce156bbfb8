//! The real charm's binary in the sandbox: black-box tests of whole lives, on a real PostgreSQL.

mod actions;
mod bad_data;
mod deploy;
mod hot;
mod identities;
mod kill;
mod losses;
mod migration;
mod quiet;
mod refusals;
mod remote_data;
mod schemas;
mod secrets;
mod silent;
pub mod support;
mod transfer;
