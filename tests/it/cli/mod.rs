//! The command line of the real binary, from outside: a real PostgreSQL, and a Kratos that is the double.

mod input;
mod kills;
mod refusals;
mod repair;
mod runs;
mod support;
