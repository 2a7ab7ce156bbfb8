//! The model and its hook commands, through shell-script charms that use them.

#![allow(clippy::unwrap_used, reason = "a helper of a test may fail like the test itself")]

mod actions;
mod hooks;
mod life;
mod relations;
mod secrets;
mod support;
