//! Writes identities: created, replaced and deleted, each in one transaction over the real tables.
//!
//! Since v26.2.0 the identifiers of credentials carry `identity_id`. An older release does not write that column, and
//! fails on a database that demands it; a newer one fails on a database that lacks it.

use super::answer::Failure;
use super::app::App;
use super::identity::is_uuid;
use super::traits::{Extract, extract};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio_postgres::{Client, Transaction};

/// What the hash of the default configuration takes, in bytes.
const BCRYPT_LIMIT: usize = 72;
const NOW: &str = "(now() AT TIME ZONE 'utc')";

/// Checks a request's schema and traits; gives what the traits hold.
pub fn examine(app: &App, body: &Value) -> Result<(String, Extract), Failure> {
    let config = app.config();
    let default = config.text(&["identity", "default_schema_id"]).unwrap_or("default");
    let schema_id = body["schema_id"].as_str().filter(|id| !id.is_empty()).unwrap_or(default);
    let schema = config.schemas.iter().find(|(id, _, _)| id == schema_id);
    let (_, _, document) =
        schema.ok_or_else(|| Failure::bad(format!("Unable to find JSON Schema ID: {schema_id}")))?;
    Ok((schema_id.to_owned(), extract(document, &body["traits"]).map_err(Failure::bad)?))
}

/// The state a request asks for.
fn state(body: &Value) -> Result<Option<&str>, Failure> {
    match body["state"].as_str() {
        None | Some("") => Ok(None),
        Some(state @ ("active" | "inactive")) => Ok(Some(state)),
        Some(_) => Err(Failure::bad("identity state is not valid")),
    }
}

/// A password as the double keeps it; nothing but the double reads it.
pub fn hash(password: &str) -> String {
    let digest = Sha256::digest(format!("kratos-double:{password}"));
    format!("$double${}", digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn text(value: &Value) -> Option<String> {
    (!value.is_null()).then(|| value.to_string())
}

/// Creates an identity; gives its id.
pub async fn create(app: &App, client: &mut Client, body: &Value) -> Result<String, Failure> {
    let (schema_id, found) = examine(app, body)?;
    let state = state(body)?.unwrap_or("active");
    let transaction = client.transaction().await?;
    let external = if app.release.has_external_id() { ("external_id, ", "$7::text, ") } else { ("", "") };
    let insert = format!(
        "INSERT INTO identities (id, nid, schema_id, traits, state, metadata_public, metadata_admin, {}state_changed_at, \
         created_at, updated_at) VALUES (gen_random_uuid(), $1::text::uuid, $2, $3::text::jsonb, $4, $5::text::jsonb, \
         $6::text::jsonb, {}{NOW}, {NOW}, {NOW}) RETURNING id::text",
        external.0, external.1
    );
    let traits = body["traits"].to_string();
    let (public, admin) = (text(&body["metadata_public"]), text(&body["metadata_admin"]));
    let external_id = body["external_id"].as_str().filter(|id| !id.is_empty());
    let mut parameters: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> =
        vec![&app.nid, &schema_id, &traits, &state, &public, &admin];
    if app.release.has_external_id() {
        parameters.push(&external_id);
    }
    let id: String = transaction.query_one(&insert, &parameters).await?.get(0);
    addresses(app, &transaction, &id, &found, &body["verifiable_addresses"]).await?;
    credentials(app, &transaction, &id, &found, &body["credentials"]).await?;
    transaction.commit().await?;
    Ok(id)
}

/// Replaces an identity: what the request leaves out of the metadata is wiped, credentials are kept unless sent.
pub async fn replace(app: &App, client: &mut Client, id: &str, body: &Value) -> Result<(), Failure> {
    if !is_uuid(id) {
        return Err(Failure::absent());
    }
    let (schema_id, found) = examine(app, body)?;
    let state = state(body)?;
    let transaction = client.transaction().await?;
    let update = format!(
        "UPDATE identities SET schema_id = $3, traits = $4::text::jsonb, metadata_public = $5::text::jsonb, \
         metadata_admin = $6::text::jsonb, updated_at = {NOW}, \
         state_changed_at = CASE WHEN state <> coalesce($7::text, state) THEN {NOW} ELSE state_changed_at END, \
         state = coalesce($7::text, state) WHERE nid = $1::text::uuid AND id = $2::text::uuid"
    );
    let traits = body["traits"].to_string();
    let (public, admin) = (text(&body["metadata_public"]), text(&body["metadata_admin"]));
    let changed =
        transaction.execute(&update, &[&app.nid, &id, &schema_id, &traits, &public, &admin, &state]).await?;
    if changed == 0 {
        return Err(Failure::absent());
    }
    addresses(app, &transaction, id, &found, &body["verifiable_addresses"]).await?;
    credentials(app, &transaction, id, &found, &body["credentials"]).await?;
    transaction.commit().await?;
    Ok(())
}

/// Deletes an identity with all that hangs on it.
pub async fn delete(app: &App, client: &Client, id: &str) -> Result<(), Failure> {
    if !is_uuid(id) {
        return Err(Failure::absent());
    }
    let delete = "DELETE FROM identities WHERE nid = $1::text::uuid AND id = $2::text::uuid";
    if client.execute(delete, &[&app.nid, &id]).await? == 0 { Err(Failure::absent()) } else { Ok(()) }
}

/// Brings the address tables to what the traits hold; addresses that stay keep their rows.
async fn addresses(
    app: &App,
    transaction: &Transaction<'_>,
    id: &str,
    found: &Extract,
    given: &Value,
) -> Result<(), Failure> {
    for (table, wanted) in [
        ("identity_verifiable_addresses", &found.verifiable),
        ("identity_recovery_addresses", &found.recovery),
    ] {
        let values: Vec<&str> = wanted.iter().map(|(_, value)| value.as_str()).collect();
        let stale =
            format!("DELETE FROM {table} WHERE identity_id = $1::text::uuid AND value <> ALL ($2::text[])");
        transaction.execute(&stale, &[&id, &values]).await?;
    }
    for (via, value) in &found.verifiable {
        let asked = given.as_array().into_iter().flatten().find(|address| address["value"] == value.as_str());
        let verified = asked.is_some_and(|address| address["verified"] == true);
        let status = asked.and_then(|address| address["status"].as_str()).unwrap_or("pending");
        let insert = format!(
            "INSERT INTO identity_verifiable_addresses (id, nid, identity_id, via, value, verified, status, verified_at, \
             created_at, updated_at) SELECT gen_random_uuid(), $1::text::uuid, $2::text::uuid, $3::text, $4::text, $5, $6::text, \
             CASE WHEN $5 THEN {NOW} END, {NOW}, {NOW} WHERE NOT EXISTS \
             (SELECT 1 FROM identity_verifiable_addresses WHERE identity_id = $2::text::uuid AND via = $3::text AND value = $4::text)"
        );
        transaction.execute(&insert, &[&app.nid, &id, via, value, &verified, &status]).await?;
    }
    for (via, value) in &found.recovery {
        let insert = format!(
            "INSERT INTO identity_recovery_addresses (id, nid, identity_id, via, value, created_at, updated_at) \
             SELECT gen_random_uuid(), $1::text::uuid, $2::text::uuid, $3::text, $4::text, {NOW}, {NOW} WHERE NOT EXISTS \
             (SELECT 1 FROM identity_recovery_addresses WHERE identity_id = $2::text::uuid AND via = $3::text AND value = $4::text)"
        );
        transaction.execute(&insert, &[&app.nid, &id, via, value]).await?;
    }
    Ok(())
}

/// Brings the credentials of the traits up to date and replaces those that the request sends.
async fn credentials(
    app: &App,
    transaction: &Transaction<'_>,
    id: &str,
    found: &Extract,
    sent: &Value,
) -> Result<(), Failure> {
    let password = &sent["password"]["config"];
    let hashed = password["hashed_password"].as_str().map(str::to_owned);
    let plain = password["password"].as_str();
    if let Some(length) = plain.map(str::len).filter(|length| *length > BCRYPT_LIMIT) {
        // Only the hasher notices, and the original answers as if it had a fault.
        let reason = format!("I[#/password] S[] the password has {length} bytes, {BCRYPT_LIMIT} are allowed");
        return Err(Failure::internal(reason));
    }
    let hashed = hashed.or_else(|| plain.map(hash));
    if !found.password.is_empty() {
        let config = hashed.map(|hashed| json!({ "hashed_password": hashed }));
        put(app, transaction, id, "password", 0, &found.password, config).await?;
    }
    if !found.code.is_empty() {
        let channels = found.code.iter().map(|(via, value)| json!({ "channel": via, "address": value }));
        let config = json!({ "addresses": channels.collect::<Vec<_>>() });
        let names: Vec<String> = found.code.iter().map(|(_, value)| value.clone()).collect();
        put(app, transaction, id, "code", 1, &names, Some(config)).await?;
    }
    if let Some(providers) = sent["oidc"]["config"]["providers"].as_array() {
        let part = |provider: &Value, key: &str| provider[key].as_str().unwrap_or_default().to_owned();
        let names: Vec<String> =
            providers.iter().map(|p| format!("{}:{}", part(p, "provider"), part(p, "subject"))).collect();
        put(app, transaction, id, "oidc", 0, &names, Some(json!({ "providers": providers }))).await?;
    }
    Ok(())
}

/// Writes one credential: with `config`, replaced; without, kept or made empty. Its identifiers are written anew if
/// they differ.
async fn put(
    app: &App,
    transaction: &Transaction<'_>,
    id: &str,
    kind: &str,
    version: i32,
    names: &[String],
    config: Option<Value>,
) -> Result<(), Failure> {
    let find = "SELECT c.id::text, ARRAY(SELECT i.identifier FROM identity_credential_identifiers i \
        WHERE i.identity_credential_id = c.id ORDER BY 1) FROM identity_credentials c \
        JOIN identity_credential_types t ON t.id = c.identity_credential_type_id WHERE c.identity_id = $1::text::uuid AND t.name = $2";
    let mut sorted = names.to_vec();
    sorted.sort();
    let known = transaction.query_opt(find, &[&id, &kind]).await?;
    let credential: String = match &known {
        Some(row) => {
            if let Some(config) = &config {
                let update = format!(
                    "UPDATE identity_credentials SET config = $2::text::jsonb, updated_at = {NOW} \
                     WHERE id = $1::text::uuid AND config <> $2::text::jsonb"
                );
                transaction.execute(&update, &[&row.get::<_, String>(0), &config.to_string()]).await?;
            }
            if row.get::<_, Vec<String>>(1) == sorted {
                return Ok(());
            }
            let stale =
                "DELETE FROM identity_credential_identifiers WHERE identity_credential_id = $1::text::uuid";
            transaction.execute(stale, &[&row.get::<_, String>(0)]).await?;
            row.get(0)
        }
        None => {
            let insert = format!(
                "INSERT INTO identity_credentials (id, nid, identity_id, identity_credential_type_id, config, version, \
                 created_at, updated_at) SELECT gen_random_uuid(), $1::text::uuid, $2::text::uuid, t.id, $4::text::jsonb, $5, \
                 {NOW}, {NOW} FROM identity_credential_types t WHERE t.name = $3 RETURNING id::text"
            );
            let config = config.unwrap_or_else(|| json!({})).to_string();
            transaction.query_one(&insert, &[&app.nid, &id, &kind, &config, &version]).await?.get(0)
        }
    };
    let (column, value) =
        if app.release.writes_identity_id() { (", identity_id", ", c.identity_id") } else { ("", "") };
    let insert = format!(
        "INSERT INTO identity_credential_identifiers (id, nid, identity_credential_id, identity_credential_type_id, \
         identifier, created_at, updated_at{column}) SELECT gen_random_uuid(), c.nid, c.id, c.identity_credential_type_id, \
         $2, {NOW}, {NOW}{value} FROM identity_credentials c WHERE c.id = $1::text::uuid"
    );
    for name in names {
        transaction.execute(&insert, &[&credential, name]).await?;
    }
    Ok(())
}
