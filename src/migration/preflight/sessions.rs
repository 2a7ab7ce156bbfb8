//! Who else is working on the database.

use super::planned_run::PlannedRun;
use super::report::Finding;
use crate::migration::sessions::{MIGRATION_PROCESS, OUR_SESSIONS};
use crate::postgres::fence::{self, LONG, Writer};
use crate::postgres::transactions::{self, OpenTransaction};
use crate::postgres::{Connection, Result};

/// A migration process whose operator is gone: it has no lock, but its statements go on.
pub(super) async fn other_migration(connection: &Connection) -> Vec<Finding> {
    let sql = "SELECT pid, application_name FROM pg_stat_activity
               WHERE datname = current_database() AND starts_with(application_name, $1) ORDER BY 1";
    let explain = |error| connection.explain(&error);
    let read = async {
        let rows = connection.client().query(sql, &[&MIGRATION_PROCESS]).await?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect::<std::result::Result<Vec<_>, _>>()
    };
    findings(read.await.map_err(explain), unwatched_migration)
}

fn unwatched_migration((pid, name): (i32, String)) -> Finding {
    Finding::refusal(
        format!("a migration process that nobody watches is still at work: {name:?} (pid {pid})"),
        format!("SELECT pg_cancel_backend({pid}), then wait until it is gone"),
    )
}

/// A copy that is being fed from elsewhere: its rows come in the old form while the migration changes the table.
pub(super) async fn subscription(connection: &Connection) -> Vec<Finding> {
    let sql = "SELECT quote_ident(subname) FROM pg_subscription
               WHERE subenabled AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
               ORDER BY 1";
    let rows = connection.client().query(sql, &[]).await;
    let names = rows.and_then(|rows| rows.iter().map(|row| row.try_get(0)).collect());
    findings(names.map_err(|error| connection.explain(&error)), |name: String| {
        Finding::refusal(
            format!("the subscription {name} writes into this database"),
            format!("ALTER SUBSCRIPTION {name} DISABLE"),
        )
    })
}

/// Transactions that would make the migration wait, and everybody else behind it.
pub(super) async fn long_transactions(connection: &Connection, run: &PlannedRun<'_>) -> Vec<Finding> {
    let open = transactions::open(connection, run.touched, LONG, &OUR_SESSIONS).await;
    findings(open, open_transaction)
}

fn open_transaction(open: OpenTransaction) -> Finding {
    let OpenTransaction { pid, application_name, user, own_role, since, tables, .. } = open;
    let is_of_unknown_age = since.is_none();
    let since = since.map_or_else(|| "for an unknown time".to_owned(), |since| format!("since {since}"));
    let who = format!("the transaction of {application_name:?}, user {user} (pid {pid}), open {since}");
    let remedy = format!("SELECT pg_terminate_backend({pid})");
    match (tables.is_empty(), own_role) {
        (true, _) => Finding::warning(format!("{who}, keeps old rows alive"), remedy),
        (false, true) => {
            Finding::warning(format!("{who}, has locked {}; the fence ends it", tables.join(", ")), remedy)
        }
        // An ordinary role is not told for how long others are at work: it may be over in a moment.
        (false, false) if is_of_unknown_age => {
            let text = format!("{who}, has locked {}; the migration waits for its end", tables.join(", "));
            Finding::warning(text, remedy)
        }
        (false, false) => Finding::refusal(format!("{who}, has locked {}", tables.join(", ")), remedy),
    }
}

/// Transactions that nobody is connected to.
pub(super) async fn prepared_transactions(connection: &Connection, run: &PlannedRun<'_>) -> Vec<Finding> {
    let prepared = transactions::prepared(connection, run.touched).await;
    findings(prepared, |prepared| {
        let text = format!(
            "the transaction {} of {}, prepared {}, is neither committed nor rolled back",
            prepared.quoted, prepared.owner, prepared.since
        );
        let remedy = format!("ROLLBACK PREPARED {0} (or COMMIT PREPARED {0})", prepared.quoted);
        match prepared.tables.is_empty() {
            true => Finding::warning(text, remedy),
            false => {
                Finding::refusal(format!("{text} and has locked {}", prepared.tables.join(", ")), remedy)
            }
        }
    })
}

/// Sessions that could write while the migration runs.
pub(super) async fn other_writers(connection: &Connection, run: &PlannedRun<'_>) -> Vec<Finding> {
    let writers = match fence::writers(connection, run.own, &OUR_SESSIONS).await {
        Ok(writers) => writers,
        Err(error) => return vec![Finding::unanswered(&error)],
    };
    let (own, foreign): (Vec<_>, Vec<_>) = writers.into_iter().partition(|writer| writer.own_role);
    let mut findings: Vec<_> = foreign.iter().map(|writer| foreign_writer(writer, connection)).collect();
    if !own.is_empty() {
        let names: Vec<_> =
            own.iter().map(|it| format!("{:?} (pid {})", it.application_name, it.pid)).collect();
        findings.push(Finding::warning(
            format!("the fence lets these sessions of our role only read: {}", names.join(", ")),
            "nothing to do: they can write again when the migration has ended",
        ));
    }
    findings
}

fn foreign_writer(writer: &Writer, connection: &Connection) -> Finding {
    let Writer { pid, application_name, user, superuser, .. } = writer;
    let who = format!("{application_name:?}, user {user} (pid {pid})");
    if *superuser {
        let text = format!("an administrator's session may write: {who}");
        return Finding::warning(text, format!("if it is not needed: SELECT pg_terminate_backend({pid})"));
    }
    Finding::refusal(
        format!("a session of a role that the fence does not cover may write: {who}"),
        format!("stop that program at {}, then SELECT pg_terminate_backend({pid})", connection.host()),
    )
}

fn findings<T>(found: Result<Vec<T>>, describe: impl Fn(T) -> Finding) -> Vec<Finding> {
    Finding::answered(found.map(|found| found.into_iter().map(describe).collect()))
}
