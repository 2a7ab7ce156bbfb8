//! The checks before a migration: what would make it fail, wait or leave the database in a worse state.
//!
//! Given a connection and a [`PlannedRun`], [`preflight`] asks every question at once, before anything is changed, and
//! changes nothing itself. Each [`PreflightCheck`] has a [`CheckName`] of its own and, unless it is well, a remedy. A refusal
//! stands for a run that would fail or do harm, a warning for one that may take longer.
//!
//! A new check is a line in `name` and a function that gives its findings; the compiler asks for the rest.

mod name;
mod objects;
mod planned_run;
mod report;
mod rights;
mod room;
mod server;
mod sessions;

pub use name::CheckName;
pub use planned_run::{PlannedRun, own_tables};
pub use report::{Finding, PreflightCheck, PreflightReport, Severity};
pub(super) use server::refuse_pooler;

use super::schema::Migration;
use crate::postgres::{Connection, Error};

/// The longest that one question may take, for the server.
const QUESTION: &str = "4000";

/// Asks all questions, in the order of [`CheckName::ALL`]. `connection` is the side connection of the run, which overrides
/// the fence.
///
/// Ends within seconds. A question that the server refuses to answer becomes a finding of its check.
pub async fn preflight(connection: &Connection, run: PlannedRun<'_>) -> PreflightReport {
    let dsn = run.dsn.clone().with_setting("statement_timeout", QUESTION);
    let plain = match server::open(&dsn).await {
        Ok(plain) => plain,
        Err(error) => return unreachable(&error),
    };
    let mut report = PreflightReport { checks: Vec::new() };
    for name in CheckName::ALL {
        let check = PreflightCheck::new(*name, findings(*name, connection, &plain, &run).await);
        let is_pooled = *name == CheckName::Pooler && check.severity() == Severity::Refusal;
        report.checks.push(check);
        if is_pooled {
            // Nobody knows who would answer the rest.
            break;
        }
    }
    plain.close().await;
    report
}

/// Asks one question; `plain` has no override of the fence.
async fn findings(
    name: CheckName,
    connection: &Connection,
    plain: &Connection,
    run: &PlannedRun<'_>,
) -> Vec<Finding> {
    match name {
        // There is a connection.
        CheckName::Reachable => Vec::new(),
        CheckName::Pooler => server::pooler(connection, plain).await,
        CheckName::WritablePrimary => server::writable(connection, plain).await,
        CheckName::Ownership => rights::ownership(plain, run.own).await,
        CheckName::Create => rights::create(plain, run.dsn.database(), run.schema.pending.as_deref()).await,
        CheckName::InvalidIndexes => objects::invalid_indexes(plain, run).await,
        CheckName::HalfApplied => objects::half_applied(plain, run).await,
        CheckName::NullRows => objects::null_rows(plain, run).await,
        CheckName::OtherMigration => sessions::other_migration(plain).await,
        CheckName::LongTransactions => sessions::long_transactions(plain, run).await,
        CheckName::PreparedTransactions => sessions::prepared_transactions(plain, run).await,
        CheckName::Subscription => sessions::subscription(plain).await,
        CheckName::OtherWriters => sessions::other_writers(plain, run).await,
        CheckName::Replication => room::replication(plain).await,
        CheckName::Disk => room::disk(plain, run).await,
        CheckName::Time => room::time(run),
    }
}

/// Asks only whether the role may do what the `pending` migrations do (`None`: not known, so all of them): for a database
/// from which nobody ever served there is nothing else to be careful with.
pub async fn preflight_of_unused(
    connection: &Connection,
    database: &str,
    pending: Option<&[Migration]>,
) -> PreflightReport {
    let ownership = rights::ownership(connection, &own_tables(&[])).await;
    let create = rights::create(connection, database, pending).await;
    PreflightReport {
        checks: vec![
            PreflightCheck::new(CheckName::Ownership, ownership),
            PreflightCheck::new(CheckName::Create, create),
        ],
    }
}

/// The report of a database that cannot be asked: the connection failed with `error`.
pub fn unreachable(error: &Error) -> PreflightReport {
    let (name, remedy) = match error {
        Error::Pooler { .. } | Error::StartupParameter { .. } => (CheckName::Pooler, server::PAST_PROXY),
        Error::ReadOnly { .. } => {
            (CheckName::WritablePrimary, "wait until a primary is elected, or name its address")
        }
        Error::WrongPassword { .. } => (CheckName::Reachable, "renew the relation, or correct the DSN"),
        Error::Permission { .. } => (CheckName::Reachable, "GRANT CONNECT ON DATABASE, or pg_hba.conf"),
        Error::NoDatabase { .. } => (CheckName::Reachable, "CREATE DATABASE, or renew the relation"),
        Error::TlsRefused { .. } | Error::CertificateInvalid { .. } | Error::BadCa { .. } => (
            CheckName::Reachable,
            "renew the relation with the authority that signs the database's certificate",
        ),
        _ => (CheckName::Reachable, "see juju status of the database, then try again"),
    };
    let findings = vec![Finding::refusal(error.to_string(), remedy)];
    PreflightReport { checks: vec![PreflightCheck::new(name, findings)] }
}
