//! The Kubernetes API, as far as the charm needs it.

pub mod limits;
pub mod quantity;

pub use limits::Limits;
pub use quantity::Quantity;
