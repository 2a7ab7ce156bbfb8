//! `delete-identity`: deletes one identity with all that hangs on it (behaviour row 94).

use super::who::who;
use super::{Desk, Parameters, Report, Stop};

/// Runs the action.
pub async fn run(desk: &Desk<'_>, parameters: &Parameters) -> Result<Report, Stop> {
    let id = who(desk, parameters).await?;
    let deleted = desk.admin.delete(&id).await;
    deleted.map_err(|error| desk.failed(&format!("Failed to delete the identity for {id}"), &id, &error))?;
    Ok(Report::line(format!("Successfully deleted the identity: {id}")).with("id", id))
}
