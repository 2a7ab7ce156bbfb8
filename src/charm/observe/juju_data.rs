//! Reads of the agent's data in which what is not there is no error.

use crate::integrations::SecretContent;
use crate::juju::{self, Agent, Databag, Entity, RelationId, SecretRead, SecretRef, SecretUri};

/// The text of a resource (docs/behaviour.md#row-45). It may be missing, and an empty one counts as missing.
pub async fn resource(agent: &Agent, name: &str) -> juju::Result<Option<String>> {
    let Some(path) = absent_if_gone(agent.resource_get(name).await)? else { return Ok(None) };
    match tokio::fs::read_to_string(&path).await {
        Ok(text) => Ok(Some(text).filter(|text| !text.trim().is_empty())),
        Err(error) => {
            tracing::warn!("the resource {name} cannot be used, Kratos' own template is: {error}");
            Ok(None)
        }
    }
}

/// A databag; that of a relation that went away meanwhile reads as empty.
pub async fn bag(agent: &Agent, id: &RelationId, entity: Entity<'_>) -> juju::Result<Databag> {
    Ok(absent_if_no_relation(agent.relation_get(id, entity).await)?.unwrap_or_default())
}

/// What a relation holds is not there where the relation, or the right to read it, is not. A read that fails otherwise
/// tells nothing: were it taken for empty, a passing error of Juju would take a mail server or a history away.
pub fn absent_if_no_relation<T>(result: juju::Result<T>) -> juju::Result<Option<T>> {
    match result {
        Err(juju::Error::Failed { command, code, text }) if !text.to_lowercase().contains("not found") => {
            Err(juju::Error::Failed { command, code, text })
        }
        result => absent_if_gone(result),
    }
}

/// Only an agent that cannot be reached is an error: what it refuses to tell is not there for us.
pub fn absent_if_gone<T>(result: juju::Result<T>) -> juju::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_unavailable() => Err(error),
        Err(error) => {
            tracing::debug!("{error}");
            Ok(None)
        }
    }
}

/// The content of a secret that a databag names. The newest revision is read and followed.
pub async fn secret_content(agent: &Agent, named: Option<&String>) -> juju::Result<SecretContent> {
    let Some(text) = named.filter(|text| !text.trim().is_empty()) else { return Ok(SecretContent::Absent) };
    let Ok(uri) = text.parse::<SecretUri>() else {
        return Ok(SecretContent::Unreadable("its reference is no secret URI".to_owned()));
    };
    match agent.secret_get(SecretRef::Uri(&uri), SecretRead::Refresh).await {
        Ok(content) => Ok(SecretContent::Content(content)),
        Err(error) if error.is_unavailable() => Err(error),
        Err(error) => Ok(SecretContent::Unreadable(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relation_that_cannot_be_read_is_not_taken_for_empty() {
        let failed =
            |text: &str| juju::Error::Failed { command: "relation-get", code: 1, text: text.to_owned() };
        let read = |error| absent_if_no_relation::<()>(Err(error));
        assert_eq!(read(failed("settings not found")).unwrap(), None);
        assert_eq!(read(juju::Error::NotLeader { command: "relation-get" }).unwrap(), None);
        let gone =
            juju::Error::RelationNotFound { command: "relation-get", text: "relation not found".into() };
        assert_eq!(read(gone).unwrap(), None);
        assert!(read(failed("the state changes too quickly")).is_err());
    }
}
