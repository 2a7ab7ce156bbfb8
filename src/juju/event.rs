//! The event for which Juju started this process.
//!
//! Given the environment of a hook, [`Event::from_environment`] reads the kind of the event from the dispatch path and
//! its details from the variables that belong to that kind. A name that is not known is an event too: after a
//! rollback Juju may deliver events that only the newer charm or agent knew, and they must pass quietly.

use std::fmt;
use std::path::PathBuf;

use super::environment::Environment;
use super::error::Result;
use super::secret_uri::SecretUri;
use super::types::{RelationId, UnitName};

const RELATION_ID: &str = "a relation id";
const UNIT_NAME: &str = "a unit name";

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
    /// A hook that this charm does not know, by its name.
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
    /// Reads the event from the variables of a hook.
    ///
    /// Fails if the dispatch path is missing, or a variable that Juju always sets for that kind of event is missing or
    /// cannot be understood; the error names the variable.
    pub fn from_environment(environment: &Environment) -> Result<Self> {
        let path = environment.require("JUJU_DISPATCH_PATH")?;
        let (folder, name) = path.rsplit_once('/').unwrap_or(("hooks", path));
        if folder == "actions" || folder.ends_with("/actions") {
            let uuid = environment.require("JUJU_ACTION_UUID")?.to_owned();
            return Ok(Self::Action(ActionEvent { name: name.to_owned(), uuid }));
        }
        if let Some((_, event)) = PLAIN.iter().find(|(hook, _)| *hook == name) {
            return Ok(event.clone());
        }
        if let Some((_, kind)) = SECRET.iter().find(|(hook, _)| *hook == name) {
            return Ok(Self::Secret(secret(*kind, environment)?));
        }
        if let Some((endpoint, kind)) = by_suffix(&RELATION, name) {
            return Ok(Self::Relation(relation(endpoint, kind, environment)?));
        }
        if let Some((storage, kind)) = by_suffix(&STORAGE, name) {
            let id = environment.require("JUJU_STORAGE_ID")?.to_owned();
            let location = environment.get("JUJU_STORAGE_LOCATION").map(PathBuf::from);
            return Ok(Self::Storage(StorageEvent { kind, storage: storage.to_owned(), id, location }));
        }
        if let Some((container, read)) = by_suffix(&WORKLOAD, name) {
            let kind = read(environment)?;
            return Ok(Self::Workload(WorkloadEvent { container: container.to_owned(), kind }));
        }
        Ok(Self::Unknown(name.to_owned()))
    }

    /// The relation that is being broken by this event. Its data no longer counts.
    pub fn broken_relation(&self) -> Option<&RelationId> {
        match self {
            Self::Relation(event) if event.kind == RelationEventKind::Broken => Some(&event.id),
            _ => None,
        }
    }
}

/// The name of the hook or action, as Juju writes it.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relation(event) => write!(f, "{}{}", event.endpoint, word(&RELATION, event.kind)),
            Self::Storage(event) => write!(f, "{}{}", event.storage, word(&STORAGE, event.kind)),
            Self::Secret(event) => f.write_str(word(&SECRET, event.kind)),
            Self::Workload(event) => write!(f, "{}{}", event.container, event.kind.suffix()),
            Self::Action(event) => f.write_str(&event.name),
            Self::Unknown(name) => f.write_str(name),
            plain => f.write_str(PLAIN.iter().find(|(_, event)| event == plain).map_or("", |(hook, _)| hook)),
        }
    }
}

impl WorkloadEventKind {
    fn suffix(&self) -> &'static str {
        match self {
            Self::Ready => "-pebble-ready",
            Self::CustomNotice { .. } => "-pebble-custom-notice",
            Self::CheckFailed { .. } => "-pebble-check-failed",
            Self::CheckRecovered { .. } => "-pebble-check-recovered",
        }
    }
}

static PLAIN: [(&str, Event); 13] = [
    ("install", Event::Install),
    ("start", Event::Start),
    ("config-changed", Event::ConfigChanged),
    ("upgrade-charm", Event::UpgradeCharm),
    ("stop", Event::Stop),
    ("remove", Event::Remove),
    ("update-status", Event::UpdateStatus),
    ("leader-elected", Event::LeaderElected),
    ("leader-settings-changed", Event::LeaderSettingsChanged),
    ("collect-metrics", Event::CollectMetrics),
    ("meter-status-changed", Event::MeterStatusChanged),
    ("pre-series-upgrade", Event::PreSeriesUpgrade),
    ("post-series-upgrade", Event::PostSeriesUpgrade),
];

static SECRET: [(&str, SecretEventKind); 4] = [
    ("secret-changed", SecretEventKind::Changed),
    ("secret-expired", SecretEventKind::Expired),
    ("secret-remove", SecretEventKind::Remove),
    ("secret-rotate", SecretEventKind::Rotate),
];

static RELATION: [(&str, RelationEventKind); 5] = [
    ("-relation-created", RelationEventKind::Created),
    ("-relation-joined", RelationEventKind::Joined),
    ("-relation-changed", RelationEventKind::Changed),
    ("-relation-departed", RelationEventKind::Departed),
    ("-relation-broken", RelationEventKind::Broken),
];

static STORAGE: [(&str, StorageEventKind); 2] =
    [("-storage-attached", StorageEventKind::Attached), ("-storage-detaching", StorageEventKind::Detaching)];

type ReadWorkload = fn(&Environment) -> Result<WorkloadEventKind>;

static WORKLOAD: [(&str, ReadWorkload); 4] = [
    ("-pebble-ready", |_| Ok(WorkloadEventKind::Ready)),
    ("-pebble-custom-notice", |environment| {
        Ok(WorkloadEventKind::CustomNotice {
            id: environment.require("JUJU_NOTICE_ID")?.to_owned(),
            notice_type: environment.require("JUJU_NOTICE_TYPE")?.to_owned(),
            key: environment.require("JUJU_NOTICE_KEY")?.to_owned(),
        })
    }),
    ("-pebble-check-failed", |environment| Ok(WorkloadEventKind::CheckFailed { check: check(environment)? })),
    ("-pebble-check-recovered", |environment| {
        Ok(WorkloadEventKind::CheckRecovered { check: check(environment)? })
    }),
];

fn check(environment: &Environment) -> Result<String> {
    environment.require("JUJU_PEBBLE_CHECK_NAME").map(str::to_owned)
}

/// Splits a hook name into what comes before a known ending, and the kind that the ending means.
///
/// By ending, because the names of endpoints, storages and containers contain hyphens themselves.
fn by_suffix<'a, K: Copy>(table: &[(&str, K)], name: &'a str) -> Option<(&'a str, K)> {
    table
        .iter()
        .find_map(|(suffix, kind)| Some((name.strip_suffix(suffix)?, *kind)))
        .filter(|(prefix, _)| !prefix.is_empty())
}

fn word<K: Copy + PartialEq>(table: &[(&'static str, K)], kind: K) -> &'static str {
    table.iter().find(|(_, of)| *of == kind).map_or("", |(word, _)| word)
}

fn relation(endpoint: &str, kind: RelationEventKind, environment: &Environment) -> Result<RelationEvent> {
    let unit: Option<UnitName> = environment.parse("JUJU_REMOTE_UNIT", UNIT_NAME)?;
    let app =
        environment.get("JUJU_REMOTE_APP").or(unit.as_ref().map(UnitName::application)).map(str::to_owned);
    Ok(RelationEvent {
        kind,
        endpoint: endpoint.to_owned(),
        id: environment.require_parsed("JUJU_RELATION_ID", RELATION_ID)?,
        app,
        unit,
        departing_unit: environment.parse("JUJU_DEPARTING_UNIT", UNIT_NAME)?,
    })
}

fn secret(kind: SecretEventKind, environment: &Environment) -> Result<SecretEvent> {
    Ok(SecretEvent {
        kind,
        uri: environment.require_parsed("JUJU_SECRET_ID", "a secret URI")?,
        label: environment.get("JUJU_SECRET_LABEL").map(str::to_owned),
        revision: environment.parse("JUJU_SECRET_REVISION", "a revision number")?,
    })
}
