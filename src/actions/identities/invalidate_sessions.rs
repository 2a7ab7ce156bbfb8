//! `invalidate-identity-sessions`: ends all sessions of one identity (docs/behaviour.md#row-101).

use super::context::{ActionError, ActionOutput, IdentityAction, Parameters};
use super::who::who;
use crate::kratos::admin;

/// Runs the action.
pub async fn run(action: &IdentityAction<'_>, parameters: &Parameters) -> Result<ActionOutput, ActionError> {
    let id = who(action, parameters).await?;
    let what = format!("Failed to invalidate the sessions of identity {id}");
    match action.admin.end_sessions(&id).await {
        Ok(()) => Ok(ActionOutput::line("Successfully invalidated and deleted the sessions")),
        // Kratos says the same of an identity without sessions and of none at all.
        Err(admin::Error::NotFound { .. }) => {
            let identity = action.admin.identity(&id, &[]).await;
            identity.map_err(|error| action.failed(&what, &id, &error))?;
            Ok(ActionOutput::line(format!("Identity {id} has no sessions")))
        }
        Err(error) => Err(action.failed(&what, &id, &error)),
    }
}
