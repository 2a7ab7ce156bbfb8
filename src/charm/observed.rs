//! `Observed`: everything that a decision can need, as plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::cluster::Cluster;
use super::facts::workload_version;
use super::schemas::SchemaUsers;
use super::secrets::{Content, Stored};
use crate::integrations::Relation;
use crate::integrations::database::{Answer, DatabaseRelation, database_name};
use crate::integrations::peers::PeerRelation;
use crate::juju::{CharmUrl, Context, Port, Status};
use crate::kratos::facts::options::{InvalidOption, Options};
use crate::kratos::names::CA_PATH;
use crate::kratos::{Place, WorkloadVersion};
use crate::migration::{Outcome, ProgramMigrations, Schema};
use crate::pebble::{CheckInfo, Plan, ServiceInfo, ServiceStatus};

/// The world as one dispatch sees it.
#[derive(Clone, Debug)]
pub struct Observed {
    pub context: Context,
    /// The charm that runs; `None`: Juju's agent did not note it.
    pub charm: Option<CharmUrl>,
    pub place: Place,
    pub is_leader: bool,
    /// What `config-get` gave.
    pub config: BTreeMap<String, Value>,
    pub peers: Option<PeerRelation>,
    /// By relation number, without a relation that is being broken.
    pub databases: Vec<DatabaseRelation>,
    /// All other relations but those of peers, by endpoint and number, without one that is being broken.
    pub relations: Vec<Relation>,
    pub cookie_secret: Stored,
    /// Those of `secrets.default` and `secrets.cipher`.
    pub kratos_secrets: Stored,
    /// Random values for the secrets, should the leader have to make them.
    pub fresh_secrets: Content,
    /// Whether this dispatch has put new values into them.
    pub has_rotated: bool,
    /// The resource `verification-email-template`, if it is wanted, there and not empty.
    pub verification_template: Option<String>,
    pub opened_ports: BTreeSet<Port>,
    pub status: Status,
    pub workload: Workload,
    /// The migrations that the program carries, if it was asked for them.
    pub program: Option<ProgramMigrations>,
    pub schema: SchemaKnowledge,
    pub schema_users: SchemaUsers,
    /// Who raised the write fence that is up in the database, if it is one of ours and the schema was asked for.
    pub fence: Option<String>,
    /// What a migration in this dispatch ended with.
    pub migration: Option<Outcome>,
    /// How long it took.
    pub migration_took: Duration,
    /// What Kubernetes told; `None`: there is none.
    pub cluster: Option<Cluster>,
}

/// The workload container.
#[derive(Clone, Debug)]
pub enum Workload {
    /// Its Pebble does not answer.
    Unreachable,
    /// Its Pebble answers what this charm cannot work with: the reason.
    Unusable(String),
    Reachable(Container),
}

/// What the container's Pebble tells.
#[derive(Clone, Debug, Default)]
pub struct Container {
    pub plan: Plan,
    pub services: Vec<ServiceInfo>,
    pub checks: Vec<CheckInfo>,
    /// The files that the charm owns, by their path in the container; `None`: not there.
    pub files: BTreeMap<String, Option<Vec<u8>>>,
    pub version: Version,
}

/// The version of the Kratos program in the container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// Nothing depends on it in this dispatch.
    #[default]
    NotAsked,
    Known(WorkloadVersion),
    /// The program did not tell: the reason.
    Unknown(String),
}

/// What is known of the database's schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaKnowledge {
    /// Nothing depends on it in this dispatch.
    NotAsked,
    Known(Schema),
    /// The database or the program did not tell: the reason.
    Unknown(String),
}

impl Container {
    /// What a service does; `None`: the plan has none of that name.
    pub fn service(&self, name: &str) -> Option<&ServiceStatus> {
        self.services.iter().find(|service| service.name == name).map(|service| &service.current)
    }
}

impl Observed {
    /// The options, or the one that cannot be used.
    pub fn options(&self) -> Result<Options, InvalidOption> {
        Options::parse(self.application(), &self.config, workload_version(self).as_ref())
    }

    /// The name of this application.
    pub fn application(&self) -> &str {
        self.context.unit.application()
    }

    /// The database relation in use: the oldest one, until it is removed.
    pub fn database(&self) -> Option<&DatabaseRelation> {
        self.databases.first()
    }

    /// The relations of an endpoint, by their numbers.
    pub fn related(&self, endpoint: &str) -> impl Iterator<Item = &Relation> {
        self.relations.iter().filter(move |relation| relation.id.endpoint() == endpoint)
    }

    /// The database name that this application asks for.
    pub fn requested_database(&self) -> String {
        database_name(&self.context.model, self.application())
    }

    /// What the provider of the database in use answered.
    pub fn answer(&self) -> Answer {
        match self.database() {
            Some(relation) => relation.answer(&self.requested_database(), &self.place.path(CA_PATH)),
            None => Answer::Absent,
        }
    }

    /// The container, if it can be worked with.
    pub fn container(&self) -> Option<&Container> {
        match &self.workload {
            Workload::Reachable(container) => Some(container),
            Workload::Unreachable | Workload::Unusable(_) => None,
        }
    }

    /// The workload's version, where it is known.
    pub fn version(&self) -> Option<&WorkloadVersion> {
        match &self.container()?.version {
            Version::Known(version) => Some(version),
            Version::NotAsked | Version::Unknown(_) => None,
        }
    }

    /// The version that the peer record names for the database in use.
    pub fn recorded_version(&self) -> Option<String> {
        self.peers.as_ref()?.migrated_version(&self.database()?.id)
    }

    /// Whether nothing is pending: by the schema or, for a program that cannot tell, by its success in this
    /// dispatch or an earlier one.
    pub fn is_migrated(&self) -> bool {
        let SchemaKnowledge::Known(schema) = &self.schema else { return false };
        let is_trusted = || {
            matches!(self.migration, Some(Ok(_)))
                || self.version().is_some_and(|version| self.recorded_version() == Some(version.to_string()))
        };
        schema.is_current() || (schema.pending.is_none() && !schema.is_newer() && is_trusted())
    }
}
