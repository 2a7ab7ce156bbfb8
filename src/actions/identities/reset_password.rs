//! `reset-password`: sets the password that a secret holds, or makes a recovery code (docs/behaviour.md#row-95 and
//! #row-96).
//!
//! Kratos' API replaces an identity as a whole and wipes what is left out, and its JSON Patch may not touch credentials.
//! So the identity is read right before it is written, everything that it has is written back with the new password,
//! and afterwards it is read once more and compared. Kratos hashes the password.

use serde_json::{Map, Value, json};

use super::context::{ActionError, ActionOutput, IdentityAction, Parameters};
use super::get_identity::whole;
use super::password::{NewPassword, password};
use super::results::identity_results;
use super::who::who;
use crate::kratos::Secret;
use crate::kratos::admin::{self, Exact, PLAIN, Plain, RecoveryCode, Whole};

/// How long a recovery code is valid.
const VALID: &str = "1h";
/// Where Kratos' links lead while it was told of no page for recovery: it makes codes although recovery is off.
const NO_PAGE: &str = "/kratos/docs/fallback/";

/// Runs the action.
pub async fn run(action: &IdentityAction<'_>, parameters: &Parameters) -> Result<ActionOutput, ActionError> {
    let password = password(action, parameters).await?;
    let id = who(action, parameters).await?;
    match password {
        Some(password) => set(action, &id, &password).await,
        None => {
            let code = recovery_code(action, &id).await?;
            let line =
                "Recovery code created successfully. Use the returned link to reset the identity's password";
            Ok(with_code(action, ActionOutput::line(line), &id, code))
        }
    }
}

async fn set(
    action: &IdentityAction<'_>,
    id: &str,
    password: &NewPassword,
) -> Result<ActionOutput, ActionError> {
    let what = format!("Failed to reset the password of identity {id}");
    let failed = |error: &admin::Error| action.failed(&what, id, error);
    let before = action.admin.exact_identity(id, &[]).await.map_err(|error| failed(&error))?;
    let Exact { value: before, plain } = before;
    let body = replacement(plain, &password.secret);
    if let Err(error) = action.admin.replace(id, &body, Some(&password.secret)).await {
        return Err(password.refused(&what, &error).unwrap_or_else(|| failed(&error)));
    }
    let after = action.admin.identity(id, &[]).await.map_err(|error| {
        action.failed(
            &format!("The password of identity {id} was set, but the identity not read again"),
            id,
            &error,
        )
    })?;
    let lost = lost(&before, &after);
    let results = identity_results(&after, &whole(action, id));
    if !lost.is_empty() {
        let text = format!(
            "The password of identity {id} was set, but Kratos changed {} at the same time; compare: juju run {} \
             get-identity identity-id={id}",
            lost.join(", "),
            action.unit
        );
        return Err(ActionError::Failed { text, results });
    }
    Ok(ActionOutput { lines: vec!["Password was changed successfully".to_owned()], results })
}

/// Everything that the identity has, and the new password.
fn replacement(plain: Plain, password: &Secret) -> Whole {
    let credentials = json!({"password": {"config": {"password": password.0}}});
    Whole { id: None, plain, more: Map::from_iter([("credentials".to_owned(), credentials)]) }
}

/// What the identity had and no longer has.
fn lost(before: &Value, after: &Value) -> Vec<String> {
    let changed = PLAIN.iter().filter(|name| before[**name] != after[**name]).map(|name| (*name).to_owned());
    let credentials = before["credentials"].as_object().into_iter().flat_map(Map::keys);
    let gone = credentials.filter(|kind| after["credentials"][kind.as_str()].is_null());
    changed.chain(gone.map(|kind| format!("the credential {kind}"))).collect()
}

/// Makes a recovery code for an identity.
pub async fn recovery_code(action: &IdentityAction<'_>, id: &str) -> Result<RecoveryCode, ActionError> {
    let what = "Failed to create a recovery code";
    match action.admin.recovery_code(id, VALID).await {
        Ok(code) => Ok(code),
        // Also said when codes are switched off, which the reason tells.
        Err(admin::Error::NotFound { reason }) => {
            let identity = action.admin.identity(id, &[]).await;
            identity.map_err(|error| action.failed(what, id, &error))?;
            Err(format!("{what}: {reason} {}", without_recovery(action, id)).into())
        }
        Err(error) => Err(action.trouble(what, &error)),
    }
}

/// What recovery needs, and what to do without it.
fn without_recovery(action: &IdentityAction<'_>, id: &str) -> String {
    format!(
        "Recovery needs a login UI and local accounts (juju integrate {}:ui-endpoint-info \
         identity-platform-login-ui-operator); without them set a password: juju run {} reset-password \
         identity-id={id} password-secret-id=ID",
        action.application, action.unit
    )
}

/// Adds a recovery code for an identity to what is shown; it is the result.
pub fn with_code(
    action: &IdentityAction<'_>,
    mut report: ActionOutput,
    id: &str,
    code: RecoveryCode,
) -> ActionOutput {
    if code.recovery_link.contains(NO_PAGE) {
        report
            .lines
            .push(format!("Recovery is off, so the link leads nowhere. {}", without_recovery(action, id)));
    }
    let report = report.with("recovery-link", code.recovery_link).with("recovery-code", code.recovery_code);
    match code.expires_at {
        Some(moment) => report.with("expires-at", moment),
        None => report,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_written_back_but_null() {
        let identity = br#"{"id":"1","schema_id":"s","traits":{"n":1234567890123456789012},"state":"inactive",
            "metadata_public":null,"metadata_admin":{"k":[1]},"external_id":"e","credentials":{"code":{}},"updated_at":"now"}"#;
        let expected = r#"{"schema_id":"s","traits":{"n":1234567890123456789012},"state":"inactive","metadata_admin":{"k":[1]},"external_id":"e","credentials":{"password":{"config":{"password":"sesame"}}}}"#;
        let body = replacement(Exact::parse(identity).unwrap().plain, &Secret("sesame".into()));
        assert_eq!(serde_json::to_string(&body).unwrap(), expected);
    }

    #[test]
    fn what_is_lost_is_named() {
        let before = json!({"state": "inactive", "metadata_admin": {"k": 1}, "credentials": {"oidc": {}, "password": {}}});
        let after = json!({"state": "active", "metadata_admin": {"k": 1}, "credentials": {"password": {}}});
        assert_eq!(lost(&before, &after), ["state", "the credential oidc"]);
        assert!(lost(&before, &before).is_empty());
    }
}
