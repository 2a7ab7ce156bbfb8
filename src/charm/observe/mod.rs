//! observe: reads everything that a decision can need, once.
//!
//! What costs little is always read, at the same time. The program's version and the database's schema cost a process in the
//! workload, Kubernetes a connection: they are asked for only when a decision depends on them ([`needs`]). [`observe`] reads
//! what an action or a migration works with, [`fn@cluster`] and [`fn@schema_users`] what depends on how those ended.

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

use super::observed::{ConfigMaps, Observed, Reading, SchemaKnowledge, Version, Workload};
use super::situation::{COOKIE_LABEL, KRATOS_LABEL, Parsed};
use crate::integrations::database::Answer;
use crate::juju::{self, Agent, CharmUrl, Context, Scope, Status, StatusKind};
use crate::kratos::Place;
use crate::kratos::program::command::Kratos;
use crate::kubernetes::Connection;
use crate::migration;
use crate::pebble::Client;
use juju_data::{absent_if_gone, resource};
use relations::Relations;

/// The resource in metadata.yaml with the body of verification mails.
const VERIFICATION_TEMPLATE: &str = "verification-email-template";

/// Whom a dispatch asks.
pub struct Sources<'a> {
    pub agent: &'a Agent,
    pub pebble: &'a Client,
    /// `None`: there is no Kubernetes.
    pub kubernetes: Option<&'a mut Connection>,
}

/// What was observed, and what of it had to be parsed in order to know what to read.
pub struct Seen {
    pub observed: Observed,
    pub parsed: Parsed,
    /// The ConfigMaps, where reading them early was worth it.
    pub config_maps: Reading<ConfigMaps>,
}

/// Reads the world for one dispatch; `is_program_asked` as in [`Observed`].
pub async fn observe(
    sources: Sources<'_>,
    context: Context,
    place: Place,
    is_program_asked: bool,
) -> juju::Result<Seen> {
    let Sources { agent, pebble, .. } = sources;
    let (mut observed, config_maps) = read_cheap(sources, context, place, is_program_asked).await?;
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
    if needs::fence(&observed, &parsed)
        && let Answer::Ready(dsn) = &parsed.database
    {
        match migration::fence_holder(dsn).await {
            Ok(holder) => observed.fence = holder,
            Err(error) => tracing::warn!("cannot tell whether a write fence is up: {error}"),
        }
    }
    Ok(Seen { observed, parsed, config_maps })
}

async fn read_cheap(
    sources: Sources<'_>,
    context: Context,
    place: Place,
    is_program_asked: bool,
) -> juju::Result<(Observed, Reading<ConfigMaps>)> {
    let Sources { agent, pebble, kubernetes } = sources;
    let relations = async {
        let (is_leader, numbers) = tokio::join!(agent.is_leader(), relations::numbers(agent, &context));
        let (is_leader, numbers) = (is_leader?, numbers?);
        let reader = relations::Reader { agent, context: &context, is_leader, is_program_asked };
        Ok((is_leader, reader.read(numbers).await?))
    };
    let workload = async {
        let workload = workload::workload(pebble, &place).await;
        let config_maps = match kubernetes {
            Some(connection) if needs::config_maps_early(&context.event, &workload) => {
                cluster::config_maps(connection, context.unit.application()).await
            }
            _ => Reading::NotAsked,
        };
        (workload, config_maps)
    };
    let (relations, config, cookie_secret, kratos_secrets, opened_ports, status, (workload, config_maps)) = tokio::join!(
        relations,
        agent.config_get(),
        secrets::stored(agent, COOKIE_LABEL),
        secrets::stored(agent, KRATOS_LABEL),
        agent.opened_ports(),
        agent.status_get(Scope::Unit),
        workload,
    );
    let (is_leader, Relations { peers, databases, others }) = relations?;
    let observed = Observed {
        is_leader,
        is_program_asked,
        config: config?,
        peers,
        databases,
        relations: others,
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
        is_verdict_accepted: false,
        migration_took: Duration::ZERO,
        waived_units: Vec::new(),
        cluster: None,
        charm: CharmUrl::read(&context.charm_dir),
        context,
        place,
    };
    Ok((observed, config_maps))
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
