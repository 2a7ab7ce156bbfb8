//! The actions on identity schemas.

pub mod check;
mod known;
pub mod migrate;
