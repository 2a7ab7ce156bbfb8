//! The double of Pebble, held to the recordings of a real one and to what the charm's client relies on.

#![allow(clippy::unwrap_used, reason = "a helper of a test may fail like the test itself")]

mod contract;
mod replay;
