//! The event for which Juju started this process.
//!
//! Given the environment of a hook, [`Event::from_environment`] reads the kind of the event from the dispatch path and
//! its details from the variables that belong to that kind. A name that is not known is an event too: after a
//! rollback Juju may deliver events that only the newer charm or agent knew, and they must pass quietly.

mod read;

use std::path::PathBuf;

use super::secret_uri::SecretUri;
use super::types::{RelationId, UnitName};

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Install,
    Start,
    ConfigChanged,
    UpgradeCharm,
    Stop,
    Remove,
    UpdateStatus,
    LeaderElected,
    /// Up to Juju 3.x.
    LeaderSettingsChanged,
    /// Up to Juju 3.x.
    CollectMetrics,
    /// Up to Juju 3.5.
    MeterStatusChanged,
    /// Up to Juju 3.x.
    PreSeriesUpgrade,
    /// Up to Juju 3.x.
    PostSeriesUpgrade,
    Relation(RelationEvent),
    Workload(WorkloadEvent),
    Secret(SecretEvent),
    Storage(StorageEvent),
    Action(ActionEvent),
    /// A hook that this charm does not know, or not well enough, by its name.
    Unknown(String),
}

/// Something happened on a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationEvent {
    pub kind: RelationEventKind,
    /// The endpoint on our side.
    pub endpoint: String,
    pub id: RelationId,
    /// The application on the other side; may be absent in late hooks.
    pub app: Option<String>,
    /// The remote unit; absent in created, broken and in a change of the application databag.
    pub unit: Option<UnitName>,
    /// The unit that leaves, which may be our own; only in departed.
    pub departing_unit: Option<UnitName>,
}

/// The steps in the life of a relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelationEventKind {
    Created,
    Joined,
    Changed,
    Departed,
    Broken,
}

/// Something happened in a workload container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadEvent {
    pub container: String,
    pub kind: WorkloadEventKind,
}

/// What a container can report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkloadEventKind {
    /// Pebble answers, for the first time or again after a restart.
    Ready,
    /// A Pebble notice of `notice_type` (so far always `custom`) with `key`.
    CustomNotice { id: String, notice_type: String, key: String },
    /// The Pebble check of that name has failed as often as its threshold says.
    CheckFailed { check: String },
    /// The Pebble check of that name passes again.
    CheckRecovered { check: String },
}

/// Something happened to a secret that this unit owns or has read.
#[derive(Debug, Clone, PartialEq)]
pub struct SecretEvent {
    pub kind: SecretEventKind,
    pub uri: SecretUri,
    /// Our own label of the secret, if it was ever given one.
    pub label: Option<String>,
    /// The revision concerned; only in expired and remove.
    pub revision: Option<u64>,
}

/// What can happen to a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretEventKind {
    Changed,
    Expired,
    Remove,
    Rotate,
}

/// A storage came or goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageEvent {
    pub kind: StorageEventKind,
    /// The storage's name in the charm's metadata.
    pub storage: String,
    /// The instance, such as `data/0`.
    pub id: String,
    /// Where it is mounted, if Juju says so.
    pub location: Option<PathBuf>,
}

/// What can happen to a storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageEventKind {
    Attached,
    Detaching,
}

/// An action that a user runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionEvent {
    pub name: String,
    /// The task's id as in `juju show-task`: a small number such as `4`.
    pub uuid: String,
}

impl Event {
    /// The relation that is being broken by this event. Its data no longer counts.
    pub fn broken_relation(&self) -> Option<&RelationId> {
        match self {
            Self::Relation(event) if event.kind == RelationEventKind::Broken => Some(&event.id),
            _ => None,
        }
    }
}
