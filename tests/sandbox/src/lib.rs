//! The sandbox: a small Juju model for one machine.

/// A stand-in for Ory Kratos: same command line, real migrations on a real PostgreSQL, a small server.
pub mod kratos;
