//! `unlink-oidc-account`: takes an external account from one identity (behaviour row 99).

use super::who::who;
use super::{Desk, Parameters, Report, Stop};
use crate::actions::parameters::text;
use crate::kratos::admin;

/// Runs the action.
pub async fn run(desk: &Desk<'_>, parameters: &Parameters) -> Result<Report, Stop> {
    let Some(credential) = text(parameters, "credential-id")? else {
        return Err(format!(
            "Missing credential-id; the accounts are listed by: juju run {} list-oidc-accounts email=ADDRESS",
            desk.unit
        )
        .into());
    };
    let id = who(desk, parameters).await?;
    let what = format!("Failed to unlink the OIDC account for {id}");
    match desk.admin.remove_credential(&id, "oidc", Some(&credential)).await {
        Ok(()) => Ok(Report::line(format!("Successfully unlinked the OIDC account {credential}"))),
        Err(admin::Error::NotFound { .. }) => {
            let identity = desk.admin.identity(&id, &[]).await;
            identity.map_err(|error| desk.failed(&what, &id, &error))?;
            Ok(Report::line(format!("Identity {id} has no OIDC account {credential}")))
        }
        Err(error) => Err(desk.failed(&what, &id, &error)),
    }
}
