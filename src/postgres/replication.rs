//! How the replicas are doing, as far as our role may see it.
//!
//! Given a [`Connection`] to the primary, it reads `pg_stat_replication` and `pg_replication_slots`. A migration that
//! rewrites tables produces as much WAL; a replica that is behind falls further back, and a slot that nobody reads
//! fills the disk.

use tokio_postgres::Row;

use super::connect::Connection;
use super::error::Result;

/// A replica that is connected.
#[derive(Clone, Debug, PartialEq)]
pub struct Replica {
    pub name: String,
    pub synchronous: bool,
    /// WAL that it has not replayed, in bytes; `None` if our role may not see it.
    pub behind_bytes: Option<i64>,
    pub behind_seconds: Option<f64>,
}

/// A replication slot that nobody reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InactiveSlot {
    /// Quoted for a statement: `SELECT pg_drop_replication_slot(<quoted>)`.
    pub quoted: String,
    /// WAL that the server keeps for it, in bytes.
    pub kept_bytes: i64,
}

/// The replicas that are connected.
pub async fn replicas(connection: &Connection) -> Result<Vec<Replica>> {
    let sql = "SELECT coalesce(application_name, ''), coalesce(sync_state IN ('sync', 'quorum'), false),
            CASE WHEN NOT pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::int8 END,
            extract(epoch FROM replay_lag)::float8
        FROM pg_stat_replication ORDER BY 1, pid";
    let read = |row: &Row| {
        Ok(Replica {
            name: connection.get(row, 0)?,
            synchronous: connection.get(row, 1)?,
            behind_bytes: connection.get(row, 2)?,
            behind_seconds: connection.get(row, 3)?,
        })
    };
    connection.query(sql, &[]).await?.iter().map(read).collect()
}

/// The slots that nobody reads and for which the server keeps WAL.
pub async fn inactive_slots(connection: &Connection) -> Result<Vec<InactiveSlot>> {
    let sql = "SELECT quote_literal(slot_name), pg_wal_lsn_diff(
            CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, restart_lsn)::int8
        FROM pg_replication_slots WHERE NOT active AND restart_lsn IS NOT NULL ORDER BY 1";
    let read =
        |row: &Row| Ok(InactiveSlot { quoted: connection.get(row, 0)?, kept_bytes: connection.get(row, 1)? });
    connection.query(sql, &[]).await?.iter().map(read).collect()
}
