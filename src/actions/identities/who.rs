//! Which identity an action is about: exactly one of `identity-id` and `email` (behaviour rows 91 and 92).

use uuid::Uuid;

use super::{Desk, Parameters, Stop};
use crate::actions::parameters::text;
use crate::juju::quoted;
use crate::kratos::tables::addresses;

/// The id of the identity that the parameters name; a UUID, so that it may stand in a path.
pub async fn who(desk: &Desk<'_>, parameters: &Parameters) -> Result<String, Stop> {
    let id = text(parameters, "identity-id")?;
    let email = text(parameters, "email")?;
    match (id, email) {
        (Some(_), Some(_)) => Err(format!(
            "Provide only one of 'identity-id' or 'email', not both: {}",
            again(desk, parameters, "identity-id=UUID")
        )
        .into()),
        (None, None) => Err(format!(
            "You must provide either 'identity-id' or 'email': {}",
            again(desk, parameters, "email=ADDRESS")
        )
        .into()),
        (Some(id), None) => Uuid::parse_str(&id).map(|id| id.hyphenated().to_string()).map_err(|_| {
            format!("The identity-id must be a valid UUID; find it with: {}", by_email(desk)).into()
        }),
        (None, Some(email)) => of_email(desk, &email, &again(desk, parameters, "identity-id=UUID")).await,
    }
}

/// The command that runs this action again for the identity that `one` names; the other parameters stay, without which
/// it may do something else.
fn again(desk: &Desk<'_>, parameters: &Parameters, one: &str) -> String {
    let others = parameters.keys().filter(|name| !matches!(name.as_str(), "identity-id" | "email"));
    let others =
        others.filter_map(|name| Some(format!(" {name}={}", quoted(&text(parameters, name).ok()??))));
    desk.again(&format!("{one}{}", others.collect::<String>()))
}

fn by_email(desk: &Desk<'_>) -> String {
    format!("juju run {} get-identity email=ADDRESS", desk.unit)
}

/// The identity that signs in with the address; if there is none, the one that has it as an address only.
async fn of_email(desk: &Desk<'_>, email: &str, again: &str) -> Result<String, Stop> {
    let found = desk.admin.with_identifier(email).await;
    let found = found.map_err(|error| desk.trouble("Failed to look the email address up", &error))?;
    let mut ids: Vec<String> =
        found.iter().filter_map(|identity| identity["id"].as_str().map(str::to_owned)).collect();
    if ids.is_empty() {
        ids = holders(desk, email, again).await?;
    }
    // What becomes part of a path is a UUID, whoever told it.
    ids.retain(|id| Uuid::parse_str(id).is_ok());
    match ids.as_slice() {
        [] => Err(format!(
            "Identity not found for email '{email}': no identity signs in with it or has it as a verified or \
             recovery address; list all: juju run {} list-identities",
            desk.unit
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

async fn holders(desk: &Desk<'_>, email: &str, again: &str) -> Result<Vec<String>, Stop> {
    // Without a database nothing could be found there; Kratos itself has answered that nobody signs in so.
    let Some(dsn) = &desk.dsn else { return Ok(Vec::new()) };
    addresses::holders(dsn, email).await.map_err(|error| {
        format!(
            "No identity signs in with '{email}', and whether one has it as an address only cannot be read from \
             the database: {error}; give the id: {again}"
        )
        .into()
    })
}
