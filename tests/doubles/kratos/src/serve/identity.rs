//! Reads identities out of the tables into the JSON of the API.
//!
//! The columns that are asked for are those that the release knows; on a database of another age the server answers
//! with its own error, as it does to the original.

use super::answer::Failure;
use super::app::App;
use serde_json::{Map, Value, json};
use tokio_postgres::{Client, Row};

/// What to read besides the identity itself.
#[derive(Clone, Debug, Default)]
pub struct Detail {
    /// List the credentials.
    pub credentials: bool,
    /// Credential types whose secrets are included.
    pub include: Vec<String>,
    /// Leave `metadata_admin` out, as for the identity itself.
    pub public: bool,
}

/// A time of the database as the API prints it: no trailing zeros, UTC.
pub fn stamp(text: &str) -> String {
    format!("{}Z", text.trim_end_matches('0').trim_end_matches('.'))
}

/// The SQL that gives a time to [`stamp`].
pub fn moment(column: &str) -> String {
    format!("to_char({column}, 'YYYY-MM-DD\"T\"HH24:MI:SS.US')")
}

/// Whether `text` is a UUID; anything else names no row, which the original answers alike.
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text
            .char_indices()
            .all(|(at, c)| if matches!(at, 8 | 13 | 18 | 23) { c == '-' } else { c.is_ascii_hexdigit() })
}

/// One identity.
pub async fn one(app: &App, client: &Client, id: &str, detail: &Detail) -> Result<Value, Failure> {
    if !is_uuid(id) {
        return Err(Failure::absent());
    }
    let condition = "id = $2::text::uuid";
    let found = select(app, client, condition, id, 1, detail).await?;
    found.into_iter().next().ok_or_else(Failure::absent)
}

/// The identities whose id comes after `token`, at most `size`.
pub async fn page(app: &App, client: &Client, token: &str, size: i64) -> Result<Vec<Value>, Failure> {
    select(app, client, "id > $2::text::uuid", token, size, &Detail::default()).await
}

/// The identities that have `identifier` among the identifiers of any credential.
pub async fn by_identifier(
    app: &App,
    client: &Client,
    name: &str,
    detail: &Detail,
) -> Result<Vec<Value>, Failure> {
    let condition = "id IN (SELECT c.identity_id FROM identity_credentials c \
        JOIN identity_credential_identifiers i ON i.identity_credential_id = c.id WHERE lower(i.identifier) = lower($2::text))";
    select(app, client, condition, name, 250, detail).await
}

/// The identity with this external id.
pub async fn by_external_id(
    app: &App,
    client: &Client,
    name: &str,
    detail: &Detail,
) -> Result<Value, Failure> {
    let found = select(app, client, "external_id = $2::text", name, 1, detail).await?;
    found.into_iter().next().ok_or_else(Failure::absent)
}

async fn select(
    app: &App,
    client: &Client,
    condition: &str,
    parameter: &str,
    limit: i64,
    detail: &Detail,
) -> Result<Vec<Value>, Failure> {
    let external = if app.release.has_external_id() { "external_id" } else { "NULL::text" };
    let sql = format!(
        "SELECT id::text, schema_id, state, {}, traits::text, metadata_public::text, metadata_admin::text, {}, {}, \
         organization_id::text, {external} FROM identities WHERE nid = $1::text::uuid AND {condition} ORDER BY id LIMIT {limit}",
        moment("state_changed_at"),
        moment("created_at"),
        moment("updated_at"),
    );
    let mut identities = Vec::new();
    for row in client.query(&sql, &[&app.nid, &parameter]).await? {
        identities.push(assemble(app, client, &row, detail).await?);
    }
    Ok(identities)
}

async fn assemble(app: &App, client: &Client, row: &Row, detail: &Detail) -> Result<Value, Failure> {
    let id: String = row.get(0);
    let json_of = |at: usize| -> Value {
        row.get::<_, Option<String>>(at)
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or(Value::Null)
    };
    let time = |at: usize| row.get::<_, Option<String>>(at).map(|text| stamp(&text));
    let schema_id: String = row.get(1);
    let mut identity = Map::new();
    identity.insert("id".into(), id.as_str().into());
    if let Some(external) = row.get::<_, Option<String>>(10) {
        identity.insert("external_id".into(), external.into());
    }
    if detail.credentials {
        identity.insert("credentials".into(), credentials(client, &id, detail).await?);
    }
    let schema_url = app.config().schema_url(&schema_id);
    identity.insert("schema_id".into(), schema_id.into());
    identity.insert("schema_url".into(), schema_url.into());
    identity.insert("state".into(), row.get::<_, String>(2).into());
    identity.insert("state_changed_at".into(), json!(time(3)));
    identity.insert("traits".into(), json_of(4));
    let verifiable = verifiable(client, &id).await?;
    if !verifiable.is_empty() {
        identity.insert("verifiable_addresses".into(), verifiable.into());
    }
    let recovery = recovery(client, &id).await?;
    if !recovery.is_empty() {
        identity.insert("recovery_addresses".into(), recovery.into());
    }
    identity.insert("metadata_public".into(), json_of(5));
    if !detail.public {
        identity.insert("metadata_admin".into(), json_of(6));
    }
    identity.insert("created_at".into(), json!(time(7)));
    identity.insert("updated_at".into(), json!(time(8)));
    identity.insert("organization_id".into(), json!(row.get::<_, Option<String>>(9)));
    Ok(identity.into())
}

async fn credentials(client: &Client, id: &str, detail: &Detail) -> Result<Value, Failure> {
    let sql = format!(
        "SELECT t.name, c.config::text, c.version, {}, {}, \
         ARRAY(SELECT i.identifier FROM identity_credential_identifiers i WHERE i.identity_credential_id = c.id ORDER BY 1) \
         FROM identity_credentials c JOIN identity_credential_types t ON t.id = c.identity_credential_type_id \
         WHERE c.identity_id = $1::text::uuid ORDER BY t.name",
        moment("c.created_at"),
        moment("c.updated_at"),
    );
    let mut all = Map::new();
    for row in client.query(&sql, &[&id]).await? {
        let name: String = row.get(0);
        let mut one = json!({ "type": name, "identifiers": row.get::<_, Vec<String>>(5) });
        if detail.include.contains(&name) {
            let config = row.get::<_, Option<String>>(1);
            one["config"] = config.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(Value::Null);
        }
        one["version"] = row.get::<_, i32>(2).into();
        one["created_at"] = stamp(row.get(3)).into();
        one["updated_at"] = stamp(row.get(4)).into();
        all.insert(name, one);
    }
    Ok(all.into())
}

async fn verifiable(client: &Client, id: &str) -> Result<Vec<Value>, Failure> {
    let sql = format!(
        "SELECT id::text, value, verified, via, status, {}, {}, {} FROM identity_verifiable_addresses \
         WHERE identity_id = $1::text::uuid ORDER BY created_at, id",
        moment("verified_at"),
        moment("created_at"),
        moment("updated_at"),
    );
    let address = |row: &Row| {
        let mut address = json!({
            "id": row.get::<_, String>(0),
            "value": row.get::<_, String>(1),
            "verified": row.get::<_, bool>(2),
            "via": row.get::<_, String>(3),
            "status": row.get::<_, String>(4),
        });
        if let Some(time) = row.get::<_, Option<String>>(5) {
            address["verified_at"] = stamp(&time).into();
        }
        address["created_at"] = stamp(row.get(6)).into();
        address["updated_at"] = stamp(row.get(7)).into();
        address
    };
    Ok(client.query(&sql, &[&id]).await?.iter().map(address).collect())
}

async fn recovery(client: &Client, id: &str) -> Result<Vec<Value>, Failure> {
    let sql = format!(
        "SELECT id::text, value, via, {}, {} FROM identity_recovery_addresses \
         WHERE identity_id = $1::text::uuid ORDER BY created_at, id",
        moment("created_at"),
        moment("updated_at"),
    );
    let address = |row: &Row| {
        json!({
            "id": row.get::<_, String>(0),
            "value": row.get::<_, String>(1),
            "via": row.get::<_, String>(2),
            "created_at": stamp(row.get(3)),
            "updated_at": stamp(row.get(4)),
        })
    };
    Ok(client.query(&sql, &[&id]).await?.iter().map(address).collect())
}
