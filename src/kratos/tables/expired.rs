//! How many records Kratos' own clean-up would remove: it does not tell, so they are counted in its tables.

use std::time::Duration;

use crate::postgres::{Connection, Dsn, Error};

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// A count reads the whole table where no index helps.
const COUNT_LIMIT: Duration = Duration::from_secs(60);
const APPLICATION_NAME: &str = "kratos-operator clean-up";

/// The tables that the clean-up works on, and the column that says when a record is over.
const TABLES: [(&str, &str); 8] = [
    ("sessions", "expires_at"),
    ("continuity_containers", "expires_at"),
    ("selfservice_login_flows", "expires_at"),
    ("selfservice_recovery_flows", "expires_at"),
    ("selfservice_registration_flows", "expires_at"),
    ("selfservice_settings_flows", "expires_at"),
    ("selfservice_verification_flows", "expires_at"),
    ("session_token_exchanges", "created_at"),
];

/// The records of all these tables that were over `age` ago.
pub async fn count(dsn: &Dsn, age: Duration) -> Result<u64, Error> {
    let counts = TABLES.map(|(table, column)| {
        format!(
            "(SELECT count(*) FROM {table} WHERE {column} <= (now() AT TIME ZONE 'utc') - make_interval(secs => $1))"
        )
    });
    let sql = format!("SELECT ({})::bigint", counts.join(" + "));
    let connection = Connection::open(dsn, APPLICATION_NAME, CONNECT_LIMIT).await?;
    let explain = |error: tokio_postgres::Error| connection.explain(&error);
    connection.limit_statements(COUNT_LIMIT).await?;
    let row = connection.client().query_one(&sql, &[&age.as_secs_f64()]).await.map_err(explain)?;
    let count: i64 = row.try_get(0).map_err(explain)?;
    connection.close().await;
    Ok(u64::try_from(count).unwrap_or(0))
}
