//! Questions to Kratos' database that its admin API cannot answer with one request: who has an e-mail address, and
//! whether an identity is there already.
//!
//! The API finds an identity by an identifier that it signs in with. One that signs in through a provider has its
//! e-mail address as a verified or recovery address only, and the API's other way is to read all identities page by
//! page: minutes where the database needs one look into an index.

use std::time::Duration;

use crate::postgres::{Connection, Dsn, Error};

/// How long the server may be tried, and how long an answer may take.
const LIMIT: Duration = Duration::from_secs(5);
const APPLICATION_NAME: &str = "kratos-operator look-up";

/// The ids of the identities that have `email` as a verified or as a recovery address.
pub async fn holders(dsn: &Dsn, email: &str) -> Result<Vec<String>, Error> {
    // Kratos keeps addresses in lower case. The network is named because the index begins with it.
    const SQL: &str = "SELECT DISTINCT identity_id::text FROM ( \
        SELECT identity_id FROM identity_verifiable_addresses \
        WHERE nid IN (SELECT id FROM networks) AND via = 'email' AND value = ANY ($1) AND verified \
        UNION ALL SELECT identity_id FROM identity_recovery_addresses \
        WHERE nid IN (SELECT id FROM networks) AND via = 'email' AND value = ANY ($1)) AS known ORDER BY 1 LIMIT 10";
    let typed = email.trim().to_owned();
    let spellings = vec![typed.to_lowercase(), typed];
    let connection = open(dsn).await?;
    let rows = connection.client().query(SQL, &[&spellings]).await;
    let rows = rows.map_err(|error| connection.explain(&error))?;
    let ids = rows.iter().map(|row| row.try_get(0).map_err(|error| connection.explain(&error))).collect();
    connection.close().await;
    ids
}

/// Whether an identity with exactly this schema and these traits (JSON) is there. Traits that PostgreSQL cannot hold
/// (class 22, such as `\u0000` or a number that is too large) are nobody's.
pub async fn is_there(dsn: &Dsn, schema_id: &str, traits: &str) -> Result<bool, Error> {
    const SQL: &str =
        "SELECT EXISTS (SELECT FROM identities WHERE schema_id = $1 AND traits::jsonb = $2::text::jsonb)";
    let connection = open(dsn).await?;
    let row = connection.client().query_one(SQL, &[&schema_id, &traits]).await;
    let found = match row.and_then(|row| row.try_get(0)) {
        Err(error) if error.code().is_some_and(|state| state.code().starts_with("22")) => Ok(false),
        found => found.map_err(|error| connection.explain(&error)),
    };
    connection.close().await;
    found
}

async fn open(dsn: &Dsn) -> Result<Connection, Error> {
    let connection = Connection::open(dsn, APPLICATION_NAME, LIMIT).await?;
    connection.limit_statements(LIMIT).await?;
    Ok(connection)
}
