//! The charm: what Juju runs once per event, as a library.
//!
//! The rooms and what each may know are listed in `docs/architecture.md`.

pub mod actions;
pub mod charm;
pub mod cli;
pub mod dispatch;
pub mod integrations;
pub mod juju;
pub mod kratos;
pub mod kubernetes;
pub mod migration;
pub mod pebble;
pub mod postgres;
mod yaml;
