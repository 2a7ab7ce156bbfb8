//! Removes one credential of an identity, under the rules that keep a user able to sign in.

use super::super::version::Release;
use super::answer::Failure;
use super::app::App;
use super::identity::{Detail, one};
use serde_json::{Value, json};
use tokio_postgres::{Client, GenericClient};

/// Removes the credential `kind`; of `oidc`, the provider and subject that `identifier` names.
pub async fn remove(
    app: &App,
    client: &mut Client,
    id: &str,
    kind: &str,
    identifier: Option<&str>,
) -> Result<(), Failure> {
    let include = ["password", "oidc", "webauthn", "passkey"].map(str::to_owned).to_vec();
    let detail = Detail { credentials: true, include, public: false };
    let identity = one(app, client, id, &detail).await?;
    let credentials = &identity["credentials"];
    if kind == "code" {
        return Err(Failure::bad("Credentials type code cannot be deleted."));
    }
    if credentials[kind].is_null() {
        return Err(Failure::not_found(format!(
            "You tried to remove a {kind} but this user have no {kind} set up."
        )));
    }
    let others = first_factors(credentials) - usize::from(is_first_factor(kind, &credentials[kind]));
    let last = || Failure::bad("You cannot remove the last first factor credential.");
    if kind == "oidc" {
        let name = identifier
            .ok_or_else(|| Failure::bad("You must provide an identifier to delete this credential."))?;
        let providers = credentials["oidc"]["config"]["providers"].as_array().cloned().unwrap_or_default();
        let is = |provider: &Value| {
            format!(
                "{}:{}",
                provider["provider"].as_str().unwrap_or(""),
                provider["subject"].as_str().unwrap_or("")
            ) == name
        };
        let kept: Vec<Value> = providers.iter().filter(|provider| !is(provider)).cloned().collect();
        if kept.len() == providers.len() {
            return Err(Failure::not_found(format!(
                "The identifier `{name}` was not found among OIDC credentials."
            )));
        }
        if kept.is_empty() && others == 0 && app.release != Release::V1_3_1 {
            return Err(last());
        }
        return unlink(client, id, name, &kept).await;
    }
    if kind == "webauthn" {
        // Keys for login without a password are a first factor; the original keeps them and says nothing of it.
        let keys = credentials["webauthn"]["config"]["credentials"].as_array().into_iter().flatten();
        let kept: Vec<&Value> = keys.filter(|key| key["is_passwordless"] == true).collect();
        if !kept.is_empty() {
            let mut config = credentials["webauthn"]["config"].clone();
            config["credentials"] = json!(kept);
            return configure(client, id, "webauthn", &config).await;
        }
    } else if others == 0 && is_first_factor(kind, &credentials[kind]) {
        return Err(last());
    }
    let delete = "DELETE FROM identity_credentials c USING identity_credential_types t \
        WHERE t.id = c.identity_credential_type_id AND c.identity_id = $1::text::uuid AND t.name = $2";
    client.execute(delete, &[&id, &kind]).await?;
    Ok(())
}

async fn unlink(client: &mut Client, id: &str, name: &str, kept: &[Value]) -> Result<(), Failure> {
    let transaction = client.transaction().await?;
    let identifier = "DELETE FROM identity_credential_identifiers i USING identity_credentials c, identity_credential_types t \
        WHERE c.id = i.identity_credential_id AND t.id = c.identity_credential_type_id AND t.name = 'oidc' \
        AND c.identity_id = $1::text::uuid AND i.identifier = $2";
    transaction.execute(identifier, &[&id, &name]).await?;
    configure(&transaction, id, "oidc", &json!({ "providers": kept })).await?;
    transaction.commit().await?;
    Ok(())
}

/// Replaces what a credential holds.
async fn configure(client: &impl GenericClient, id: &str, kind: &str, config: &Value) -> Result<(), Failure> {
    let update = "UPDATE identity_credentials c SET config = $3::text::jsonb FROM identity_credential_types t \
        WHERE t.id = c.identity_credential_type_id AND t.name = $2 AND c.identity_id = $1::text::uuid";
    client.execute(update, &[&id, &kind, &config.to_string()]).await?;
    Ok(())
}

fn first_factors(credentials: &Value) -> usize {
    let all = credentials.as_object().into_iter().flatten();
    all.filter(|(kind, credential)| is_first_factor(kind, credential)).count()
}

/// Whether a user can sign in with this credential alone; a password only once it is set.
fn is_first_factor(kind: &str, credential: &Value) -> bool {
    match kind {
        "password" => credential["config"]["hashed_password"].is_string(),
        "oidc" => credential["config"]["providers"].as_array().is_some_and(|providers| !providers.is_empty()),
        "passkey" => true,
        "webauthn" => credential["identifiers"].as_array().is_some_and(|names| !names.is_empty()),
        _ => false,
    }
}
