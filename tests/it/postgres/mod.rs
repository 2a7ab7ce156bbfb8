//! The charm's side of PostgreSQL against a real server: what is said when something is wrong, and what is done to
//! sessions. Each test has a database of its own in one shared cluster, unless it needs a server of its own.

mod catalog;
mod connect;
mod sessions;
mod silent;
mod support;
mod tls;
mod vacuum;
