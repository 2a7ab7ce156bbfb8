//! `unlink-oidc-account`: takes an external account from one identity (docs/behaviour.md#row-99).

use serde_json::Value;

use super::context::{ActionError, ActionOutput, IdentityAction, Parameters};
use super::keys::keys;
use super::who::who;
use crate::actions::parameters::text;
use crate::kratos::admin;

/// The credentials that may be another way to sign in, by what they hold.
const OTHER_WAYS: [&str; 3] = ["password", "webauthn", "passkey"];

/// Runs the action.
pub async fn run(action: &IdentityAction<'_>, parameters: &Parameters) -> Result<ActionOutput, ActionError> {
    let Some(credential) = text(parameters, "credential-id")? else {
        return Err(format!(
            "Missing credential-id; the accounts are listed by: juju run {} list-oidc-accounts email=ADDRESS",
            action.unit
        )
        .into());
    };
    let id = who(action, parameters).await?;
    let what = format!("Failed to unlink the OIDC account for {id}");
    let identity = action.admin.identity(&id, &OTHER_WAYS).await;
    let identity = identity.map_err(|error| action.failed(&what, &id, &error))?;
    if is_last_way(&identity["credentials"], &credential) {
        return Err(format!(
            "{what}: {credential} is the last way to sign in; set a password first: juju run {} reset-password \
             identity-id={id} password-secret-id=ID",
            action.unit
        )
        .into());
    }
    match action.admin.remove_credential(&id, "oidc", Some(&credential)).await {
        Ok(()) => Ok(ActionOutput::line(format!("Successfully unlinked the OIDC account {credential}"))),
        Err(admin::Error::NotFound { .. }) => {
            Ok(ActionOutput::line(format!("Identity {id} has no OIDC account {credential}")))
        }
        Err(error) => Err(action.failed(&what, &id, &error)),
    }
}

/// Whether nobody could sign in without this account. Kratos refuses that since v25.4.0, v1.3.1 does not; what else may
/// be a way to sign in is left to its judgement.
fn is_last_way(credentials: &Value, account: &str) -> bool {
    let accounts = credentials["oidc"]["identifiers"].as_array();
    let password = &credentials["password"]["config"];
    accounts.is_some_and(|accounts| accounts.len() == 1 && accounts[0] == account)
        && password["hashed_password"].as_str().is_none_or(str::is_empty)
        && password["use_password_migration_hook"] != true
        && !keys(credentials, "webauthn").any(|key| key["is_passwordless"] == true)
        && keys(credentials, "passkey").next().is_none()
        && credentials["saml"].is_null()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_last_way_to_sign_in_is_known() {
        // As Kratos gives it for an identity of social_user_v0.
        let one = json!({"oidc": {"identifiers": ["google:1"]}, "password": {"config": {}}, "code": {}, "totp": {},
            "webauthn": {"identifiers": ["a@b.c"], "config": {"user_handle": "oFC4wchaT+iVURYidjD5QQ=="}}});
        assert!(is_last_way(&one, "google:1"));
        assert!(!is_last_way(&one, "google:2"), "it has no such account");
        let mut second = one.clone();
        second["webauthn"]["config"]["credentials"] = json!([{"is_passwordless": false}]);
        assert!(is_last_way(&second, "google:1"), "a second factor is no way to sign in");
        let with = |kind: &str, credential: Value| {
            let mut credentials = one.clone();
            credentials[kind] = credential;
            credentials
        };
        for (kind, credential) in [
            ("oidc", json!({"identifiers": ["google:1", "github:2"]})),
            ("password", json!({"config": {"hashed_password": "$2a$x"}})),
            ("password", json!({"config": {"use_password_migration_hook": true}})),
            ("passkey", json!({"config": {"credentials": [{}]}})),
            ("webauthn", json!({"config": {"credentials": [{"is_passwordless": true}]}})),
            ("saml", json!({})),
        ] {
            assert!(!is_last_way(&with(kind, credential), "google:1"), "{kind}");
        }
    }
}
