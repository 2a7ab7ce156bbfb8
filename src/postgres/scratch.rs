//! A database for some seconds, on the server of another one, to try out what may not be tried there.
//!
//! Given a [`Connection`] and its [`Dsn`], it creates an empty database, and drops it again with every session in it.
//! A killed process leaves its database behind; name, owner and comment tell that it is one of these, how old it
//! is and whose, so that the next [`sweep`] removes it and nothing else.

use std::fmt::Write as _;

use super::activity::SESSIONS;
use super::connect::Connection;
use super::dsn::{Dsn, DsnParts};
use super::error::{Error, Result};

/// What our scratch databases are commented with, up to the particulars.
const MARK: &str = "kratos-operator: scratch database";
/// Without a session it is left over after so many seconds, whatever its comment says: its maker connects right after
/// creating it.
const DESERTED: i64 = 120;
/// With sessions it is left over after so many: no use of it takes as long.
const OUTDATED: i64 = 900;
/// The first server that can end the sessions of a database that it drops.
const FIRST_WITH_FORCE: i32 = 130_000;

/// An empty database. It is not dropped with this value, but by [`Self::remove`].
#[derive(Debug)]
pub struct Scratch {
    dsn: Dsn,
}

impl Scratch {
    /// Creates one on the server of `connection`, which was opened with `dsn`. Its role needs CREATEDB.
    pub async fn create(connection: &Connection, dsn: &Dsn) -> Result<Self> {
        if connection.server_version_num() < FIRST_WITH_FORCE {
            let message = "a scratch database needs PostgreSQL 13 or newer".to_owned();
            return Err(Error::Other { sqlstate: None, message });
        }
        let sql = "SELECT extract(epoch FROM clock_timestamp())::int8, pg_backend_pid()";
        let row = connection.query_one(sql, &[]).await?;
        let (made, maker): (i64, i32) = (connection.get(&row, 0)?, connection.get(&row, 1)?);
        let mut name = format!("kratos_plan_{made}_");
        for byte in random()? {
            // Writing to a string does not fail.
            let _ = write!(name, "{byte:02x}");
        }
        let scratch = Self { dsn: with_database(dsn, &name)? };
        // template0 has no sessions that could be in the way, and nothing in it that others put there.
        execute(connection, &format!("CREATE DATABASE {name} TEMPLATE template0")).await?;
        let row =
            connection.query_one("SELECT quote_literal($1)", &[&comment(maker, dsn.database())]).await?;
        let comment: String = connection.get(&row, 0)?;
        if let Err(error) = execute(connection, &format!("COMMENT ON DATABASE {name} IS {comment}")).await {
            scratch.remove(connection).await?;
            return Err(error);
        }
        Ok(scratch)
    }

    /// The same server and role, this database.
    pub fn dsn(&self) -> &Dsn {
        &self.dsn
    }

    /// Drops it, whoever is connected to it.
    pub async fn remove(self, connection: &Connection) -> Result<()> {
        drop_database(connection, self.dsn.database()).await
    }
}

/// Drops the scratch databases of our role that killed processes left, which is certain once the session that made one is
/// gone; returns how many.
pub async fn sweep(connection: &Connection) -> Result<usize> {
    let sql = "SELECT datname::text FROM (
            SELECT d.oid, d.datname, shobj_description(d.oid, 'pg_database') AS comment,
                   substring(shobj_description(d.oid, 'pg_database')
                             FROM '^' || $1 || ' made by session ([0-9]{1,9}) ')::int4 AS maker,
                   extract(epoch FROM clock_timestamp())::int8
                   - substring(d.datname FROM '^kratos_plan_([0-9]{10})_[0-9a-f]{8}$')::int8 AS age
            FROM pg_database d WHERE pg_get_userbyid(d.datdba) = current_user
        ) s
        WHERE (comment IS NULL OR starts_with(comment, $1))
          AND (age > $3
               OR age > $2 AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datid = s.oid)
               OR age >= 0 AND maker IS NOT NULL
                  AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = s.maker))";
    let rows = connection.query(sql, &[&MARK, &DESERTED, &OUTDATED]).await?;
    for row in &rows {
        let name: String = connection.get(row, 0)?;
        drop_database(connection, &name).await?;
    }
    Ok(rows.len())
}

fn comment(maker: i32, database: &str) -> String {
    format!(
        "{MARK} made by session {maker} for a migration plan of database {database}; dropped when the plan is made"
    )
}

/// `name` consists of letters, digits and underscores.
async fn drop_database(connection: &Connection, name: &str) -> Result<()> {
    let forced = execute(connection, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
    let Err(Error::Permission { .. }) = forced else { return forced };
    // A vacuum of the server's own is at work there, which an ordinary role may not end; without FORCE the server ends it.
    let sql = format!(
        "SELECT pg_terminate_backend(pid) FROM {SESSIONS} a WHERE datname = $1 AND usename = session_user"
    );
    connection.query(&sql, &[&name]).await?;
    execute(connection, &format!("DROP DATABASE IF EXISTS {name}")).await
}

async fn execute(connection: &Connection, statement: &str) -> Result<()> {
    connection.client().batch_execute(statement).await.map_err(|error| connection.explain(&error))
}

fn with_database(dsn: &Dsn, database: &str) -> Result<Dsn> {
    let parts = DsnParts {
        username: dsn.username().to_owned(),
        password: dsn.password().to_owned(),
        endpoints: dsn.endpoints().to_vec(),
        database: database.to_owned(),
        tls: dsn.tls().clone(),
    };
    let other = |error: super::DsnError| Error::Other { sqlstate: None, message: error.to_string() };
    let fresh = Dsn::new(parts).map_err(other)?;
    Ok(dsn.params().iter().fold(fresh, |dsn, (key, value)| dsn.with_param(key, value)))
}

fn random() -> Result<[u8; 4]> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::Other { sqlstate: None, message: format!("no random numbers: {error}") })?;
    Ok(bytes)
}
