//! `get-identity`: one identity, without what its credentials hold (behaviour row 93).

use super::results::of_identity;
use super::who::who;
use super::{Desk, Parameters, Report, Stop};
use crate::kratos::names::ADMIN_PORT;
use crate::kratos::pebble_by_hand;

/// Runs the action.
pub async fn run(desk: &Desk<'_>, parameters: &Parameters) -> Result<Report, Stop> {
    let id = who(desk, parameters).await?;
    let identity = desk.admin.identity(&id, &[]).await;
    let identity =
        identity.map_err(|error| desk.failed(&format!("Failed to fetch the identity {id}"), &id, &error))?;
    let results = of_identity(&identity, &whole(desk, &id));
    Ok(Report { lines: vec!["Successfully fetched the identity".to_owned()], results })
}

/// The command that shows an identity of any size.
pub fn whole(desk: &Desk<'_>, id: &str) -> String {
    let ask = format!("exec -- kratos get identity {id} -e http://localhost:{ADMIN_PORT} --format json");
    pebble_by_hand(&desk.unit, &ask)
}
