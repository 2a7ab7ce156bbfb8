//! `Situation`: what was observed, understood. Every rule that decides something is given it.
//!
//! [`Parsed`] holds the raw data of options and relations as types and is needed first, because it decides what else has to
//! be read. [`Situation::new`] adds what follows from all of it: secrets, facts for Kratos, the rendered configuration,
//! blockers and warnings. Each is worked out once in a dispatch. Nothing here does I/O.

mod blockers;
mod cluster;
mod facts;
mod limits;
mod migrated;
mod notices;
mod parsed;
mod rejections;
mod schemas;
mod secrets;
mod services;
mod verdict;
mod warnings;
mod way_back;

pub use blockers::local as local_blockers;
pub use cluster::{ClusterProblem, due_limits, not_created, patch_failed, rolling};
pub use facts::{KratosSettings, is_courier_wanted};
pub use migrated::{emptied, is_migrated};
pub use notices::{Notice, Notices};
pub use parsed::Parsed;
pub use rejections::rejection;
pub use schemas::{SchemaChanges, SchemaUsers, Urls, last_told};
pub use secrets::{
    CIPHER_KEY, COOKIE_KEY, COOKIE_LABEL, DEFAULT_KEY, DesiredSecret, KRATOS_LABEL, missing_secrets, renew,
    values,
};
pub use services::{is_active, is_unready};
pub use verdict::{Held, held, recorded};
pub use way_back::{way_back, way_back_command};

use super::observed::Observed;
use crate::integrations::Publication;
use crate::integrations::topology::Topology;
use crate::juju::Status;
use crate::kratos::render::stored::ConfigMapNames;
use facts::StoredData;
use warnings::{WarningFacts, warnings};

/// Everything that is known in one dispatch.
pub struct Situation<'a> {
    pub observed: &'a Observed,
    pub parsed: Parsed,
    /// `None`: the model has no UUID.
    pub topology: Option<Topology>,
    /// What others stored in ConfigMaps for Kratos.
    pub stored: StoredData,
    /// What Kratos is configured with; `None`: options, database or secrets are not known.
    pub kratos: Option<KratosSettings>,
    pub schema_changes: SchemaChanges,
    /// What keeps the charm from (re)starting the services, in the order of their rows in docs/behaviour.md.
    pub blockers: Vec<Status>,
    /// What is wrong although the services are configured and run, the first of equals first.
    pub warnings: Vec<Status>,
    /// What Kubernetes refuses or has not done yet, but for the trust that it does not give.
    cluster_problems: Vec<ClusterProblem>,
    /// What the next dispatch has to ask Kubernetes again for these reasons.
    pub notices: Vec<Notice>,
}

impl<'a> Situation<'a> {
    /// Understands what was observed; of no identity schema it is known whether identities use it.
    pub fn new(observed: &'a Observed, parsed: Parsed) -> Self {
        let stored = StoredData::read(observed, &parsed);
        let kratos = KratosSettings::new(observed, &parsed, &stored);
        let schema_changes = SchemaChanges::new(observed, kratos.as_ref());
        let cluster_problems = cluster::problems(observed, &parsed);
        let trust = cluster::trust(observed);
        let notices = trust.iter().chain(&cluster_problems).flat_map(|problem| problem.notices.clone());
        let notices = notices.collect();
        let mut blockers: Vec<Status> = trust.into_iter().map(|problem| problem.status).collect();
        blockers.extend(local_blockers(observed, &parsed));
        blockers.extend(cluster::unread(observed, &parsed, &stored));
        let situation = Self {
            observed,
            topology: Topology::new(&observed.context),
            parsed,
            stored,
            kratos,
            schema_changes,
            blockers,
            warnings: Vec::new(),
            cluster_problems,
            notices,
        };
        situation.with_schema_users(SchemaUsers::NotAsked)
    }

    /// The same with what the database answered about the identity schemas that would go or change.
    #[must_use]
    pub fn with_schema_users(mut self, users: SchemaUsers) -> Self {
        self.schema_changes.users = users;
        self.warnings = warnings(&WarningFacts {
            observed: self.observed,
            parsed: &self.parsed,
            stored: &self.stored,
            kratos: self.kratos.as_ref(),
            schema_changes: &self.schema_changes,
            cluster_problems: &self.cluster_problems,
        });
        self
    }

    /// The ids of the identity schemas whose users have to be counted, because they would go or change. None while nothing
    /// is configured.
    pub fn schemas_in_question(&self) -> Vec<&str> {
        if self.blockers.is_empty() { self.schema_changes.ids() } else { Vec::new() }
    }

    /// The names of the ConfigMaps for identity schemas and for OIDC providers. `None`: they were not read in this dispatch,
    /// so what was published of them stays true.
    pub fn config_map_names(&self) -> Option<ConfigMapNames<'a>> {
        cluster::config_map_names(self.observed)
    }

    /// What databags may hold.
    pub fn publication(&self) -> Publication<'_> {
        Publication {
            model: &self.observed.context.model,
            unit: &self.observed.context.unit,
            topology: self.topology.as_ref(),
            related: &self.parsed.related,
            options: self.parsed.options.as_ref().ok(),
            config_maps: self.config_map_names(),
            features: self.kratos.as_ref().map(|kratos| &kratos.features),
        }
    }
}
