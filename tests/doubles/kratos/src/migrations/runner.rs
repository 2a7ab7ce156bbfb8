//! Applies and reverts migrations, with the book-keeping, the transactions and the lack of any lock of the original.
//!
//! It is given a connection and the migrations of a release. Whether one is applied is asked right before it runs, so
//! two runs at once collide exactly as two of the original do; a run that is killed leaves what PostgreSQL leaves.

use super::super::database::sql_error;
use super::super::log::Logger;
use super::{Kind, Migration};
use serde_json::{Value, json};
use std::collections::HashSet;
use thiserror::Error;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error as PgError};

/// The environment variable that makes migrations slow: `VERSION=SECONDS`, several separated by commas.
pub const SLOW_VARIABLE: &str = "KRATOS_DOUBLE_SLOW";

/// A run that stopped.
#[derive(Debug, Error)]
pub enum MigrationError {
    /// The book-keeping table could not be read or made.
    #[error("{error}\nunable to execute statement: {statement}")]
    Books {
        /// What the server said.
        error: String,
        /// What was asked.
        statement: &'static str,
    },
    /// The SQL of a migration failed; nothing of it is booked.
    #[error("{error}\nerror executing {file}, sql: {sql}")]
    Sql {
        /// What the server said.
        error: String,
        /// The file of the migration.
        file: String,
        /// Its SQL.
        sql: String,
    },
    /// The row of a migration could not be written.
    #[error("{error}\nproblem inserting migration version {version}")]
    Booking {
        /// What the server said.
        error: String,
        /// The migration.
        version: &'static str,
    },
}

impl MigrationError {
    /// A stable label.
    pub fn kind(&self) -> &'static str {
        match self {
            MigrationError::Books { .. } => "books",
            MigrationError::Sql { .. } => "sql",
            MigrationError::Booking { .. } => "booking",
        }
    }
}

const SELECT_VERSIONS: &str = "SELECT version FROM schema_migration";
const CREATE_BOOKS: &str =
    "CREATE TABLE schema_migration (version VARCHAR (48) NOT NULL, version_self INT NOT NULL DEFAULT 0)";
const INDEX_VERSION: &str = "CREATE UNIQUE INDEX schema_migration_version_idx ON schema_migration (version)";
const INDEX_SELF: &str = "CREATE INDEX schema_migration_version_self_idx ON schema_migration (version_self)";

/// Which of `all` are not applied. A missing table means: all of them.
pub async fn pending(client: &Client, all: &[Migration]) -> Result<HashSet<&'static str>, MigrationError> {
    let rows = match client.query(SELECT_VERSIONS, &[]).await {
        Ok(rows) => rows,
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Vec::new(),
        Err(error) => return Err(books(SELECT_VERSIONS)(error)),
    };
    let booked: HashSet<String> = rows.iter().map(|row| row.get(0)).collect();
    // Early releases booked only the first fourteen digits.
    let applied = |version: &str| booked.contains(version) || booked.contains(&version[..14]);
    Ok(all.iter().map(|migration| migration.version).filter(|version| !applied(version)).collect())
}

fn books(statement: &'static str) -> impl Fn(PgError) -> MigrationError {
    move |error| MigrationError::Books { error: sql_error(&error), statement }
}

/// Makes the book-keeping table if it is missing, in one transaction.
async fn create_books(client: &mut Client) -> Result<(), MigrationError> {
    if client.query("SELECT 1 FROM schema_migration LIMIT 1", &[]).await.is_ok() {
        return Ok(());
    }
    let transaction = client.transaction().await.map_err(books("BEGIN"))?;
    for statement in [CREATE_BOOKS, INDEX_VERSION, INDEX_SELF] {
        transaction.batch_execute(statement).await.map_err(books(statement))?;
    }
    transaction.commit().await.map_err(books("COMMIT"))
}

/// Applies what is not applied, in order; gives the number of migrations run.
pub async fn up(client: &mut Client, all: &[Migration], log: &Logger) -> Result<usize, MigrationError> {
    create_books(client).await?;
    let mut applied = 0;
    for migration in all {
        let exists = "SELECT 1 FROM schema_migration WHERE version IN ($1, $2)";
        let short = &migration.version[..14];
        if !client
            .query(exists, &[&migration.version, &short])
            .await
            .map_err(books(SELECT_VERSIONS))?
            .is_empty()
        {
            continue;
        }
        let fields = fields(migration, "up");
        log.info("Migration has not yet been applied, running migration.", fields.clone());
        apply(client, migration, log).await?;
        let mut fields = fields;
        fields["autocommit"] = (migration.kind != Kind::Transaction).into();
        log.info(&format!("> {} applied successfully", migration.name), fields);
        applied += 1;
    }
    Ok(applied)
}

async fn apply(client: &mut Client, migration: &Migration, log: &Logger) -> Result<(), MigrationError> {
    let slow = slow(migration.version);
    let failed = |error: PgError| MigrationError::Sql {
        error: sql_error(&error),
        file: migration.file("up"),
        sql: migration.content().into(),
    };
    if migration.kind != Kind::Transaction {
        log.info("NOT running migrations inside a transaction", fields(migration, "up"));
    }
    match migration.kind {
        Kind::Transaction => {
            let transaction = client.transaction().await.map_err(failed)?;
            transaction.batch_execute(&with_pause(&migration.up, slow)).await.map_err(failed)?;
            book(&transaction, migration).await?;
            transaction.commit().await.map_err(failed)
        }
        Kind::Autocommit => {
            client.batch_execute(&with_pause(&migration.up, slow)).await.map_err(failed)?;
            book(client, migration).await
        }
        Kind::Backfill => {
            while client.execute(&migration.up, &[]).await.map_err(failed)? > 0 {}
            if slow.is_some() {
                client.batch_execute(&with_pause("", slow)).await.map_err(failed)?;
            }
            book(client, migration).await
        }
    }
}

/// The sleep comes after the effect, so that it is spent holding the locks of the effect.
fn with_pause(sql: &str, seconds: Option<f64>) -> String {
    match seconds {
        Some(seconds) => format!("{sql}\n; SELECT pg_sleep({seconds})"),
        None => sql.into(),
    }
}

async fn book(
    client: &impl tokio_postgres::GenericClient,
    migration: &Migration,
) -> Result<(), MigrationError> {
    let insert = "INSERT INTO schema_migration (version) VALUES ($1)";
    let version = migration.version;
    let booked = client.execute(insert, &[&version]).await;
    booked.map(|_| ()).map_err(|error| MigrationError::Booking { error: sql_error(&error), version })
}

/// Reverts the newest `steps` of the applied ones that `all` knows; gives the number reverted.
pub async fn down(
    client: &mut Client,
    all: &[Migration],
    steps: usize,
    log: &Logger,
) -> Result<usize, MigrationError> {
    let chosen = rollback(all, &pending(client, all).await?, steps);
    for migration in &chosen {
        let failed = |error: PgError| MigrationError::Sql {
            error: sql_error(&error),
            file: migration.file("down"),
            sql: migration.down.clone(),
        };
        let transaction = client.transaction().await.map_err(failed)?;
        transaction.batch_execute(&migration.down).await.map_err(failed)?;
        let delete = "DELETE FROM schema_migration WHERE version IN ($1, $2)";
        transaction
            .execute(delete, &[&migration.version, &&migration.version[..14]])
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        log.info(&format!("{} applied successfully", migration.down_name()), fields(migration, "down"));
    }
    Ok(chosen.len())
}

/// The applied migrations that a rollback of `steps` reverts, newest first.
pub fn rollback<'a>(all: &'a [Migration], pending: &HashSet<&str>, steps: usize) -> Vec<&'a Migration> {
    all.iter().rev().filter(|migration| !pending.contains(migration.version)).take(steps).collect()
}

fn fields(migration: &Migration, direction: &str) -> Value {
    let name = if direction == "up" { migration.name.to_owned() } else { migration.down_name() };
    json!({ "migration_file": migration.file(direction), "migration_name": name, "version": migration.version })
}

fn slow(version: &str) -> Option<f64> {
    let value = std::env::var(SLOW_VARIABLE).ok()?;
    let pairs = value.split(',').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(name, _)| name.trim() == version).find_map(|(_, seconds)| seconds.trim().parse().ok())
}
