//! The sandbox, and the charm in it: the model, its commands and containers; then whole lives of the charm's binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of a test may fail like the test itself"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "a test starts programs, and looks at the clock and the environment"
)]

mod agent_socket;
mod bundle;
mod commands;
mod container;
#[path = "../../../it/described.rs"]
mod described;
mod kubernetes;
mod life;
mod model;
mod orphan;
mod pack;
mod postgres;
