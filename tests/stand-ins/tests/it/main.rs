//! The stand-in for the PostgreSQL charm, run as Juju would run it, over a real server.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of a test may fail like the test itself"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "a test starts programs, and looks at the clock and the environment"
)]

mod model;
mod postgresql;
