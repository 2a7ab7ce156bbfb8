//! The secrets with which Kratos signs and encrypts: where they are kept, and what is made when there are none.
//!
//! The cookie's stands in a secret of its own, as in the Python charm (docs/behaviour.md#row-24); `secrets.default` and
//! `secrets.cipher` in another one, which is made together with the first. A deployment that has the first and lacks the
//! second is an older one: it goes on without until `rotate-secrets` is run. The newest value stands under the plain key,
//! where the Python charm would look; older ones under the key and a number.

use crate::charm::observed::{Observed, SecretValues, StoredSecret};
use crate::kratos::Secret;
use crate::kratos::facts::Secrets;

/// The label of the secret with which Kratos signs cookies (docs/behaviour.md#row-24).
pub const COOKIE_LABEL: &str = "cookie_secret";
/// The key of its newest value.
pub const COOKIE_KEY: &str = "cookiesecret";
/// The label of the secret with the values of `secrets.default` and `secrets.cipher`.
pub const KRATOS_LABEL: &str = "kratos_secrets";
/// The key of the newest value of `secrets.default`.
pub const DEFAULT_KEY: &str = "default";
/// The key of the newest value of `secrets.cipher`.
pub const CIPHER_KEY: &str = "cipher";

/// A secret that this dispatch makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredSecret {
    pub label: &'static str,
    pub values: SecretValues,
}

/// The values of a key, newest first.
pub fn values(content: &SecretValues, key: &str) -> Vec<Secret> {
    let older = (1..).map_while(|number| content.get(&numbered(key, number)));
    content.get(key).into_iter().chain(older).cloned().collect()
}

/// Puts a new value of a key first and keeps at most `most` in all; how many are dropped.
pub fn renew(content: &mut SecretValues, key: &str, new: Secret, most: usize) -> usize {
    let mut all = values(content, key);
    for number in 1..=all.len() {
        content.remove(&numbered(key, number));
    }
    all.insert(0, new);
    let dropped = all.len().saturating_sub(most);
    all.truncate(most);
    for (number, value) in all.into_iter().enumerate() {
        let key = if number == 0 { key.to_owned() } else { numbered(key, number) };
        content.insert(key, value);
    }
    dropped
}

fn numbered(key: &str, number: usize) -> String {
    format!("{key}-{number}")
}

/// The secrets that this dispatch makes: both, on the leader of a new deployment.
pub fn missing_secrets(observed: &Observed) -> Vec<DesiredSecret> {
    if !observed.is_leader || observed.cookie_secret != StoredSecret::Absent {
        return Vec::new();
    }
    let fresh = |keys: &[&str]| {
        let taken = observed.fresh_secrets.iter().filter(|(key, _)| keys.contains(&key.as_str()));
        taken.map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    let cookie = DesiredSecret { label: COOKIE_LABEL, values: fresh(&[COOKIE_KEY]) };
    let kratos = DesiredSecret { label: KRATOS_LABEL, values: fresh(&[DEFAULT_KEY, CIPHER_KEY]) };
    match observed.kratos_secrets {
        // The cookie last: with it a deployment counts as an old one, and Juju may have kept a half of a failed dispatch.
        StoredSecret::Absent => vec![kratos, cookie],
        StoredSecret::Unreadable(_) | StoredSecret::Ready(_) => vec![cookie],
    }
}

/// The secrets with which Kratos is configured; `None`: not known yet.
pub fn secrets(observed: &Observed) -> Option<Secrets> {
    let mut all = SecretValues::new();
    for stored in [&observed.cookie_secret, &observed.kratos_secrets] {
        match stored {
            StoredSecret::Ready(values) => all.extend(values.clone()),
            StoredSecret::Absent => {}
            StoredSecret::Unreadable(_) => return None,
        }
    }
    for missing in missing_secrets(observed) {
        all.extend(missing.values);
    }
    let of_key = |key| values(&all, key);
    let secrets =
        Secrets { cookie: of_key(COOKIE_KEY), default: of_key(DEFAULT_KEY), cipher: of_key(CIPHER_KEY) };
    (!secrets.cookie.is_empty()).then_some(secrets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(content: &SecretValues, key: &str) -> Vec<String> {
        values(content, key).into_iter().map(|secret| secret.0).collect()
    }

    #[test]
    fn the_newest_value_stands_under_the_plain_key_and_old_ones_go_in_the_end() {
        let mut content = SecretValues::from([(COOKIE_KEY.to_owned(), Secret("a".into()))]);
        assert_eq!(renew(&mut content, COOKIE_KEY, Secret("b".into()), 3), 0);
        assert_eq!(content.keys().collect::<Vec<_>>(), ["cookiesecret", "cookiesecret-1"]);
        assert_eq!(content[COOKIE_KEY].0, "b", "where the Python charm looks");
        assert_eq!(renew(&mut content, COOKIE_KEY, Secret("c".into()), 3), 0);
        assert_eq!(renew(&mut content, COOKIE_KEY, Secret("d".into()), 3), 1);
        assert_eq!(texts(&content, COOKIE_KEY), ["d", "c", "b"]);
        assert_eq!(renew(&mut content, CIPHER_KEY, Secret("e".into()), 3), 0);
        assert_eq!((texts(&content, CIPHER_KEY), content.len()), (vec!["e".to_owned()], 4));
    }
}
