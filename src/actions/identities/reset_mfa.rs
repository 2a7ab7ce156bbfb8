//! `reset-identity-mfa`: takes a second factor from one identity, which then has to be set up anew
//! (docs/behaviour.md#row-100).

use super::context::{ActionError, ActionOutput, IdentityAction, Parameters};
use super::keys::keys;
use super::who::who;
use crate::actions::parameters::text;
use crate::kratos::admin;

const WEBAUTHN: &str = "webauthn";
/// What counts as a second factor.
const KINDS: [&str; 3] = ["totp", "lookup_secret", WEBAUTHN];

/// Runs the action.
pub async fn run(action: &IdentityAction<'_>, parameters: &Parameters) -> Result<ActionOutput, ActionError> {
    let kind = text(parameters, "mfa-type")?.unwrap_or_default();
    if !KINDS.contains(&kind.as_str()) {
        let shown: String = kind.chars().take(60).collect();
        return Err(format!(
            "Unsupported MFA credential type {shown:?}, allowed are {}: {}",
            KINDS.join(", "),
            action.again("mfa-type=totp email=ADDRESS")
        )
        .into());
    }
    let id = who(action, parameters).await?;
    let what = format!("Failed to reset the {kind} credentials");
    match action.admin.remove_credential(&id, &kind, None).await {
        Ok(()) => {
            let mut lines = vec![format!("Successfully reset the {kind} credentials for identity {id}")];
            if kind == WEBAUTHN {
                // Kratos takes the keys that stand beside a password, and no others.
                if let Ok(identity) = action.admin.identity(&id, &[WEBAUTHN]).await
                    && keys(&identity["credentials"], WEBAUTHN).next().is_some()
                {
                    lines.push(
                        "Its keys for login without a password stay: they are a first factor".to_owned(),
                    );
                }
            }
            Ok(ActionOutput { lines, ..ActionOutput::default() })
        }
        Err(admin::Error::NotFound { .. }) => {
            let identity = action.admin.identity(&id, &[]).await;
            identity.map_err(|error| action.failed(&what, &id, &error))?;
            Ok(ActionOutput::line(format!("Identity {id} has no {kind} credentials")))
        }
        Err(error) => Err(action.failed(&what, &id, &error)),
    }
}
