//! How many rows the tables that must not lose any hold, before and after.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::failure::Failure;
use super::job::STATEMENT;
use crate::postgres::{self, Connection};

/// The tables that hold what people would miss.
pub(super) const TABLES: [&str; 5] =
    ["identities", "identity_credentials", "identity_credential_identifiers", "sessions", "courier_messages"];

/// The longest that one count may take, for the server; a table that needs longer is estimated.
const BUDGET: Duration = Duration::from_millis(1500);

/// A number of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    Counted(i64),
    /// From the server's statistics: nothing is concluded from it.
    Estimated(i64),
}

impl fmt::Display for Rows {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Counted(rows) => write!(formatter, "{rows}"),
            Self::Estimated(rows) => write!(formatter, "about {rows} (estimate)"),
        }
    }
}

/// Rows by table, without tables that are not there.
pub type Counts = BTreeMap<&'static str, Rows>;

/// Counts, each table within the budget.
pub async fn count(connection: &Connection) -> Result<Counts, postgres::Error> {
    let client = connection.client();
    let explain = |error: tokio_postgres::Error| connection.explain(&error);
    let mut counts = Counts::new();
    for table in TABLES {
        let estimate = "SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass($1)";
        let Some(row) = client.query_opt(estimate, &[&table]).await.map_err(explain)? else { continue };
        let estimated: i64 = row.try_get(0).map_err(explain)?;
        connection.limit_statements(BUDGET).await?;
        let counted = client.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await;
        connection.limit_statements(STATEMENT).await?;
        let rows = match counted {
            Ok(row) => Rows::Counted(row.try_get(0).map_err(explain)?),
            // Too long, or a lock in the way.
            Err(_) => Rows::Estimated(estimated.max(0)),
        };
        counts.insert(table, rows);
    }
    Ok(counts)
}

/// Fails if a table that was counted both times holds fewer rows than before.
pub fn compare(before: &Counts, after: &Counts) -> Result<(), Failure> {
    for (table, rows) in before {
        if let (Rows::Counted(before), Some(Rows::Counted(after))) = (rows, after.get(table))
            && after < before
        {
            return Err(Failure::Lost { table: (*table).to_owned(), before: *before, after: *after });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_counted_rows_can_be_missed() {
        let counts = |rows| Counts::from([("identities", rows)]);
        let (counted, estimated) = (Rows::Counted, Rows::Estimated);
        assert!(compare(&counts(counted(3)), &counts(counted(3))).is_ok());
        assert!(compare(&counts(counted(3)), &counts(counted(4))).is_ok());
        assert!(compare(&counts(estimated(3)), &counts(counted(2))).is_ok());
        assert!(compare(&counts(counted(3)), &Counts::new()).is_ok());
        let lost = compare(&counts(counted(3)), &counts(counted(2))).unwrap_err();
        assert!(lost.to_string().contains("identities") && lost.to_string().contains('3'), "{lost}");
    }
}
