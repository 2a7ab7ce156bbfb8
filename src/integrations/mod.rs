//! One file per endpoint: a remote databag becomes typed data, typed data becomes our databag. No I/O.

pub mod database;
pub mod peers;
pub mod runs;
