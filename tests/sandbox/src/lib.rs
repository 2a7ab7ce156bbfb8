//! The sandbox: a small Juju model for one machine.

/// A double of Pebble, the service manager of the workload's container.
pub mod pebble;
