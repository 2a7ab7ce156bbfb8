//! The secrets of this application, and random values for new ones.

use crate::charm::observed::{SecretValues, StoredSecret};
use crate::charm::situation::{CIPHER_KEY, COOKIE_KEY, COOKIE_LABEL, DEFAULT_KEY};
use crate::juju::{self, Agent, SecretRead, SecretRef};
use crate::kratos::Secret;

/// Reads a secret by its label. The newest revision is read and followed.
pub async fn stored(agent: &Agent, label: &'static str) -> juju::Result<StoredSecret> {
    match agent.secret_get(SecretRef::Label(label), SecretRead::Refresh).await {
        Ok(content) => {
            let content = content.into_iter().filter(|(_, value)| !value.is_empty());
            let content: SecretValues = content.map(|(key, value)| (key, Secret(value))).collect();
            Ok(if label == COOKIE_LABEL && !content.contains_key(COOKIE_KEY) {
                StoredSecret::Unreadable(format!("the secret {label} has no key {COOKIE_KEY}"))
            } else {
                StoredSecret::Ready(content)
            })
        }
        Err(juju::Error::SecretNotFound { .. }) => Ok(StoredSecret::Absent),
        Err(error) if error.is_unavailable() => Err(error),
        Err(error) => Ok(StoredSecret::Unreadable(error.to_string())),
    }
}

/// 16 random bytes as 32 hexadecimal characters (docs/behaviour.md#row-24), which is also what a cipher needs.
pub fn random() -> Secret {
    let mut bytes = [0; 16];
    // Without the system's random numbers nothing secret can be made.
    getrandom::fill(&mut bytes).unwrap_or_else(|error| panic!("no random numbers: {error}"));
    Secret(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Random values for all keys, should the leader have to make them.
pub fn fresh() -> SecretValues {
    [COOKIE_KEY, DEFAULT_KEY, CIPHER_KEY].map(|key| (key.to_owned(), random())).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_long_enough_for_a_cipher_and_never_twice_the_same() {
        let all = fresh();
        assert!(all.values().all(|secret| secret.0.len() == 32), "{:?}", all.keys());
        assert!(all[DEFAULT_KEY] != all[CIPHER_KEY] && random() != random());
    }
}
