//! Migration processes that outlived the run that started them.
//!
//! The lock of a killed operator is gone at once, its process may not be: its session works on until the server
//! notices. Whoever holds the lock now ends such sessions, in the safe order, before it starts its own.

use std::time::Duration;

use tokio::time::Instant;

use super::failure::Failure;
use super::sessions::PREFIX;
use crate::postgres::{self, Connection, activity};

/// How long a canceled session may take to end, and then a terminated one.
const CANCELED: Duration = Duration::from_secs(3);
const TERMINATED: Duration = Duration::from_secs(2);

/// Ends what is left of earlier runs and returns the names of those sessions.
pub async fn end_leftovers(side: &Connection) -> Result<Vec<String>, Failure> {
    let names = names(side).await?;
    for name in &names {
        activity::cancel_unless_booking(side, name).await?;
        if !activity::wait_gone(side, name, Instant::now() + CANCELED).await?.is_empty() {
            activity::terminate(side, name).await?;
        }
        let left = activity::wait_gone(side, name, Instant::now() + TERMINATED).await?;
        if let Some(backend) = left.first() {
            return Err(Failure::Locked {
                holder: format!("{name} (pid {}), which does not end", backend.pid),
            });
        }
    }
    Ok(names)
}

async fn names(side: &Connection) -> Result<Vec<String>, postgres::Error> {
    const SQL: &str = "SELECT DISTINCT application_name FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND starts_with(application_name, $1)
        ORDER BY 1";
    let rows = side.client().query(SQL, &[&PREFIX]).await.map_err(|error| side.explain(&error))?;
    rows.iter().map(|row| row.try_get(0).map_err(|error| side.explain(&error))).collect()
}
