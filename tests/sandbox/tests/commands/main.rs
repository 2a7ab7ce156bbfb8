//! juju's commands as the sandbox understands them, from its interface and from its prompt.

#![allow(clippy::unwrap_used, reason = "a helper of a test may fail like the test itself")]

mod applications;
mod container;
mod reading;
mod shell;
#[path = "../model/support.rs"]
mod support;
