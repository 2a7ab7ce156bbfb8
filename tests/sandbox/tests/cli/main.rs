//! The command line of the real binary, from outside: a real PostgreSQL, and a Kratos that is the double.

#![allow(clippy::unwrap_used, reason = "a helper of a test may fail like the test itself")]

mod input;
mod kills;
#[path = "../migration_preflight/pooler.rs"]
mod pooler;
mod refusals;
mod repair;
mod runs;
mod support;
