//! One file per endpoint: a remote databag becomes typed data, typed data becomes our databag. No I/O.

pub mod database;
pub mod peers;
pub mod relation;
pub mod runs;

pub use relation::{Endpoint, Relation, Remote, SecretContent};

/// Every endpoint that is read as a [`Relation`], in the order in which they are read; database and peers are read
/// by their own rules.
pub const ENDPOINTS: &[Endpoint] = &[];
