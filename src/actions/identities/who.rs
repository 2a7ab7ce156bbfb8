//! Which identity an action is about: exactly one of `identity-id` and `email` (docs/behaviour.md#row-91 and #row-92).

use uuid::Uuid;

use super::context::{ActionError, IdentityAction, Parameters};
use crate::actions::parameters::text;
use crate::juju::quoted;
use crate::kratos::tables::addresses;

/// The id of the identity that the parameters name; a UUID, so that it may stand in a path.
pub async fn who(action: &IdentityAction<'_>, parameters: &Parameters) -> Result<String, ActionError> {
    let id = text(parameters, "identity-id")?;
    let email = text(parameters, "email")?;
    match (id, email) {
        (Some(_), Some(_)) => Err(format!(
            "Provide only one of 'identity-id' or 'email', not both: {}",
            again(action, parameters, "identity-id=UUID")
        )
        .into()),
        (None, None) => Err(format!(
            "You must provide either 'identity-id' or 'email': {}",
            again(action, parameters, "email=ADDRESS")
        )
        .into()),
        (Some(id), None) => Uuid::parse_str(&id).map(|id| id.hyphenated().to_string()).map_err(|_| {
            format!("The identity-id must be a valid UUID; find it with: {}", by_email(action)).into()
        }),
        (None, Some(email)) => {
            by_email_address(action, &email, &again(action, parameters, "identity-id=UUID")).await
        }
    }
}

/// The command that runs this action again for the identity that `one` names; the other parameters stay, without which
/// it may do something else.
fn again(action: &IdentityAction<'_>, parameters: &Parameters, one: &str) -> String {
    let others = parameters.keys().filter(|name| !matches!(name.as_str(), "identity-id" | "email"));
    let others =
        others.filter_map(|name| Some(format!(" {name}={}", quoted(&text(parameters, name).ok()??))));
    action.again(&format!("{one}{}", others.collect::<String>()))
}

fn by_email(action: &IdentityAction<'_>) -> String {
    format!("juju run {} get-identity email=ADDRESS", action.unit)
}

/// The identity that signs in with the address; if there is none, the one that has it as an address only.
async fn by_email_address(
    action: &IdentityAction<'_>,
    email: &str,
    again: &str,
) -> Result<String, ActionError> {
    let found = action.admin.with_identifier(email).await;
    let found = found.map_err(|error| action.trouble("Failed to look the email address up", &error))?;
    let mut ids: Vec<String> =
        found.iter().filter_map(|identity| identity["id"].as_str().map(str::to_owned)).collect();
    if ids.is_empty() {
        ids = holders(action, email, again).await?;
    }
    // What becomes part of a path is a UUID, whoever told it.
    ids.retain(|id| Uuid::parse_str(id).is_ok());
    match ids.as_slice() {
        [] => Err(format!(
            "Identity not found for email '{email}': no identity signs in with it or has it as a verified or \
             recovery address; list all: juju run {} list-identities",
            action.unit
        )
        .into()),
        [id] => Ok(id.clone()),
        several => Err(format!(
            "Multiple identities found for email '{email}'. Please provide an identity-id instead, one of {}: {again}",
            several.join(", ")
        )
        .into()),
    }
}

async fn holders(action: &IdentityAction<'_>, email: &str, again: &str) -> Result<Vec<String>, ActionError> {
    // Without a database nothing could be found there; Kratos itself has answered that nobody signs in so.
    let Some(dsn) = &action.dsn else { return Ok(Vec::new()) };
    addresses::holders(dsn, email).await.map_err(|error| {
        format!(
            "No identity signs in with '{email}', and whether one has it as an address only cannot be read from \
             the database: {error}; give the id: {again}"
        )
        .into()
    })
}
