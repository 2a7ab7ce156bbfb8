//! observe: reads everything that a decision can need, once.
//!
//! What costs little is always read, at the same time. The program's version and the database's schema cost a
//! process in the workload: they are asked for only when a decision depends on them (`questions`).

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;

use super::observed::{Container, Observed, SchemaKnowledge, Version, Workload};
use super::questions;
use super::schemas::SchemaUsers;
use super::secrets;
use crate::integrations::database::{self, Answer, DatabaseRelation, TLS_SECRET, USER_SECRET};
use crate::integrations::peers::{self, PeerRelation};
use crate::integrations::{ENDPOINTS, Endpoint, Relation, SecretContent};
use crate::juju::{
    self, Agent, CharmUrl, Context, Databag, Entity, Event, Network, RelationId, Scope, SecretRead,
    SecretRef, SecretUri, Status, StatusKind, UnitName,
};
use crate::kratos::Place;
use crate::kratos::names::OWNED_FILES;
use crate::kratos::program::command::Kratos;
use crate::migration;
use crate::pebble::{self, Client};

/// The resource in metadata.yaml with the body of verification mails.
const VERIFICATION_TEMPLATE: &str = "verification-email-template";

/// Reads the world for one dispatch.
pub async fn observe(
    agent: &Agent,
    pebble: &Client,
    context: Context,
    place: Place,
) -> juju::Result<Observed> {
    let (config, is_leader, databases, peers, cookie_secret, kratos_secrets, opened_ports, status, workload) = tokio::join!(
        agent.config_get(),
        agent.is_leader(),
        relations(agent, &context, database::ENDPOINT),
        relations(agent, &context, peers::ENDPOINT),
        secrets::stored(agent, secrets::COOKIE_LABEL),
        secrets::stored(agent, secrets::KRATOS_LABEL),
        agent.opened_ports(),
        agent.status_get(Scope::Unit),
        workload(pebble, &place),
    );
    let is_leader = is_leader?;
    let mut observed = Observed {
        is_leader,
        config: config?,
        peers: peer_relation(agent, &context, peers?).await?,
        databases: database_relations(agent, &context, databases?, is_leader).await?,
        relations: other_relations(agent, &context, is_leader).await?,
        cookie_secret: cookie_secret?,
        kratos_secrets: kratos_secrets?,
        fresh_secrets: secrets::fresh(),
        has_rotated: false,
        verification_template: None,
        // These two only save a write.
        opened_ports: absent_if_gone(opened_ports)?.unwrap_or_default(),
        status: absent_if_gone(status)?.unwrap_or_else(|| Status::new(StatusKind::Unknown, "")),
        workload,
        program: None,
        schema: SchemaKnowledge::NotAsked,
        schema_users: SchemaUsers::NotAsked,
        fence: None,
        migration: None,
        migration_took: Duration::ZERO,
        cluster: None,
        charm: CharmUrl::read(&context.charm_dir),
        context,
        place,
    };
    if observed.options().is_ok_and(|options| options.enable_verification) {
        observed.verification_template = resource(agent, VERIFICATION_TEMPLATE).await?;
    }
    look_closer(pebble, &mut observed).await;
    Ok(observed)
}

/// The text of a resource (behaviour row 45). Nobody has to attach one, and an empty one is none.
async fn resource(agent: &Agent, name: &str) -> juju::Result<Option<String>> {
    let Some(path) = absent_if_gone(agent.resource_get(name).await)? else { return Ok(None) };
    match tokio::fs::read_to_string(&path).await {
        Ok(text) => Ok(Some(text).filter(|text| !text.trim().is_empty())),
        Err(error) => {
            tracing::warn!("the resource {name} cannot be used, Kratos' own template is: {error}");
            Ok(None)
        }
    }
}

/// Asks the program and the database, if something depends on it.
async fn look_closer(pebble: &Client, observed: &mut Observed) {
    let kratos = Kratos::Workload(pebble.clone());
    if questions::is_version_needed(observed) {
        let version = match kratos.version().await {
            Ok(version) => Version::Known(version),
            Err(error) => Version::Unknown(error.to_string()),
        };
        if let Workload::Reachable(container) = &mut observed.workload {
            container.version = version;
        }
    }
    if questions::is_schema_needed(observed) {
        survey(&kratos, observed).await;
    }
}

/// Reads the schema of the database in use, as seen from the program in the container.
async fn survey(kratos: &Kratos, observed: &mut Observed) {
    let (Answer::Ready(dsn), Some(version)) = (observed.answer(), observed.version()) else { return };
    match migration::survey(kratos, version, &dsn).await {
        Ok(survey) => {
            observed.program = Some(survey.program);
            observed.schema = SchemaKnowledge::Known(survey.schema);
            observed.fence = survey.fence;
        }
        Err(error) => observed.schema = SchemaKnowledge::Unknown(error.to_string()),
    }
}

/// The relations of an endpoint by number; Juju still lists one that is being broken.
async fn relations(agent: &Agent, context: &Context, endpoint: &str) -> juju::Result<Vec<RelationId>> {
    let mut ids = agent.relation_ids(endpoint).await?;
    if let Some(broken) = context.event.broken_relation() {
        ids.retain(|listed| listed != broken);
    }
    ids.sort();
    Ok(ids)
}

async fn peer_relation(
    agent: &Agent,
    context: &Context,
    ids: Vec<RelationId>,
) -> juju::Result<Option<PeerRelation>> {
    let Some(id) = ids.into_iter().next() else { return Ok(None) };
    let (application, unit) = tokio::join!(
        bag(agent, &id, Entity::App(context.unit.application())),
        bag(agent, &id, Entity::Unit(&context.unit)),
    );
    let others = match context.event {
        Event::Action(_) => other_units(agent, &id).await?,
        _ => BTreeMap::new(),
    };
    Ok(Some(PeerRelation { application: application?, unit: unit?, others, id }))
}

/// What the other units published: a call for each, and only actions depend on it.
async fn other_units(agent: &Agent, id: &RelationId) -> juju::Result<BTreeMap<UnitName, Option<String>>> {
    let mut others = BTreeMap::new();
    for unit in absent_if_no_relation(agent.relation_units(id).await)?.unwrap_or_default() {
        let version = bag(agent, id, Entity::Unit(&unit)).await?.remove(peers::WORKLOAD_VERSION);
        others.insert(unit, version);
    }
    Ok(others)
}

async fn database_relations(
    agent: &Agent,
    context: &Context,
    ids: Vec<RelationId>,
    is_leader: bool,
) -> juju::Result<Vec<DatabaseRelation>> {
    let mut relations = Vec::new();
    for id in ids {
        let app = absent_if_no_relation(agent.relation_app(&id).await)?.flatten();
        let remote = match &app {
            Some(app) => bag(agent, &id, Entity::App(app)).await?,
            None => Databag::new(),
        };
        let mut remote_units = Vec::new();
        if remote.contains_key("subordinated") {
            for unit in absent_if_no_relation(agent.relation_units(&id).await)?.unwrap_or_default() {
                remote_units.push(bag(agent, &id, Entity::Unit(&unit)).await?);
            }
        }
        let own = match is_leader {
            true => Some(bag(agent, &id, Entity::App(context.unit.application())).await?),
            false => None,
        };
        let (user, tls) = tokio::join!(
            secret_content(agent, remote.get(USER_SECRET)),
            secret_content(agent, remote.get(TLS_SECRET)),
        );
        relations.push(DatabaseRelation { own, remote, remote_units, user: user?, tls: tls?, id });
    }
    Ok(relations)
}

/// The relations of all other endpoints.
async fn other_relations(agent: &Agent, context: &Context, is_leader: bool) -> juju::Result<Vec<Relation>> {
    let ids = join_all(ENDPOINTS.iter().map(|endpoint| relations(agent, context, endpoint.name))).await;
    let mut found = Vec::new();
    for (endpoint, ids) in ENDPOINTS.iter().zip(ids) {
        for id in ids? {
            found.push(relation(agent, context, endpoint, id, is_leader).await?);
        }
    }
    Ok(found)
}

async fn relation(
    agent: &Agent,
    context: &Context,
    endpoint: &Endpoint,
    id: RelationId,
    is_leader: bool,
) -> juju::Result<Relation> {
    let mut relation = Relation::new(id);
    let id = &relation.id;
    if let Some(app) = absent_if_no_relation(agent.relation_app(id).await)?.flatten() {
        relation.remote = bag(agent, id, Entity::App(&app)).await?;
    }
    if is_leader {
        relation.own = Some(bag(agent, id, Entity::App(context.unit.application())).await?);
    }
    if endpoint.own_unit {
        relation.own_unit = bag(agent, id, Entity::Unit(&context.unit)).await?;
    }
    if endpoint.remote_units {
        for unit in absent_if_no_relation(agent.relation_units(id).await)?.unwrap_or_default() {
            let remote = bag(agent, id, Entity::Unit(&unit)).await?;
            relation.remote_units.insert(unit, remote);
        }
    }
    if endpoint.address {
        let network = absent_if_gone(agent.network_get(endpoint.name, Some(id)).await)?;
        relation.address = network.as_ref().and_then(Network::bind_address).map(str::to_owned);
    }
    for key in endpoint.secrets {
        let content = secret_content(agent, relation.remote.get(*key)).await?;
        relation.secrets.insert(key, content);
    }
    Ok(relation)
}

/// A databag; that of a relation that went away meanwhile reads as empty.
async fn bag(agent: &Agent, id: &RelationId, entity: Entity<'_>) -> juju::Result<Databag> {
    Ok(absent_if_no_relation(agent.relation_get(id, entity).await)?.unwrap_or_default())
}

/// What a relation holds is not there where the relation, or the right to read it, is not. A read that fails otherwise
/// tells nothing: were it taken for empty, a passing error of Juju would take a mail server or a history away.
fn absent_if_no_relation<T>(result: juju::Result<T>) -> juju::Result<Option<T>> {
    match result {
        Err(juju::Error::Failed { command, code, text }) if !text.to_lowercase().contains("not found") => {
            Err(juju::Error::Failed { command, code, text })
        }
        result => absent_if_gone(result),
    }
}

/// Only an agent that cannot be reached is an error: what it refuses to tell is not there for us.
fn absent_if_gone<T>(result: juju::Result<T>) -> juju::Result<Option<T>> {
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
async fn secret_content(agent: &Agent, named: Option<&String>) -> juju::Result<SecretContent> {
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

async fn workload(pebble: &Client, place: &Place) -> Workload {
    match container(pebble, place).await {
        Ok(container) => Workload::Reachable(container),
        Err(error) if error.is_connection() => {
            tracing::debug!("{error}");
            Workload::Unreachable
        }
        Err(error) => {
            tracing::warn!("the container's Pebble cannot be used: {error}");
            Workload::Unusable(error.to_string())
        }
    }
}

async fn container(pebble: &Client, place: &Place) -> Result<Container, pebble::Error> {
    let paths: Vec<String> = OWNED_FILES.iter().map(|path| place.path(path)).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let (plan, services, checks, files) =
        tokio::join!(pebble.plan(), pebble.services_all(), pebble.checks_all(), pebble.pull_many(&paths));
    let mut contents = BTreeMap::new();
    for (path, result) in OWNED_FILES.iter().zip(files?) {
        // A file that cannot be read is written anew.
        contents.insert((*path).to_owned(), result.ok());
    }
    Ok(Container {
        plan: plan?,
        services: services?,
        checks: checks?,
        files: contents,
        version: Version::NotAsked,
    })
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
