//! `kratos-peers`: what the units of one application tell each other.
//!
//! Keys and encodings are the Python charm's (values are JSON strings), so a refresh takes them over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::runs::{self, Run};
use crate::juju::{Databag, RelationId, UnitName};

/// The endpoint's name in metadata.yaml.
pub const ENDPOINT: &str = "kratos-peers";
/// Which unit leads. Written at a change of leadership so that the former leader hears of it.
const LEADER: &str = "leader";
/// The workload version of a unit, in its own databag.
pub const WORKLOAD_VERSION: &str = "workload_version";
/// Followed by the number of the database relation: the workload version that migrated it last.
const MIGRATION_VERSION: &str = "migration_version_";
/// Followed by the same number: a verdict on that database that a person has not accepted yet.
const MIGRATION_VERDICT: &str = "migration_verdict_";

/// The last runs of the migration, see [`runs`](super::runs).
pub const MIGRATION_RUNS: &str = "migration_runs";

/// How often secrets were rotated: its change tells the other units to read them again.
const ROTATIONS: &str = "secret_rotations";

/// The identity schemas that Kratos is told, for units whose container is new: a JSON object of URLs by id.
const IDENTITY_SCHEMAS: &str = "identity_schemas";

/// Says that limits of the workload container were set in Kubernetes, so that somebody looks for them once they are
/// unset.
pub const RESOURCE_LIMITS: &str = "resource_limits";

/// What a run found in a database although nothing is pending there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The kind of the failure.
    pub kind: String,
    /// What was found, for people.
    pub reason: String,
}

/// The peer relation, seen from one unit.
#[derive(Clone, Debug)]
pub struct PeerRelation {
    pub id: RelationId,
    /// The application databag.
    pub application: Databag,
    /// This unit's databag.
    pub unit: Databag,
    /// The workload version that each other unit published; `None`: nothing yet. Read for actions that work with the program only.
    pub others: BTreeMap<UnitName, Option<String>>,
}

impl PeerRelation {
    /// The version recorded for a database relation; bare text of other writers is accepted.
    pub fn migrated_version(&self, database: &RelationId) -> Option<String> {
        self.application.get(&migration_key(database)).map(|value| decode(value))
    }

    /// The verdict on the database of a relation; text of other writers is none.
    pub fn verdict(&self, database: &RelationId) -> Option<Verdict> {
        serde_json::from_str(self.application.get(&verdict_key(database))?).ok()
    }

    /// What the leader writes so that [`Self::verdict`] tells this.
    pub fn record_verdict(
        database: &RelationId,
        verdict: Option<&Verdict>,
    ) -> BTreeMap<String, Option<String>> {
        BTreeMap::from([(
            verdict_key(database),
            verdict.map(|verdict| serde_json::json!(verdict).to_string()),
        )])
    }

    /// The workload version that this unit published last.
    pub fn workload_version(&self) -> Option<&String> {
        self.unit.get(WORKLOAD_VERSION)
    }

    /// Whether limits of the workload container were set.
    pub fn has_resource_limits(&self) -> bool {
        self.application.contains_key(RESOURCE_LIMITS)
    }

    /// The last runs of the migration, newest last.
    pub fn runs(&self) -> Vec<Run> {
        self.application.get(MIGRATION_RUNS).map_or_else(Vec::new, |text| runs::decode(text))
    }

    /// The URLs of the identity schemas that the leader told Kratos last, by their ids.
    pub fn identity_schemas(&self) -> BTreeMap<String, String> {
        let text = self.application.get(IDENTITY_SCHEMAS);
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// What the leader writes so that [`Self::identity_schemas`] tells these.
    pub fn publish_schemas(urls: &BTreeMap<String, String>) -> BTreeMap<String, Option<String>> {
        BTreeMap::from([(IDENTITY_SCHEMAS.to_owned(), Some(serde_json::json!(urls).to_string()))])
    }

    /// What the leader writes after it has put new values into the secrets. Juju tells an owner's units of no new revision.
    pub fn rotated(&self) -> BTreeMap<String, Option<String>> {
        let before = self.application.get(ROTATIONS).and_then(|text| decode(text).parse::<u64>().ok());
        let now = before.unwrap_or_default().saturating_add(1);
        BTreeMap::from([(ROTATIONS.to_owned(), Some(encode(&now.to_string())))])
    }

    /// What the leader writes into the application databag: who leads, and the version of each migrated
    /// database. `None` deletes: records of databases that are gone.
    pub fn record(
        &self,
        leader: &UnitName,
        databases: &[RelationId],
        migrated: Option<(&RelationId, &str)>,
    ) -> BTreeMap<String, Option<String>> {
        let mut keys = BTreeMap::from([(LEADER.to_owned(), Some(encode(&leader.to_string())))]);
        let live: Vec<String> =
            databases.iter().flat_map(|id| [migration_key(id), verdict_key(id)]).collect();
        for key in self.application.keys() {
            let is_of_database =
                [MIGRATION_VERSION, MIGRATION_VERDICT].iter().any(|begin| key.starts_with(begin));
            if is_of_database && !live.contains(key) {
                keys.insert(key.clone(), None);
            }
        }
        if let Some((database, version)) = migrated {
            keys.insert(migration_key(database), Some(encode(version)));
        }
        keys
    }
}

fn migration_key(database: &RelationId) -> String {
    format!("{MIGRATION_VERSION}{}", database.number())
}

fn verdict_key(database: &RelationId) -> String {
    format!("{MIGRATION_VERDICT}{}", database.number())
}

fn encode(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn decode(text: &str) -> String {
    serde_json::from_str(text).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers(pairs: &[(&str, &str)]) -> PeerRelation {
        PeerRelation {
            id: "kratos-peers:0".parse().unwrap(),
            application: pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            unit: Databag::new(),
            others: BTreeMap::new(),
        }
    }

    #[test]
    fn weakness_35_the_record_is_in_the_format_of_the_python_charm_without_what_is_gone() {
        let database: RelationId = "pg-database:3".parse().unwrap();
        let leader: UnitName = "kratos/1".parse().unwrap();
        let peers = peers(&[("migration_version_2", "\"v1.3.1\""), ("leader", "\"kratos/0\"")]);
        let record = peers.record(&leader, std::slice::from_ref(&database), Some((&database, "v26.2.0")));
        let expected = [
            ("leader", Some("\"kratos/1\"")),
            ("migration_version_2", None),
            ("migration_version_3", Some("\"v26.2.0\"")),
        ];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.map(str::to_owned)));
        assert_eq!(record, BTreeMap::from(expected));
    }

    #[test]
    fn a_verdict_is_that_of_one_database_and_goes_with_it() {
        let [older, newer]: [RelationId; 2] =
            ["pg-database:3", "pg-database:4"].map(|id| id.parse().unwrap());
        let verdict = Verdict { kind: "lost-rows".to_owned(), reason: "1 row less".to_owned() };
        let text =
            PeerRelation::record_verdict(&older, Some(&verdict))["migration_verdict_3"].clone().unwrap();
        let peers = peers(&[("migration_verdict_3", &text), ("migration_verdict_4", "7")]);
        assert_eq!((peers.verdict(&older), peers.verdict(&newer)), (Some(verdict), None));
        let keys = peers.record(&"kratos/0".parse().unwrap(), &[newer], None);
        assert_eq!(keys["migration_verdict_3"], None);
        assert!(!keys.contains_key("migration_verdict_4"));
    }

    #[test]
    fn records_of_any_writer_are_read() {
        let database: RelationId = "pg-database:3".parse().unwrap();
        for text in ["\"v26.2.0\"", "v26.2.0"] {
            assert_eq!(
                peers(&[("migration_version_3", text)]).migrated_version(&database).unwrap(),
                "v26.2.0"
            );
        }
        assert_eq!(peers(&[]).migrated_version(&database), None);
    }
}
