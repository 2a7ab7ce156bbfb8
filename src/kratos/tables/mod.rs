//! Kratos' own tables, read with SQL where its admin API has no answer. Nothing here writes.

pub mod addresses;
pub mod expired;
pub mod identities;
