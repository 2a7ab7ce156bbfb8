//! The password that a Juju secret holds, read by the address in `password-secret-id` (behaviour row 95).

use super::{Desk, Parameters, Stop};
use crate::actions::parameters::text;
use crate::juju::{self, SecretRead, SecretRef, SecretUri};
use crate::kratos::Secret;

const KEY: &str = "password";
/// What bcrypt, the hash of Kratos' default configuration, takes at most, in bytes.
const BCRYPT_LIMIT: usize = 72;

/// The password, if the parameters name a secret. A secret without the key is refused, never taken for none.
pub async fn password(desk: &Desk<'_>, parameters: &Parameters) -> Result<Option<Secret>, Stop> {
    let Some(name) = text(parameters, "password-secret-id")? else { return Ok(None) };
    let make = "juju add-secret NAME password#file=FILE";
    let uri: SecretUri = name.parse().map_err(|_| {
        format!("The password-secret-id is no id of a secret; make one and give its id: {make}")
    })?;
    let grant = format!("juju grant-secret {} {}", uri.id(), desk.application);
    // The newest revision, whichever this unit has seen before.
    match desk.agent.secret_get(SecretRef::Uri(&uri), SecretRead::Peek).await {
        Ok(mut content) => match content.remove(KEY) {
            Some(password) if !password.is_empty() => Ok(Some(Secret(password))),
            Some(_) => Err(format!(
                "The key password of the secret {uri} is empty: juju update-secret {} password#file=FILE",
                uri.id()
            )
            .into()),
            None => Err(format!(
                "The secret {uri} has no key password: juju update-secret {} password#file=FILE",
                uri.id()
            )
            .into()),
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

/// What may explain that Kratos did not take a password; nothing if it is not long.
pub fn too_long(password: &Secret) -> String {
    match password.0.len() {
        length if length > BCRYPT_LIMIT => format!(
            " (the password has {length} bytes; Kratos hashes it with bcrypt unless configured otherwise, which takes at \
             most {BCRYPT_LIMIT})"
        ),
        _ => String::new(),
    }
}
