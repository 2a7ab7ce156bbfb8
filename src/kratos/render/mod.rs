//! Rendering: from [`Facts`](super::facts::Facts) to what Kratos is started with.
//!
//! Given the facts, [`config`] makes kratos.yaml, [`environment`] the variables of the services and [`files`] the files
//! beside kratos.yaml. What Kratos would refuse is left out, and [`left_out`] lists it. All of it is pure.

pub mod config;
pub mod courier;
pub mod environment;
pub mod files;
pub mod input;
pub mod left_out;
pub mod notes;
pub mod rendered;
pub mod stored;
