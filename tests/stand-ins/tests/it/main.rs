//! The stand-in for the PostgreSQL charm, run as Juju would run it, over a real server.

#![allow(clippy::unwrap_used, reason = "a helper of a test may fail like the test itself")]

mod model;
mod postgresql;
