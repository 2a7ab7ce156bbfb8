//! observe: reads everything that a decision can need, once.
//!
//! What costs little is always read, at the same time. The program's version and the database's schema cost a process in the
//! workload, Kubernetes a connection: they are asked for only when a decision depends on them ([`needs`]). [`observe`] reads
//! what an action or a migration works with, [`cluster`] and [`schema_users`] what depends on how those ended.

mod cluster;
mod juju_data;
pub(super) mod needs;
mod relations;
mod schema_users;
mod secrets;
mod workload;

pub use cluster::cluster;
pub use schema_users::schema_users;
pub use secrets::random;

use std::time::Duration;

use super::observed::{Observed, SchemaKnowledge, Version, Workload};
use super::situation::{COOKIE_LABEL, KRATOS_LABEL, Parsed};
use crate::integrations::database::Answer;
use crate::juju::{self, Agent, CharmUrl, Context, Scope, Status, StatusKind};
use crate::kratos::Place;
use crate::kratos::program::command::Kratos;
use crate::migration;
use crate::pebble::Client;
use juju_data::{absent_if_gone, resource};

/// The resource in metadata.yaml with the body of verification mails.
const VERIFICATION_TEMPLATE: &str = "verification-email-template";

/// Reads the world for one dispatch, and what of it had to be parsed in order to know what to read.
pub async fn observe(
    agent: &Agent,
    pebble: &Client,
    context: Context,
    place: Place,
) -> juju::Result<(Observed, Parsed)> {
    let mut observed = read_cheap(agent, pebble, context, place).await?;
    let kratos = Kratos::Workload(pebble.clone());
    if needs::version(&observed)
        && let Workload::Reachable(container) = &mut observed.workload
    {
        container.version = match kratos.version().await {
            Ok(version) => Version::Known(version),
            Err(error) => Version::Unknown(error.to_string()),
        };
    }
    let parsed = Parsed::new(&observed);
    if parsed.options.as_ref().is_ok_and(|options| options.enable_verification) {
        observed.verification_template = resource(agent, VERIFICATION_TEMPLATE).await?;
    }
    if needs::schema(&observed, &parsed) {
        survey(&kratos, &mut observed, &parsed).await;
    }
    Ok((observed, parsed))
}

async fn read_cheap(
    agent: &Agent,
    pebble: &Client,
    context: Context,
    place: Place,
) -> juju::Result<Observed> {
    let (config, is_leader, databases, peers, cookie_secret, kratos_secrets, opened_ports, status, workload) = tokio::join!(
        agent.config_get(),
        agent.is_leader(),
        relations::database_ids(agent, &context),
        relations::peer_ids(agent, &context),
        secrets::stored(agent, COOKIE_LABEL),
        secrets::stored(agent, KRATOS_LABEL),
        agent.opened_ports(),
        agent.status_get(Scope::Unit),
        workload::workload(pebble, &place),
    );
    let is_leader = is_leader?;
    Ok(Observed {
        is_leader,
        config: config?,
        peers: relations::peers(agent, &context, peers?).await?,
        databases: relations::databases(agent, &context, databases?, is_leader).await?,
        relations: relations::others(agent, &context, is_leader).await?,
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
        fence: None,
        migration: None,
        migration_took: Duration::ZERO,
        cluster: None,
        charm: CharmUrl::read(&context.charm_dir),
        context,
        place,
    })
}

/// Reads the schema of the database in use, as seen from the program in the container.
async fn survey(kratos: &Kratos, observed: &mut Observed, parsed: &Parsed) {
    let (Answer::Ready(dsn), Some(version)) = (&parsed.database, observed.version()) else { return };
    match migration::survey(kratos, version, dsn).await {
        Ok(survey) => {
            observed.program = Some(survey.program);
            observed.schema = SchemaKnowledge::Known(survey.schema);
            observed.fence = survey.fence;
        }
        Err(error) => observed.schema = SchemaKnowledge::Unknown(error.to_string()),
    }
}
