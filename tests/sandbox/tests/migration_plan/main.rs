//! The plan of a migration against a real PostgreSQL and the double of Kratos.

// Helpers of tests may panic like the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod locks;
mod scratch;
mod sizes;
mod support;
mod times;
