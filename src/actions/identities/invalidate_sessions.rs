//! `invalidate-identity-sessions`: ends all sessions of one identity (behaviour row 101).

use super::who::who;
use super::{Desk, Parameters, Report, Stop};
use crate::kratos::admin;

/// Runs the action.
pub async fn run(desk: &Desk<'_>, parameters: &Parameters) -> Result<Report, Stop> {
    let id = who(desk, parameters).await?;
    let what = format!("Failed to invalidate the sessions of identity {id}");
    match desk.admin.end_sessions(&id).await {
        Ok(()) => Ok(Report::line("Successfully invalidated and deleted the sessions")),
        // Kratos says the same of an identity without sessions and of none at all.
        Err(admin::Error::NotFound { .. }) => {
            let identity = desk.admin.identity(&id, &[]).await;
            identity.map_err(|error| desk.failed(&what, &id, &error))?;
            Ok(Report::line(format!("Identity {id} has no sessions")))
        }
        Err(error) => Err(desk.failed(&what, &id, &error)),
    }
}
