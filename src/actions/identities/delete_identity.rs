//! `delete-identity`: deletes one identity with all that hangs on it (docs/behaviour.md#row-94).

use super::context::{ActionError, ActionOutput, IdentityAction, Parameters};
use super::who::who;

/// Runs the action.
pub async fn run(action: &IdentityAction<'_>, parameters: &Parameters) -> Result<ActionOutput, ActionError> {
    let id = who(action, parameters).await?;
    let deleted = action.admin.delete(&id).await;
    deleted
        .map_err(|error| action.failed(&format!("Failed to delete the identity for {id}"), &id, &error))?;
    Ok(ActionOutput::line(format!("Successfully deleted the identity: {id}")).with("id", id))
}
