//! `Observed`: everything that a decision can need, as plain data.
//!
//! [`observe`](super::observe) fills it. Afterwards it does not change: what an action or a migration did in this dispatch
//! comes as [`Effects`], from which and the former facts [`Observed::after`] makes new ones.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use crate::integrations::Relation;
use crate::integrations::database::DatabaseRelation;
use crate::integrations::peers::PeerRelation;
use crate::juju::{CharmUrl, Context, Port, Status};
use crate::kratos::names::{ALIVE, READY};
use crate::kratos::{Place, Secret, WorkloadVersion};
use crate::kubernetes::{ConfigMap, Error, StatefulSet};
use crate::migration::{Outcome, ProgramMigrations, Schema};
use crate::pebble::{CheckInfo, CheckStatus, Plan, ServiceInfo, ServiceStatus};

/// The world as one dispatch sees it.
#[derive(Clone, Debug)]
pub struct Observed {
    pub context: Context,
    /// Whether an action works with the program and the schema of the database, also where nothing else depends on them.
    pub is_program_asked: bool,
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
    pub cookie_secret: StoredSecret,
    /// The values of `secrets.default` and `secrets.cipher`.
    pub kratos_secrets: StoredSecret,
    /// Random values for the secrets, should the leader have to make them.
    pub fresh_secrets: SecretValues,
    /// Whether this dispatch has put new values into the secrets.
    pub has_rotated: bool,
    /// The resource `verification-email-template`, if it is wanted, attached and not empty.
    pub verification_template: Option<String>,
    pub opened_ports: BTreeSet<Port>,
    pub status: Status,
    pub workload: Workload,
    /// The migrations that the program carries, if it was asked for them.
    pub program: Option<ProgramMigrations>,
    pub schema: SchemaKnowledge,
    /// Who raised the write fence that is up in the database, if it is one of ours and was looked for.
    pub fence: Option<String>,
    /// What a migration in this dispatch ended with.
    pub migration: Option<Outcome>,
    /// Whether a person accepted in this dispatch what an earlier migration had found.
    pub is_verdict_accepted: bool,
    /// How long the migration took.
    pub migration_took: Duration,
    /// The units of another Kratos without which it went on, as a person said.
    pub waived_units: Vec<String>,
    /// What the API of Kubernetes answered; `None`: there is no Kubernetes.
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

/// What the container's Pebble answers.
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
    /// The program did not answer: the reason.
    Unknown(String),
}

/// What is known of the database's schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaKnowledge {
    /// Nothing depends on it in this dispatch.
    NotAsked,
    Known(Schema),
    /// The database or the program did not answer: the reason.
    Unknown(String),
}

/// A secret of this application, as far as this unit can read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredSecret {
    /// It was not made yet.
    Absent,
    /// It exists, but cannot be used: the reason.
    Unreadable(String),
    Ready(SecretValues),
}

/// The values of a secret by their keys.
pub type SecretValues = BTreeMap<String, Secret>;

/// What the API of Kubernetes answered in this dispatch.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    /// The namespace of the pod; `None`: its service account does not name it.
    pub namespace: Option<String>,
    pub config_maps: Reading<ConfigMaps>,
    pub stateful_set: Reading<StatefulSet>,
}

/// An answer of the API.
#[derive(Clone, Debug, Default)]
pub enum Reading<T> {
    /// Nothing depends on it in this dispatch.
    #[default]
    NotAsked,
    Known(T),
    Unknown(Error),
}

/// Both ConfigMaps.
#[derive(Clone, Debug)]
pub struct ConfigMaps {
    pub schemas: ConfigMap,
    pub providers: ConfigMap,
}

/// What an action or a migration did in this dispatch.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    pub migration: Option<MigrationRun>,
    /// The secrets with new values.
    pub cookie_secret: Option<SecretValues>,
    pub kratos_secrets: Option<SecretValues>,
    pub has_rotated: bool,
    /// Whether the write fence that was up is lifted.
    pub is_fence_lifted: bool,
    /// Whether the recorded verdict on the database is accepted.
    pub is_verdict_accepted: bool,
}

/// A migration that was tried.
#[derive(Clone, Debug)]
pub struct MigrationRun {
    pub outcome: Outcome,
    pub took: Duration,
    /// The services after it, which it may have stopped; `None`: Pebble did not answer.
    pub services: Option<Vec<ServiceInfo>>,
    /// The same for the checks.
    pub checks: Option<Vec<CheckInfo>>,
    /// Units of another Kratos that a person waived.
    pub waived: Vec<String>,
    /// The status that was set meanwhile.
    pub shown: Option<Status>,
}

impl<T> Reading<T> {
    /// The answer, if there is one.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(known) => Some(known),
            Self::NotAsked | Self::Unknown(_) => None,
        }
    }

    /// Why there is none.
    pub fn error(&self) -> Option<&Error> {
        match self {
            Self::Unknown(error) => Some(error),
            Self::NotAsked | Self::Known(_) => None,
        }
    }
}

impl<T> From<Result<T, Error>> for Reading<T> {
    fn from(result: Result<T, Error>) -> Self {
        match result {
            Ok(known) => Self::Known(known),
            Err(error) => Self::Unknown(error),
        }
    }
}

impl Container {
    /// What a service does; `None`: the plan has none of that name.
    pub fn service(&self, name: &str) -> Option<&ServiceStatus> {
        self.services.iter().find(|service| service.name == name).map(|service| &service.current)
    }

    /// The charm's checks that Pebble performs.
    pub fn running_checks(&self) -> Vec<&str> {
        self.own_checks()
            .filter(|check| check.status != CheckStatus::Inactive)
            .map(|check| &*check.name)
            .collect()
    }

    /// Whether one of the charm's checks was stopped.
    pub fn has_stopped_check(&self) -> bool {
        self.own_checks().any(|check| check.status == CheckStatus::Inactive)
    }

    fn own_checks(&self) -> impl Iterator<Item = &CheckInfo> {
        self.checks.iter().filter(|check| [READY, ALIVE].contains(&check.name.as_str()))
    }

    /// The content of a file that the charm owns, if the file is there.
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).and_then(Option::as_deref)
    }
}

impl Observed {
    /// The facts after an action or a migration.
    #[must_use]
    pub fn after(mut self, effects: Effects) -> Self {
        let Effects {
            migration,
            cookie_secret,
            kratos_secrets,
            has_rotated,
            is_fence_lifted,
            is_verdict_accepted,
        } = effects;
        if let Some(MigrationRun { outcome, took, services, checks, waived, shown }) = migration {
            if let Workload::Reachable(container) = &mut self.workload {
                container.services = services.unwrap_or(std::mem::take(&mut container.services));
                container.checks = checks.unwrap_or(std::mem::take(&mut container.checks));
            }
            if let Ok(report) = &outcome {
                // A run that leaves a fence up has not ended well.
                self.fence = None;
                self.schema = SchemaKnowledge::Known(report.schema.clone());
            }
            self.status = shown.unwrap_or(self.status);
            self.migration = Some(outcome);
            self.migration_took = took;
            self.waived_units = waived;
        }
        self.cookie_secret = cookie_secret.map_or(self.cookie_secret, StoredSecret::Ready);
        self.kratos_secrets = kratos_secrets.map_or(self.kratos_secrets, StoredSecret::Ready);
        self.has_rotated |= has_rotated;
        self.is_verdict_accepted |= is_verdict_accepted;
        if is_fence_lifted {
            self.fence = None;
        }
        self
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

    /// The container, if it can be worked with.
    pub fn container(&self) -> Option<&Container> {
        match &self.workload {
            Workload::Reachable(container) => Some(container),
            Workload::Unreachable | Workload::Unusable(_) => None,
        }
    }

    /// The workload's version, where the program was asked and answered.
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

    /// The namespace in which the ConfigMaps are.
    pub fn namespace(&self) -> &str {
        let namespace = self.cluster.as_ref().and_then(|cluster| cluster.namespace.as_deref());
        namespace.unwrap_or(&self.context.model)
    }

    /// The ConfigMaps, if they were read.
    pub fn config_maps(&self) -> Option<&ConfigMaps> {
        self.cluster.as_ref()?.config_maps.known()
    }
}
