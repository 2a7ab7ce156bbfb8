//! How a database stands: whether the write fence is up, and who holds the migration lock. Changes nothing.

use std::time::Duration;

use crate::migration::Failure;
use crate::postgres::fence::{self, FenceState, Phase};
use crate::postgres::{Connection, Dsn, Holder, LockKey, holder};

const CONNECT: Duration = Duration::from_secs(5);

/// Fence and lock, as texts for people.
pub struct DatabaseStanding {
    pub fence: String,
    pub is_fenced: bool,
    /// The fence has no mark of ours: an administrator made the role read-only.
    pub is_foreign: bool,
    pub lock: String,
    pub is_locked: bool,
}

/// Looks.
pub async fn standing(dsn: &Dsn) -> Result<DatabaseStanding, Failure> {
    let connection = Connection::open(dsn, "kratos-operator look", CONNECT).await?;
    let fence = fence::state(&connection).await?;
    let holder = holder(&connection, LockKey::MIGRATION).await?;
    connection.close().await;
    Ok(DatabaseStanding {
        is_fenced: fence.is_some(),
        is_foreign: fence.as_ref().is_some_and(|fence| !fence.is_marked_ours()),
        fence: fence.as_ref().map_or_else(|| "down".to_owned(), describe_fence),
        is_locked: holder.is_some(),
        lock: holder.as_ref().map_or_else(|| "free".to_owned(), describe_holder),
    })
}

fn describe_fence(fence: &FenceState) -> String {
    let phase = match fence.phase {
        Phase::Raising => "being raised",
        Phase::Up => "up",
        Phase::Lifting => "being lifted",
    };
    let since = fence.since.as_ref().map_or_else(String::new, |since| format!(" since {since}"));
    match &fence.who {
        Some(who) => format!("{phase}, by {who}{since}"),
        None => "read-only, by an administrator".to_owned(),
    }
}

fn describe_holder(holder: &Holder) -> String {
    let since = holder.since.as_ref().map_or_else(String::new, |since| format!(", since {since}"));
    format!("held by {} (pid {}{since})", holder.application_name, holder.pid)
}
