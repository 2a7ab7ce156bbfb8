//! The sandbox: a small Juju model for one machine.

pub mod agent;
pub mod container;
pub mod gob;
/// A stand-in for Ory Kratos: same command line, real migrations on a real PostgreSQL, a small server.
pub mod kratos;
pub mod pack;
pub mod postgres;
pub mod programs;
