//! The password that a Juju secret holds, read by the address in `password-secret-id` (docs/behaviour.md#row-95).

use super::context::{ActionError, IdentityAction, Parameters};
use crate::actions::parameters::text;
use crate::juju::{self, SecretRead, SecretRef, SecretUri};
use crate::kratos::{Secret, admin};

const KEY: &str = "password";
/// What bcrypt, the hash of Kratos' default configuration, takes at most, in bytes.
const BCRYPT_LIMIT: usize = 72;

/// A password, and the secret that it is from.
#[derive(Debug)]
pub struct NewPassword {
    pub secret: Secret,
    /// The command that puts another into the secret.
    change: String,
}

/// The password, if the parameters name a secret. A secret without the key is refused, never taken for none.
pub async fn password(
    action: &IdentityAction<'_>,
    parameters: &Parameters,
) -> Result<Option<NewPassword>, ActionError> {
    let Some(name) = text(parameters, "password-secret-id")? else { return Ok(None) };
    let make = "juju add-secret NAME password#file=FILE";
    let uri: SecretUri = name.parse().map_err(|_| {
        format!("The password-secret-id is no id of a secret; make one and give its id: {make}")
    })?;
    let change = format!("juju update-secret {} password#file=FILE", uri.id());
    let grant = format!("juju grant-secret {} {}", uri.id(), action.application);
    // The newest revision, whichever this unit has seen before.
    match action.agent.secret_get(SecretRef::Uri(&uri), SecretRead::Peek).await {
        Ok(mut content) => match content.remove(KEY) {
            Some(password) => {
                // With #file= Juju keeps the newline that ends a file.
                match password.trim_end_matches(['\r', '\n']) {
                    "" => Err(format!("The key password of the secret {uri} is empty: {change}").into()),
                    password => Ok(Some(NewPassword { secret: Secret(password.to_owned()), change })),
                }
            }
            None => Err(format!("The secret {uri} has no key password: {change}").into()),
        },
        Err(error) if error.is_unavailable() => Err(error.into()),
        Err(juju::Error::SecretNotFound { .. }) => {
            Err(format!("Juju secret not found: {uri}; if it exists, let this application read it: {grant}")
                .into())
        }
        Err(error) => Err(format!(
            "An error occurred when fetching the juju secret: {error}; let this application read it: {grant}"
        )
        .into()),
    }
}

impl NewPassword {
    /// The failure of a request that carried the password, where that may be the reason.
    pub fn refused(&self, what: &str, error: &admin::Error) -> Option<ActionError> {
        let admin::Error::Refused { code, reason } = error else { return None };
        let length = self.secret.0.len();
        let is_long = length > BCRYPT_LIMIT;
        // The hasher refuses with a 500, whatever its words; any other refusal may have another reason.
        let is_the_reason = (is_long && *code == 500) || reason.to_lowercase().contains("password");
        if !is_the_reason {
            return None;
        }
        let hint = if is_long {
            format!(
                " (it has {length} bytes; Kratos hashes it with bcrypt unless configured otherwise, which takes at most \
                 {BCRYPT_LIMIT})"
            )
        } else {
            String::new()
        };
        Some(format!("{what}: {error}; choose another password{hint}: {}", self.change).into())
    }
}
