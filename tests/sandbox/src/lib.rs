//! The sandbox: a small Juju model for one machine.

pub mod agent;
pub mod gob;
