//! The sandbox: a small Juju model for one machine.

pub mod model;
