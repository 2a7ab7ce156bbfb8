//! The model and its hook commands, through shell-script charms that use them.

mod actions;
mod hooks;
mod life;
mod relations;
mod secrets;
pub mod support;
