//! What stands between a migration and a wedged database, on a real PostgreSQL and with the double of Kratos: the
//! fence, the checks before a run, and the repair.

mod cancel;
mod checks;
mod described;
mod fence;
pub mod pooler;
mod repair;
mod sessions;
mod support;
