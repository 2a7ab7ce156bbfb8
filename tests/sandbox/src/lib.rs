//! The sandbox: a small Juju model for one machine.
//!
//! [`Sandbox`] runs the real charm's program against it, with real hook commands, Pebble, Kratos (or our
//! doubles of them) and a real PostgreSQL; the program `sandbox` does the same at a prompt.

#![allow(clippy::disallowed_methods, reason = "it is Juju: it starts programs and stamps what happens")]

pub mod agent;
pub mod commands;
pub mod container;
pub mod demo;
pub mod gob;
pub mod hooks;
pub mod juju;
pub mod model;
pub mod pack;
pub mod postgres;
pub mod programs;
pub mod sandbox;
pub mod visits;

pub use sandbox::{KillAtCall, Kubelet, Moment, Options, Output, Sandbox, TraceEntry};
