//! The stored identities, as far as their schemas are concerned: how many use which, and their traits in pages.
//!
//! It only reads. A page is bounded, so any number of identities fits into little memory.

use std::collections::BTreeMap;

use crate::postgres::{Connection, Result};

/// An identity with its traits as JSON text. `Debug` does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredIdentity {
    /// A UUID.
    pub id: String,
    pub traits: String,
}

impl std::fmt::Debug for StoredIdentity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("StoredIdentity").field("id", &self.id).finish_non_exhaustive()
    }
}

/// How many identities use each of the schemas `ids`; one that nobody uses is not in it.
pub async fn users_of_schemas(connection: &Connection, ids: &[&str]) -> Result<BTreeMap<String, u64>> {
    let sql = "SELECT schema_id::text, count(*) FROM identities WHERE schema_id = ANY ($1) GROUP BY 1";
    let rows = connection.query(sql, &[&ids]).await?;
    let pair = |row| Ok((connection.get(row, 0)?, connection.get::<i64>(row, 1)?.unsigned_abs()));
    rows.iter().map(pair).collect()
}

/// How many identities there are, of one schema or of all.
pub async fn count(connection: &Connection, schema: Option<&str>) -> Result<u64> {
    let sql = "SELECT count(*) FROM identities WHERE $1::text IS NULL OR schema_id = $1::text";
    let row = connection.query_one(sql, &[&schema]).await?;
    Ok(connection.get::<i64>(&row, 0)?.unsigned_abs())
}

/// The next identities after `after` (a UUID; `None`: from the first), of one schema or of all, ordered by id.
pub async fn page(
    connection: &Connection,
    schema: Option<&str>,
    after: Option<&str>,
    size: u32,
) -> Result<Vec<StoredIdentity>> {
    let sql = "SELECT id::text, traits::text FROM identities
               WHERE ($1::text IS NULL OR schema_id = $1::text) AND ($2::text IS NULL OR id > $2::text::uuid)
               ORDER BY id LIMIT $3";
    let rows = connection.query(sql, &[&schema, &after, &i64::from(size)]).await?;
    let identity = |row| Ok(StoredIdentity { id: connection.get(row, 0)?, traits: connection.get(row, 1)? });
    rows.iter().map(identity).collect()
}

/// Whether an identity has logged in through an identity provider.
pub async fn has_provider_identities(connection: &Connection) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT FROM identity_credentials c
               JOIN identity_credential_types t ON t.id = c.identity_credential_type_id WHERE t.name = 'oidc')";
    let row = connection.query_one(sql, &[]).await?;
    connection.get(&row, 0)
}
