//! `list-oidc-accounts`: the external accounts that an identity signs in with (behaviour row 98).

use serde_json::Value;

use super::who::who;
use super::{Desk, Parameters, Report, Stop};

/// More accounts than these do not go into a result, in bytes.
const MOST_BYTES: usize = 100 * 1024;

/// Runs the action. Only the names of the accounts are asked for, no tokens.
pub async fn run(desk: &Desk<'_>, parameters: &Parameters) -> Result<Report, Stop> {
    let id = who(desk, parameters).await?;
    let what = format!("Failed to fetch the identity OIDC credentials for {id}");
    let identity = desk.admin.identity(&id, &[]).await.map_err(|error| desk.failed(&what, &id, &error))?;
    let names = identity["credentials"]["oidc"]["identifiers"].as_array();
    let names: Vec<&str> = names.into_iter().flatten().filter_map(Value::as_str).collect();
    if names.is_empty() {
        return Ok(Report::line("Identity OIDC credentials not found"));
    }
    let mut shown = String::new();
    let mut count = 0;
    for name in &names {
        if shown.len() + name.len() > MOST_BYTES {
            break;
        }
        if count > 0 {
            shown.push('\n');
        }
        shown.push_str(&name.replace('\0', "\u{fffd}"));
        count += 1;
    }
    let mut report =
        Report::line("Successfully fetched the identity OIDC credentials").with("identifiers", shown);
    if count < names.len() {
        let rest = super::get_identity::whole(desk, &id);
        report = report.with("left-out", format!("{} more; all with: {rest}", names.len() - count));
    }
    Ok(report)
}
