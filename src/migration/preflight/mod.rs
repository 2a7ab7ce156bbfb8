//! The checks before a migration: what would make it fail, wait or leave the database in a worse state.
//!
//! Given a connection, the pending migrations and what is planned for them, [`preflight`] asks every question at
//! once, before anything is changed, and changes nothing itself. Each [`Check`] has a name of its own and, unless
//! it is well, a remedy. A refusal stands for a run that would fail or do harm, a warning for one that may take
//! longer.

mod objects;
mod report;
mod rights;
mod room;
mod server;
mod sessions;

use std::collections::BTreeSet;
use std::time::Duration;

pub use report::{Check, Finding, Report, Verdict};
pub(super) use server::refuse_pooler;

use super::counts;
use super::schema::{Migration, Schema};
use super::timeout::Timeout;
use crate::kratos::program::command::ListedMigration;
use crate::postgres::{Connection, Dsn, Error};

/// What the names of our own sessions begin with: side connections, and the migration process.
pub const OUR_SESSIONS: [&str; 2] = ["kratos-operator", MIGRATION_PROCESS];
const MIGRATION_PROCESS: &str = "kratos-migrate";
/// The name of the sessions that ask the questions.
const NAME: &str = "kratos-operator preflight";
/// Kratos itself would try an unreachable database for 5 minutes.
const CONNECT: Duration = Duration::from_secs(5);
/// The longest that one question may take, for the server.
const QUESTION: &str = "4000";

/// What is to be migrated, and how.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
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

/// Asks all questions, in a fixed order. `connection` is the side connection of the run, which overrides the fence.
///
/// Ends within seconds. A question that the server refuses to answer becomes a finding of its check.
pub async fn preflight(connection: &Connection, facts: Facts<'_>) -> Report {
    let dsn = facts.dsn.clone().with_param("statement_timeout", QUESTION);
    let plain = match Connection::open(&dsn, NAME, CONNECT).await {
        Ok(plain) => plain,
        Err(error) => return unreachable(&error),
    };
    let mut checks = vec![Check::new("reachable", Vec::new()), server::pooler(connection, &plain).await];
    if checks.iter().any(|check| check.verdict() == Verdict::Refusal) {
        // Nobody knows who would answer the rest.
        return Report { checks };
    }
    checks.push(server::writable(connection, &plain).await);
    let pending = facts.schema.pending.as_deref();
    checks.extend(rights::check(&plain, facts.dsn.database(), pending, facts.own).await);
    checks.push(objects::invalid_indexes(&plain).await);
    checks.extend(objects::foreseen(&plain, &facts).await);
    checks.push(sessions::other_migration(&plain).await);
    checks.push(sessions::long_transactions(&plain, &facts).await);
    checks.push(sessions::prepared_transactions(&plain, &facts).await);
    checks.push(sessions::other_writers(&plain, &facts).await);
    checks.push(room::replication(&plain).await);
    checks.push(room::disk(&plain, &facts).await);
    checks.push(room::time(&facts));
    plain.close().await;
    Report { checks }
}

/// Asks only whether the role may do what the `pending` migrations do (`None`: not known, so all of them): for a database
/// from which nobody ever served there is nothing else to be careful with.
pub async fn preflight_of_unused(
    connection: &Connection,
    database: &str,
    pending: Option<&[Migration]>,
) -> Report {
    Report { checks: rights::check(connection, database, pending, &own_tables(&[])).await.into() }
}

/// The report of a database that cannot be asked: the connection failed with `error`.
pub fn unreachable(error: &Error) -> Report {
    let (name, remedy) = match error {
        Error::Pooler { .. } => ("pooler", server::PAST_PROXY),
        Error::ReadOnly { .. } => {
            ("writable-primary", "wait until a primary is elected, or name its address")
        }
        Error::WrongPassword { .. } => ("reachable", "renew the relation, or correct the DSN"),
        Error::Permission { .. } => ("reachable", "GRANT CONNECT ON DATABASE, or pg_hba.conf"),
        Error::NoDatabase { .. } => ("reachable", "CREATE DATABASE, or renew the relation"),
        Error::TlsRefused { .. } | Error::CertificateInvalid { .. } | Error::BadCa { .. } => {
            ("reachable", "renew the relation with the authority that signs the database's certificate")
        }
        _ => ("reachable", "see juju status of the database, then try again"),
    };
    Report { checks: vec![Check::new(name, vec![Finding::refusal(error.to_string(), remedy)])] }
}

/// The finding of a question that was not answered: without the answer nobody knows.
fn unanswered(error: &Error) -> Finding {
    Finding::refusal(format!("the server does not tell: {error}"), "try again, or see the server's log")
}
