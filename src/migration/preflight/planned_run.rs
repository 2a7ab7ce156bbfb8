//! What the checks judge: a run as it is planned.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::kratos::program::command::ListedMigration;
use crate::migration::counts;
use crate::migration::schema::Schema;
use crate::migration::timeout::Timeout;
use crate::postgres::Dsn;

/// What is to be migrated, and how.
#[derive(Clone, Copy, Debug)]
pub struct PlannedRun<'a> {
    pub dsn: &'a Dsn,
    pub schema: &'a Schema,
    /// All migrations that the program knows, with their SQL; empty if it cannot tell.
    pub listed: &'a [ListedMigration],
    /// The tables that the pending ones change, without schema; empty: not known, so any.
    pub touched: &'a [String],
    /// Kratos' tables as [`own_tables`] gives them, by which rights and writers are judged; empty: not known, so any.
    pub own: &'a [String],
    /// How long it will take, if that was measured.
    pub estimate: Option<Duration>,
    pub timeout: Timeout,
    /// Go on although the timeout is too short.
    pub force: bool,
}

/// Kratos' tables, as far as it matters who owns them and who writes to them: those that are changed, the bookkeeping, and
/// those that must not lose rows. Others may have tables in the same schema.
pub fn own_tables(touched: &[String]) -> Vec<String> {
    let named = ["schema_migration"].into_iter().chain(counts::TABLES).map(str::to_owned);
    named.chain(touched.iter().cloned()).collect::<BTreeSet<_>>().into_iter().collect()
}
