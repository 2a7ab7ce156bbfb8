//! How many identities use the schemas that a new configuration would drop or change.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::charm::situation::SchemaUsers;
use crate::integrations::database::Answer;
use crate::kratos::tables::identities::users_of_schemas;
use crate::postgres::{self, Connection, Dsn};

const CONNECT: Duration = Duration::from_secs(5);

/// Asks the database for the users of these schemas.
pub async fn schema_users(database: &Answer, ids: &[&str]) -> SchemaUsers {
    let Answer::Ready(dsn) = database else { return SchemaUsers::NotAsked };
    match ask(dsn, ids).await {
        Ok(users) => SchemaUsers::Known(users),
        Err(error) => SchemaUsers::Unknown(error.to_string()),
    }
}

async fn ask(dsn: &Dsn, ids: &[&str]) -> postgres::Result<BTreeMap<String, u64>> {
    let connection = Connection::open(dsn, "kratos-operator schemas", CONNECT).await?;
    let users = users_of_schemas(&connection, ids).await?;
    connection.close().await;
    Ok(users)
}
