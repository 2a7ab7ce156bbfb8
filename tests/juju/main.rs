//! The charm's side of the Juju agent, through its public interface: events from written-down environments, every hook
//! command over a recording transport, and the real transport over scripts that stand for Juju's tools.

// All of this crate is test code, its helpers too; clippy knows only the test functions as such.
#![allow(clippy::unwrap_used)]

mod agent;
mod events;
mod exec;
mod hooks;
mod log;
mod recorder;
