//! The promises of a migration, each with something real killed or disturbed: the process, its session, the server.
//!
//! The engine runs in this process with the double of Kratos as a child, on a PostgreSQL of its own.

#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod alone;
mod kills;
mod old_server;
mod progress;
mod support;
#[allow(dead_code, reason = "written for the tests of the double, which need more of it")]
#[path = "../kratos_double/world.rs"]
mod world;
