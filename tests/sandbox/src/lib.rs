//! The sandbox: a small Juju model for one machine.

pub mod agent;
pub mod container;
pub mod gob;
pub mod hooks;
pub mod model;
pub mod pack;
pub mod postgres;
pub mod programs;
