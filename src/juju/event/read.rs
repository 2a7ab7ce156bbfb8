//! From a hook's name and variables to the event, and back to the name.
//!
//! Given one table per family of hooks, reading and printing use the same words. Names are split by their endings,
//! because the names of endpoints, storages and containers contain hyphens themselves.

use std::fmt;
use std::path::PathBuf;

use super::super::environment::Environment;
use super::super::error::Result;
use super::super::types::UnitName;
use super::{
    ActionEvent, Event, RelationEvent, RelationEventKind, SecretEvent, SecretEventKind, StorageEvent,
    StorageEventKind, WorkloadEvent, WorkloadEventKind,
};

const UNIT_NAME: &str = "a unit name";

impl Event {
    /// Reads the event from the variables of a hook.
    ///
    /// Fails if the dispatch path is missing, or a variable of an action or of a relation that is being broken (whose
    /// data no longer counts) is missing or cannot be understood; the error names the variable. Any other event of which
    /// a detail is missing is unknown: the charm reconciles, as it does after every event.
    pub fn from_environment(environment: &Environment) -> Result<Self> {
        let path = environment.require("JUJU_DISPATCH_PATH")?;
        let (folder, name) = path.rsplit_once('/').unwrap_or(("hooks", path));
        if folder == "actions" || folder.ends_with("/actions") {
            let uuid = environment.require("JUJU_ACTION_UUID")?.to_owned();
            return Ok(Self::Action(ActionEvent { name: name.to_owned(), uuid }));
        }
        match Self::from_hook(name, environment) {
            Err(_) if !name.ends_with(word(&RELATION, RelationEventKind::Broken)) => {
                Ok(Self::Unknown(name.to_owned()))
            }
            read => read,
        }
    }

    fn from_hook(name: &str, environment: &Environment) -> Result<Self> {
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
        id: environment.require_parsed("JUJU_RELATION_ID", "a relation id")?,
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
