//! `Parsed`: options and relations as types.
//!
//! It needs neither Kubernetes nor the database's schema, so it decides which of these have to be asked.

use super::limits::limits;
use crate::charm::observed::Observed;
use crate::integrations::database::{Answer, database_name};
use crate::integrations::{self, ReadContext, Related};
use crate::kratos::WorkloadVersion;
use crate::kratos::facts::options::{InvalidOption, Options};
use crate::kratos::facts::smtp::Smtp;
use crate::kratos::names::{CA_PATH, KRATOS};
use crate::kratos::render::environment::MAIL_SERVER;
use crate::kubernetes::Limits;

/// What the raw data of one dispatch means.
#[derive(Debug)]
pub struct Parsed {
    /// The workload's version, asked for now or published when it was asked for last.
    pub version: Option<WorkloadVersion>,
    /// The options, or the first that cannot be used.
    pub options: Result<Options, InvalidOption>,
    /// The options `cpu` and `memory`, or the first that cannot be used.
    pub limits: Result<Limits, InvalidOption>,
    /// What the provider of the database in use answered.
    pub database: Answer,
    /// The database name that this application asks for.
    pub database_name: String,
    pub related: Related,
}

impl Parsed {
    /// Parses everything.
    pub fn new(observed: &Observed) -> Self {
        let application = observed.application();
        let published = || WorkloadVersion::parse(observed.peers.as_ref()?.workload_version()?);
        let version = observed.version().cloned().or_else(published);
        let database_name = database_name(&observed.context.model, application);
        let database = observed.database().map_or(Answer::Absent, |relation| {
            relation.answer(&database_name, &observed.place.path(CA_PATH))
        });
        let mail_server = mail_server_in_use(observed);
        let context = ReadContext { version: version.as_ref(), mail_server_in_use: mail_server.as_ref() };
        let related = integrations::read(&observed.relations, context);
        let options = Options::parse(application, &observed.config, version.as_ref());
        let limits = limits(application, &observed.config);
        Self { version, options, limits, database, database_name, related }
    }
}

/// The mail server in the environment of the service.
fn mail_server_in_use(observed: &Observed) -> Option<Smtp> {
    let service = observed.container()?.plan.services.get(KRATOS)?;
    Smtp::parse(service.environment.get(MAIL_SERVER)?)
}
