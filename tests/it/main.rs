//! The charm's rooms and its program from outside: Juju and Pebble as recorded, a real PostgreSQL, the double of Kratos.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of a test may fail like the test itself"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "a test starts programs, and looks at the clock and the environment"
)]

mod arrows;
mod cli;
mod described;
mod docs;
mod house;
mod juju;
mod pebble;
mod plan;
mod postgres;
mod preflight;
mod promises;
mod render;
#[allow(dead_code, reason = "written for the tests of the double, which need more of it")]
#[path = "../doubles/kratos/tests/it/world.rs"]
mod world;
