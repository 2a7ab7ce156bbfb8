//! The double of Pebble, held to the recordings of a real one and to what the charm's client relies on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of a test may fail like the test itself"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "a test starts programs, and looks at the clock and the environment"
)]

mod contract;
mod replay;
