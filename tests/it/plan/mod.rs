//! The plan of a migration against a real PostgreSQL and the double of Kratos.

mod locks;
mod proxy;
mod scratch;
mod sizes;
mod support;
mod times;
