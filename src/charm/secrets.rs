//! The secrets with which Kratos signs and encrypts: where they are kept, and what is made when there are none.
//!
//! The cookie's stands in a secret of its own, as in the Python charm (behaviour row 24); `secrets.default` and
//! `secrets.cipher` in another one, which is made together with the first. A deployment that has the first and lacks the
//! second is an older one: it goes on without until `rotate-secrets` is run. The newest value stands under the plain key,
//! where the Python charm would look; older ones under the key and a number.

use std::collections::BTreeMap;

use super::observed::Observed;
use crate::juju::{self, Agent, Event, NewSecret, Scope, SecretEventKind, SecretRead, SecretRef, SecretUri};
use crate::kratos::Secret;
use crate::kratos::facts::Secrets;

/// The label of the secret with which Kratos signs cookies (behaviour row 24).
pub const COOKIE_LABEL: &str = "cookie_secret";
/// The key of its newest value.
pub const COOKIE_KEY: &str = "cookiesecret";
/// The label of the secret with the values of `secrets.default` and `secrets.cipher`.
pub const KRATOS_LABEL: &str = "kratos_secrets";
/// The key of the newest value of `secrets.default`.
pub const DEFAULT_KEY: &str = "default";
/// The key of the newest value of `secrets.cipher`.
pub const CIPHER_KEY: &str = "cipher";

/// A secret of this application, as far as this unit can read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Nobody made it yet.
    Absent,
    /// It exists, but cannot be used: the reason.
    Unreadable(String),
    Ready(Content),
}

/// Values by their keys.
pub type Content = BTreeMap<String, Secret>;

/// A secret that this dispatch makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Making {
    pub label: &'static str,
    pub content: Content,
}

/// Reads a secret by its label. The newest revision is read and followed.
pub async fn stored(agent: &Agent, label: &'static str) -> juju::Result<Stored> {
    match agent.secret_get(SecretRef::Label(label), SecretRead::Refresh).await {
        Ok(content) => {
            let content = content.into_iter().filter(|(_, value)| !value.is_empty());
            let content: Content = content.map(|(key, value)| (key, Secret(value))).collect();
            Ok(if label == COOKIE_LABEL && !content.contains_key(COOKIE_KEY) {
                Stored::Unreadable(format!("the secret {label} has no key {COOKIE_KEY}"))
            } else {
                Stored::Ready(content)
            })
        }
        Err(juju::Error::SecretNotFound { .. }) => Ok(Stored::Absent),
        Err(error) if error.is_unavailable() => Err(error),
        Err(error) => Ok(Stored::Unreadable(error.to_string())),
    }
}

/// Makes a secret of the application; its content is stored when the hook succeeds.
pub async fn add(agent: &Agent, label: &str, content: &Content) -> juju::Result<()> {
    let new = NewSecret { owner: Scope::Application, label: Some(label), description: None };
    agent.secret_add(&plain(content), new).await.map(drop)
}

/// Replaces the content of a secret of the application.
pub async fn set(agent: &Agent, label: &str, content: &Content) -> juju::Result<()> {
    let info = agent.secret_info_get(SecretRef::Label(label)).await?;
    agent.secret_set(&info.uri, &plain(content)).await
}

fn plain(content: &Content) -> BTreeMap<String, String> {
    content.iter().map(|(key, value)| (key.clone(), value.0.clone())).collect()
}

/// 16 random bytes as 32 hexadecimal characters (behaviour row 24), which is also what a cipher needs.
pub fn random() -> Secret {
    let mut bytes = [0; 16];
    // Without the system's random numbers nothing secret can be made.
    getrandom::fill(&mut bytes).unwrap_or_else(|error| panic!("no random numbers: {error}"));
    Secret(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Random values for all keys, should the leader have to make them.
pub fn fresh() -> Content {
    [COOKIE_KEY, DEFAULT_KEY, CIPHER_KEY].map(|key| (key.to_owned(), random())).into()
}

/// The values of a key, newest first.
pub fn values(content: &Content, key: &str) -> Vec<Secret> {
    let older = (1..).map_while(|number| content.get(&numbered(key, number)));
    content.get(key).into_iter().chain(older).cloned().collect()
}

/// Puts a new value of a key first and keeps at most `most` in all; how many are dropped.
pub fn renew(content: &mut Content, key: &str, new: Secret, most: usize) -> usize {
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
pub fn making(observed: &Observed) -> Vec<Making> {
    if !is_new(observed) {
        return Vec::new();
    }
    let of = |keys: &[&str]| {
        let taken = observed.fresh_secrets.iter().filter(|(key, _)| keys.contains(&key.as_str()));
        taken.map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    let cookie = Making { label: COOKIE_LABEL, content: of(&[COOKIE_KEY]) };
    let kratos = Making { label: KRATOS_LABEL, content: of(&[DEFAULT_KEY, CIPHER_KEY]) };
    match observed.kratos_secrets {
        // The cookie last: with it a deployment counts as an old one, and Juju may have kept a half of a failed dispatch.
        Stored::Absent => vec![kratos, cookie],
        Stored::Unreadable(_) | Stored::Ready(_) => vec![cookie],
    }
}

/// The revision of one of our secrets that every unit has left behind, if Juju tells of one now. It is kept until its
/// owner removes it.
pub fn obsolete(observed: &Observed) -> Option<(SecretUri, u64)> {
    let Event::Secret(event) = &observed.context.event else { return None };
    let is_ours = event.label.as_deref().is_some_and(|label| [COOKIE_LABEL, KRATOS_LABEL].contains(&label));
    let is_due = observed.is_leader && is_ours && event.kind == SecretEventKind::Remove;
    event.revision.filter(|_| is_due).map(|revision| (event.uri.clone(), revision))
}

fn is_new(observed: &Observed) -> bool {
    observed.is_leader && observed.cookie_secret == Stored::Absent
}

/// What Kratos is told; `None`: not known yet.
pub fn secrets(observed: &Observed) -> Option<Secrets> {
    let mut all = Content::new();
    for stored in [&observed.cookie_secret, &observed.kratos_secrets] {
        match stored {
            Stored::Ready(content) => all.extend(content.clone()),
            Stored::Absent => {}
            Stored::Unreadable(_) => return None,
        }
    }
    for making in making(observed) {
        all.extend(making.content);
    }
    let of = |key| values(&all, key);
    let secrets = Secrets { cookie: of(COOKIE_KEY), default: of(DEFAULT_KEY), cipher: of(CIPHER_KEY) };
    (!secrets.cookie.is_empty()).then_some(secrets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(content: &Content, key: &str) -> Vec<String> {
        values(content, key).into_iter().map(|secret| secret.0).collect()
    }

    #[test]
    fn the_newest_value_stands_under_the_plain_key_and_old_ones_go_in_the_end() {
        let mut content = Content::from([(COOKIE_KEY.to_owned(), Secret("a".into()))]);
        assert_eq!(renew(&mut content, COOKIE_KEY, Secret("b".into()), 3), 0);
        assert_eq!(content.keys().collect::<Vec<_>>(), ["cookiesecret", "cookiesecret-1"]);
        assert_eq!(content[COOKIE_KEY].0, "b", "where the Python charm looks");
        assert_eq!(renew(&mut content, COOKIE_KEY, Secret("c".into()), 3), 0);
        assert_eq!(renew(&mut content, COOKIE_KEY, Secret("d".into()), 3), 1);
        assert_eq!(texts(&content, COOKIE_KEY), ["d", "c", "b"]);
        assert_eq!(renew(&mut content, CIPHER_KEY, Secret("e".into()), 3), 0);
        assert_eq!((texts(&content, CIPHER_KEY), content.len()), (vec!["e".to_owned()], 4));
    }

    #[test]
    fn what_is_made_is_long_enough_for_a_cipher_and_never_twice_the_same() {
        let all = fresh();
        assert!(all.values().all(|secret| secret.0.len() == 32), "{:?}", all.keys());
        assert!(all[DEFAULT_KEY] != all[CIPHER_KEY] && random() != random());
    }
}
