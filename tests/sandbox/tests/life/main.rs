//! The real charm's binary in the sandbox: black-box tests of whole lives, on a real PostgreSQL.

mod bad_data;
mod deploy;
mod kill;
mod migration;
mod quiet;
mod secrets;
mod support;
