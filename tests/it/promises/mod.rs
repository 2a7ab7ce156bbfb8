//! The promises of a migration, each with something real killed or disturbed: the process, its session, the server.
//!
//! The engine runs in this process with the double of Kratos as a child, on a PostgreSQL of its own.

mod alone;
mod kills;
mod old_server;
mod pgbouncer;
mod progress;
mod support;
