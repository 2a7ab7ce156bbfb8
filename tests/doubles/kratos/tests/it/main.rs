//! The double of Kratos as a black box: what it prints, and how it behaves on a real PostgreSQL that is disturbed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of a test may fail like the test itself"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "a test starts programs, and looks at the clock and the environment"
)]

mod api;
mod connection;
mod migrations;
mod privileges;
mod recorded;
mod rendered;
mod server;
mod upgrade;
mod world;
