//! `list-oidc-accounts`: the external accounts that an identity signs in with (docs/behaviour.md#row-98).

use serde_json::Value;

use super::context::{ActionError, ActionOutput, IdentityAction, Parameters};
use super::who::who;

/// More accounts than these do not go into a result, in bytes.
const MOST_BYTES: usize = 100 * 1024;

/// Runs the action. Only the names of the accounts are asked for, no tokens.
pub async fn run(action: &IdentityAction<'_>, parameters: &Parameters) -> Result<ActionOutput, ActionError> {
    let id = who(action, parameters).await?;
    let what = format!("Failed to fetch the identity OIDC credentials for {id}");
    let identity =
        action.admin.identity(&id, &[]).await.map_err(|error| action.failed(&what, &id, &error))?;
    let names = identity["credentials"]["oidc"]["identifiers"].as_array();
    let names: Vec<&str> = names.into_iter().flatten().filter_map(Value::as_str).collect();
    if names.is_empty() {
        return Ok(ActionOutput::line("Identity OIDC credentials not found"));
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
        ActionOutput::line("Successfully fetched the identity OIDC credentials").with("identifiers", shown);
    if count < names.len() {
        let rest = super::get_identity::whole(action, &id);
        report = report.with("left-out", format!("{} more; all with: {rest}", names.len() - count));
    }
    Ok(report)
}
