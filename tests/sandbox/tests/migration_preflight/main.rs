//! What stands between a migration and a wedged database, on a real PostgreSQL and with the double of Kratos: the
//! fence, the checks before a run, and the repair.

#![allow(clippy::unwrap_used, reason = "a helper of a test may fail like the test itself")]

mod cancel;
mod digest;
mod fence;
mod obstacles;
mod pooler;
mod preflight;
mod repair;
mod support;
#[allow(dead_code, reason = "written for the tests of the double, which need more of it")]
#[path = "../kratos_double/world.rs"]
mod world;
