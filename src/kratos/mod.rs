//! Kratos: its configuration and environment as a pure function of facts, and its program, admin API and tables.
//!
//! Six rooms above two files. Each may import those before it in this order, and no other:
//!
//! 1. `names` (container, services, checks, ports, paths) and `version`;
//! 2. `schema`: what Kratos accepts of an identity schema;
//! 3. `facts`: the typed inputs; the option with identity schemas is checked by the rules of `schema`;
//! 4. `render`: facts to kratos.yaml, environment and files;
//! 5. `program`, `admin` and `tables`: the I/O. None imports another of the three, or `render`.

pub mod admin;
pub mod facts;
pub mod names;
pub mod program;
pub mod render;
pub mod schema;
pub mod tables;
pub mod version;

pub use facts::Facts;
pub use facts::secret::Secret;
pub use names::{Place, pebble_by_hand};
pub use version::WorkloadVersion;
