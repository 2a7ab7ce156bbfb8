//! Writes secrets of the application. Juju stores what is written when the hook succeeds.

use std::collections::BTreeMap;

use crate::charm::observed::SecretValues;
use crate::juju::{self, Agent, NewSecret, Scope, SecretRef};

/// Makes a secret.
pub async fn add(agent: &Agent, label: &str, values: &SecretValues) -> juju::Result<()> {
    let new = NewSecret { owner: Scope::Application, label: Some(label), description: None };
    agent.secret_add(&plain(values), new).await.map(drop)
}

/// Replaces the content of a secret.
pub async fn set(agent: &Agent, label: &str, values: &SecretValues) -> juju::Result<()> {
    let info = agent.secret_info_get(SecretRef::Label(label)).await?;
    agent.secret_set(&info.uri, &plain(values)).await
}

fn plain(values: &SecretValues) -> BTreeMap<String, String> {
    values.iter().map(|(key, value)| (key.clone(), value.0.clone())).collect()
}
