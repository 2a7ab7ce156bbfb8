//! The double of Kratos as a black box: what it prints, and how it behaves on a real PostgreSQL that is disturbed.

#![allow(clippy::unwrap_used, reason = "a helper of a test may fail like the test itself")]

mod api;
mod connection;
mod migrations;
mod privileges;
mod recorded;
mod rendered;
mod server;
mod upgrade;
mod world;
