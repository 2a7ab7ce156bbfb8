//! `rotate-secrets which=cookie|default|cipher|all`: puts a new value first, which Kratos uses from now on, and keeps the
//! older ones, with which it goes on to read what they signed or encrypted.
//!
//! A deployment that was made before the charm knew `secrets.default` and `secrets.cipher` gets them here, when it is asked
//! for. With a cipher Kratos encrypts the tokens of identity providers, and can no longer decode those that it stored
//! without: a cipher is therefore brought in on the way only where there are none.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::invocation::Invocation;
use super::text::note;
use crate::charm::apply::secrets::{add, set};
use crate::charm::observe::random;
use crate::charm::observed::{Effects, Observed, SecretValues, StoredSecret};
use crate::charm::situation::{
    CIPHER_KEY, COOKIE_KEY, COOKIE_LABEL, DEFAULT_KEY, KRATOS_LABEL, renew, values,
};
use crate::juju;
use crate::kratos::tables::identities::has_provider_identities;
use crate::postgres::{Connection, Dsn};

/// So many values of each are kept. What the oldest signed is read until it is the eleventh.
const MOST: usize = 10;
const CONNECT: Duration = Duration::from_secs(5);
const NAMES: [(&str, &str); 3] = [("cookie", COOKIE_KEY), ("default", DEFAULT_KEY), ("cipher", CIPHER_KEY)];

/// Runs the action.
pub async fn run(invocation: &Invocation<'_>, effects: &mut Effects) -> juju::Result<()> {
    let Invocation { agent, observed, .. } = *invocation;
    let parameters = agent.action_get().await?;
    let plan = match plan(observed, parameters.get("which")) {
        Ok(plan) => plan,
        Err(text) => return agent.action_fail(&text).await,
    };
    let Rotation { mut cookie, mut kratos, mut keys, is_explicit } = plan;
    let mut results = BTreeMap::new();
    if keys.contains(CIPHER_KEY) && !kratos.contains_key(CIPHER_KEY) {
        let has_tokens = has_oidc_identities(invocation.dsn()).await;
        if has_tokens == Some(false) {
            note(agent, "From now on Kratos encrypts the tokens of identity providers.").await?;
        } else if is_explicit {
            let text = "From now on Kratos encrypts the tokens of identity providers. Those that it stored before it \
                        cannot decode: they are not shown (include_credential=oidc) until the person logs in again.";
            note(agent, text).await?;
        } else {
            keys.remove(CIPHER_KEY);
            let again = format!("juju run {}/leader rotate-secrets which=cipher", observed.application());
            let why = match has_tokens {
                Some(_) => {
                    "there are identities of other providers, whose tokens Kratos could not decode any more"
                }
                None => "the database did not tell whether there are identities of other providers",
            };
            results.insert(
                "cipher".to_owned(),
                format!("not introduced: {why}; to do it all the same: {again}"),
            );
        }
    }
    for (name, key) in NAMES.into_iter().filter(|(_, key)| keys.contains(key)) {
        let content = if key == COOKIE_KEY { &mut cookie } else { &mut kratos };
        let dropped = renew(content, key, random(), MOST);
        results.insert(name.to_owned(), format!("rotated, {} values", values(content, key).len()));
        if dropped > 0 {
            let text = format!("The oldest value of {name} is dropped: what it signed or encrypted is lost.");
            note(agent, &text).await?;
        }
    }
    if let Err(error) = store(invocation, &keys, (cookie, kratos), effects).await {
        if error.is_unavailable() {
            return Err(error);
        }
        let again = format!("juju run {}/leader rotate-secrets", observed.application());
        return agent
            .action_fail(&format!("The secrets cannot be written: {error}; then run again: {again}"))
            .await;
    }
    results.insert("next".to_owned(), format!("juju status {}", observed.application()));
    agent.action_set(&results).await
}

/// What is to be rotated, and what it is now.
#[derive(Debug)]
struct Rotation {
    cookie: SecretValues,
    kratos: SecretValues,
    keys: BTreeSet<&'static str>,
    /// Whether one of them was named.
    is_explicit: bool,
}

fn plan(observed: &Observed, which: Option<&Value>) -> Result<Rotation, String> {
    let application = observed.application();
    let again = format!("juju run {application}/leader rotate-secrets");
    let named = match which {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text == "all" => None,
        Some(Value::String(text)) => Some(NAMES.iter().find(|(name, _)| name == text).ok_or_else(invalid)?.1),
        Some(_) => return Err(invalid()),
    };
    if !observed.is_leader {
        return Err(format!("Only the leader unit can rotate secrets: {again}"));
    }
    let not_yet = |reason: &str| {
        Err(format!(
            "The secrets cannot be rotated yet{reason}: wait for juju status {application}, then {again}"
        ))
    };
    let cookie = match &observed.cookie_secret {
        StoredSecret::Ready(content) => content.clone(),
        StoredSecret::Absent => return not_yet(", there are none"),
        StoredSecret::Unreadable(reason) => return not_yet(&format!(" ({reason})")),
    };
    let kratos = match &observed.kratos_secrets {
        StoredSecret::Ready(content) => content.clone(),
        StoredSecret::Absent => SecretValues::new(),
        StoredSecret::Unreadable(reason) => return not_yet(&format!(" ({reason})")),
    };
    if observed.peers.is_none() {
        return not_yet(", the peer integration is not ready");
    }
    let keys = named.map_or_else(|| NAMES.map(|(_, key)| key).into(), |key| BTreeSet::from([key]));
    Ok(Rotation { cookie, kratos, keys, is_explicit: named.is_some() })
}

fn invalid() -> String {
    "Invalid parameter which: it is one of cookie, default, cipher, all, e.g. which=all".to_owned()
}

/// Hands the values to Juju, which stores them when this dispatch succeeds; the rest of it already goes on with them.
async fn store(
    invocation: &Invocation<'_>,
    keys: &BTreeSet<&'static str>,
    (cookie, kratos): (SecretValues, SecretValues),
    effects: &mut Effects,
) -> juju::Result<()> {
    let Invocation { agent, observed, .. } = *invocation;
    if keys.contains(COOKIE_KEY) {
        set(agent, COOKIE_LABEL, &cookie).await?;
        effects.cookie_secret = Some(cookie);
    }
    if keys.contains(DEFAULT_KEY) || keys.contains(CIPHER_KEY) {
        match observed.kratos_secrets {
            StoredSecret::Absent => add(agent, KRATOS_LABEL, &kratos).await?,
            StoredSecret::Ready(_) | StoredSecret::Unreadable(_) => set(agent, KRATOS_LABEL, &kratos).await?,
        }
        effects.kratos_secrets = Some(kratos);
    }
    effects.has_rotated = true;
    Ok(())
}

/// Whether an identity has logged in through another provider; `None`: the database does not tell.
async fn has_oidc_identities(dsn: Option<&Dsn>) -> Option<bool> {
    match ask(dsn?).await {
        Ok(answer) => Some(answer),
        Err(error) => {
            tracing::warn!("cannot look for identities of other providers: {error}");
            None
        }
    }
}

async fn ask(dsn: &Dsn) -> Result<bool, crate::postgres::Error> {
    let connection = Connection::open(dsn, "kratos-operator rotate-secrets", CONNECT).await?;
    let answer = has_provider_identities(&connection).await?;
    connection.close().await;
    Ok(answer)
}
