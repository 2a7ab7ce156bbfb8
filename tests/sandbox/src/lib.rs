//! The sandbox: a small Juju model for one machine.

pub mod agent;
pub mod commands;
pub mod container;
pub mod gob;
pub mod hooks;
pub mod juju;
pub mod model;
pub mod pack;
pub mod postgres;
pub mod programs;
pub mod sandbox;

pub use sandbox::{KillAtCall, Moment, Options, Output, Sandbox, TraceEntry};
