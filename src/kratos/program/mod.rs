//! The Kratos program: its commands, and a process of it that runs for a while.

pub mod command;
pub mod process;
