//! The domain: what Kratos is told (configuration, environment) and how its program is spoken to.

pub mod command;
pub mod config;
pub mod environment;
pub mod options;
pub mod place;
pub mod process;
pub mod version;

pub use place::Place;
pub use version::WorkloadVersion;
