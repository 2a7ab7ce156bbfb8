//! `get-identity`: one identity, without what its credentials hold (docs/behaviour.md#row-93).

use super::context::{ActionError, ActionOutput, IdentityAction, Parameters};
use super::results::identity_results;
use super::who::who;
use crate::kratos::names::ADMIN_PORT;
use crate::kratos::pebble_by_hand;

/// Runs the action.
pub async fn run(action: &IdentityAction<'_>, parameters: &Parameters) -> Result<ActionOutput, ActionError> {
    let id = who(action, parameters).await?;
    let identity = action.admin.identity(&id, &[]).await;
    let identity = identity
        .map_err(|error| action.failed(&format!("Failed to fetch the identity {id}"), &id, &error))?;
    let results = identity_results(&identity, &whole(action, &id));
    Ok(ActionOutput { lines: vec!["Successfully fetched the identity".to_owned()], results })
}

/// The command that shows an identity of any size.
pub fn whole(action: &IdentityAction<'_>, id: &str) -> String {
    let ask = format!("exec -- kratos get identity {id} -e http://localhost:{ADMIN_PORT} --format json");
    pebble_by_hand(&action.unit, &ask)
}
