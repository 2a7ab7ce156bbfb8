//! What Kratos accepts of an identity schema.
//!
//! [`rules`] finds the fault of a schema and of its id before Kratos would; [`traits`] checks traits against a schema as
//! Kratos does.

mod go_pattern;
mod parts;
pub mod rules;
pub mod traits;
