//! The lock that makes sure that at most one migration works on a database, whoever starts it.
//!
//! Given a [`Connection`], it takes a session advisory lock: the server gives it back when the session ends, however
//! that happens, so no crash leaves it behind. Only the form that never waits is used: a session that waits inside
//! `pg_advisory_lock` holds a snapshot and stalls `CREATE INDEX CONCURRENTLY` of the very migration it waits for.

use super::connect::Connection;
use super::error::{Error, Result};

/// The two numbers of an advisory lock. PostgreSQL keeps locks of each database apart, so they need to be unique among
/// the programs that use one database only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LockKey {
    pub class: i32,
    pub object: i32,
}

impl LockKey {
    /// The migration of a Kratos database: ASCII "KRAT" and "MIGR". In `pg_locks` it is the row with
    /// `classid = 1263681876`, `objid = 1296648018` and `objsubid = 2`. It must never change: two releases of the
    /// charm would no longer see each other.
    pub const MIGRATION: Self =
        Self { class: i32::from_be_bytes(*b"KRAT"), object: i32::from_be_bytes(*b"MIGR") };
}

/// A held lock. It is tied to its session: it ends with [`Self::release`] or with the connection, not on drop.
#[must_use = "the lock is held until the connection ends"]
pub struct AdvisoryLock<'c> {
    connection: &'c Connection,
    key: LockKey,
}

/// The session that holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub pid: i32,
    pub application_name: String,
    /// When its session began, as RFC 3339 in UTC; `None` if our role may not see it.
    pub since: Option<String>,
    /// How many seconds ago it last asked or answered; `None` if our role may not see it.
    pub heard: Option<i64>,
    /// Its IP address; `None` over a Unix socket or if our role may not see it.
    pub client_addr: Option<String>,
}

impl Holder {
    /// Whether it is a session of that name; the server cuts names at 63 bytes.
    pub fn is_named(&self, name: &str) -> bool {
        self.application_name == name[..name.floor_char_boundary(63)]
    }
}

impl<'c> AdvisoryLock<'c> {
    /// Takes the lock if it is free; `None` if another session holds it (see [`holder`]).
    ///
    /// PostgreSQL counts the locks of one session, so a second call on the same connection succeeds too.
    pub async fn try_acquire(connection: &'c Connection, key: LockKey) -> Result<Option<Self>> {
        // The session idles while others work under its lock; a timeout for idle sessions would end both.
        let sql = match connection.server_version_num() {
            140_000.. => {
                "SELECT pg_try_advisory_lock($1, $2), set_config('idle_session_timeout', '0', false)"
            }
            _ => "SELECT pg_try_advisory_lock($1, $2)",
        };
        let row = connection.query_one(sql, &[&key.class, &key.object]).await?;
        Ok(connection.get::<bool>(&row, 0)?.then_some(Self { connection, key }))
    }

    /// Gives the lock back. A lock that was not held any more is an error: somebody else may have worked meanwhile.
    pub async fn release(self) -> Result<()> {
        let Self { connection, key } = self;
        let row =
            connection.query_one("SELECT pg_advisory_unlock($1, $2)", &[&key.class, &key.object]).await?;
        if connection.get(&row, 0)? {
            return Ok(());
        }
        Err(Error::Other { sqlstate: None, message: "the advisory lock was not held any more".to_owned() })
    }
}

/// Who holds the lock in this database, `None` if nobody does. Works on any connection to it.
pub async fn holder(connection: &Connection, key: LockKey) -> Result<Option<Holder>> {
    // pg_locks shows the two numbers as unsigned.
    let sql = r#"SELECT a.pid, coalesce(a.application_name, ''),
                        to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), host(a.client_addr),
                        extract(epoch FROM clock_timestamp() - a.state_change)::int8
        FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
        WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND l.classid = $1 AND l.objid = $2"#;
    let rows = connection.query(sql, &[&key.class.cast_unsigned(), &key.object.cast_unsigned()]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(Holder {
        pid: connection.get(row, 0)?,
        application_name: connection.get(row, 1)?,
        since: connection.get(row, 2)?,
        client_addr: connection.get(row, 3)?,
        heard: connection.get(row, 4)?,
    }))
}
