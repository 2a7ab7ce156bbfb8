//! The actions on the database's schema.

pub mod plan;
pub mod pre_refresh_check;
pub mod repair;
pub mod run;
pub mod show;
mod standing;
