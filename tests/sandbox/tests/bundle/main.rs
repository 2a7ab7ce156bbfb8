//! The charm among all the charms that it integrates with, and the stand-ins for those.

#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod lives;
mod orders;
mod stand_ins;
#[path = "../life/support.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod support;
mod takeover;
mod world;
