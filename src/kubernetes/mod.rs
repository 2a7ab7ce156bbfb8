//! The Kubernetes API, as far as the charm needs it: two ConfigMaps, and the limits of the workload container.

pub mod access;
pub mod config_maps;
pub mod error;
pub mod limits;
mod objects;
pub mod quantity;
pub mod resources;
pub mod stateful_set;

pub use access::{Access, Connection};
pub use config_maps::{ConfigMap, Standing};
pub use error::Error;
pub use limits::Limits;
pub use quantity::Quantity;
pub use stateful_set::StatefulSet;
