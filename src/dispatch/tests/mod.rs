//! Whole dispatches in this process, against an agent and a Pebble of the test's own.

mod quiet;
mod refusals;
