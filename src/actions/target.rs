//! What has to be there before an action on the database, each with the command that helps. Pure functions of what
//! was observed.

use super::invocation::Invocation;
use crate::charm::observed::{Observed, Version, Workload};
use crate::integrations::database::Answer;
use crate::integrations::peers::PeerRelation;
use crate::kratos::WorkloadVersion;
use crate::postgres::Dsn;

/// The program and the database that an action works with.
pub struct Target {
    pub version: WorkloadVersion,
    pub dsn: Dsn,
}

/// The program and the database, in the order in which a person would look; `again` is the command to repeat.
pub fn target(invocation: &Invocation<'_>, again: &str) -> Result<Target, String> {
    let Invocation { observed, parsed, .. } = invocation;
    let application = observed.application();
    let container = match &observed.workload {
        Workload::Reachable(container) => container,
        Workload::Unreachable => {
            return Err(format!(
                "Container is not connected yet: wait until it is (juju status {application}), then {again}"
            ));
        }
        Workload::Unusable(reason) => {
            return Err(format!(
                "Cannot use the container's Pebble: {reason}; see: juju debug-log --include {}",
                observed.context.unit
            ));
        }
    };
    if observed.peers.is_none() {
        return Err(format!(
            "Peer integration is not ready: wait until it is (juju status {application}), then {again}"
        ));
    }
    if observed.databases.is_empty() {
        return Err(format!(
            "Missing integration pg-database: juju integrate {application}:pg-database postgresql-k8s:database"
        ));
    }
    let dsn = match &parsed.database {
        Answer::Ready(dsn) => dsn,
        Answer::Absent => {
            return Err(format!(
                "The database is not created yet: wait until it is (juju status --relations), then {again}"
            ));
        }
        Answer::Invalid(reason) => {
            return Err(format!("The database cannot be used yet: {reason}; see juju status --relations"));
        }
    };
    match &container.version {
        Version::Known(version) => Ok(Target { version: version.clone(), dsn: dsn.clone() }),
        Version::Unknown(reason) => Err(format!("Cannot tell the version of Kratos: {reason}; then {again}")),
        Version::NotAsked => Err(format!("The version of Kratos was not asked for; {again}")),
    }
}

/// Refuses while a refresh is still rolling: the units that are behind would go on with the old Kratos on the new
/// schema. Kubernetes replaces the unit of the highest number first, so the leader may be the last, and one whose pod does
/// not come back holds up the others for good: `waive` goes on without these units, which are returned.
pub fn same_versions(
    observed: &Observed,
    version: &WorkloadVersion,
    again: &str,
    waive: bool,
) -> Result<Vec<String>, String> {
    let Some(peers) = &observed.peers else { return Ok(Vec::new()) };
    let mut behind = behind(peers, &observed.context.unit.to_string(), version);
    behind.extend(silent(peers));
    if behind.is_empty() || waive {
        return Ok(behind);
    }
    let application = observed.application();
    Err(format!(
        "The units do not run the same Kratos, a refresh is still rolling; behind are {}: wait until it is through \
         (juju status {application}), then {again}; force=units goes on without them",
        behind.join(", ")
    ))
}

/// The units that have published no version while no run of this charm is recorded: they may still be of the charm that
/// was there before, which publishes none and serves with the old Kratos. Once this charm has migrated, such a unit is
/// new or lost.
fn silent(peers: &PeerRelation) -> impl Iterator<Item = String> {
    let is_taken_over = peers.runs().is_empty();
    let silent = peers.others.iter().filter(move |(_, version)| is_taken_over && version.is_none());
    silent.map(|(unit, _)| format!("{unit} (has not told its version yet)"))
}

/// Units whose published version is older than the newest published version.
fn behind(peers: &PeerRelation, unit: &str, version: &WorkloadVersion) -> Vec<String> {
    let others: Vec<_> = peers
        .others
        .iter()
        .map(|(unit, text)| (unit.to_string(), text.as_deref().and_then(WorkloadVersion::parse)))
        .collect();
    let newest = others.iter().filter_map(|(_, version)| version.as_ref()).chain([version]).max();
    let own = (unit.to_owned(), Some(version.clone()));
    let mut behind: Vec<_> = others
        .iter()
        .chain([&own])
        .filter_map(|(unit, version)| {
            version.as_ref().filter(|version| Some(*version) != newest).map(|it| (unit, it))
        })
        .collect();
    behind.sort();
    behind.iter().map(|(unit, version)| format!("{unit} ({version})")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::integrations::peers::MIGRATION_RUNS;
    use crate::juju::Databag;

    fn peers(others: &[(&str, Option<&str>)]) -> PeerRelation {
        PeerRelation {
            id: "kratos-peers:0".parse().unwrap(),
            application: Databag::new(),
            unit: Databag::new(),
            others: others
                .iter()
                .map(|(unit, version)| (unit.parse().unwrap(), version.map(str::to_owned)))
                .collect(),
        }
    }

    #[test]
    fn the_units_that_are_behind_are_named() {
        let new = WorkloadVersion::parse("v26.2.0").unwrap();
        let old = WorkloadVersion::parse("v25.4.0").unwrap();
        let none: [&str; 0] = [];
        assert_eq!(behind(&peers(&[]), "kratos/0", &new), none);
        assert_eq!(behind(&peers(&[("kratos/1", Some("v26.2.0"))]), "kratos/0", &new), none);
        let rolling = [("kratos/1", Some("v25.4.0")), ("kratos/2", Some("v26.2.0")), ("kratos/3", None)];
        assert_eq!(behind(&peers(&rolling), "kratos/0", &new), ["kratos/1 (v25.4.0)"]);
        assert_eq!(
            behind(&peers(&rolling[1..2]), "kratos/0", &old),
            ["kratos/0 (v25.4.0)"],
            "the leader itself may be the last"
        );
        assert_eq!(behind(&peers(&[("kratos/1", Some("nonsense"))]), "kratos/0", &new), none);
    }

    #[test]
    fn units_that_are_behind_are_waived_by_name_only() {
        let mut observed = crate::charm::tests::ready();
        let others = [("kratos/1", Some("v25.4.0")), ("kratos/2", None)];
        observed.peers = Some(peers(&others));
        let new = WorkloadVersion::parse("v26.2.0").unwrap();
        let refusal =
            same_versions(&observed, &new, "juju run kratos/leader run-migration", false).unwrap_err();
        let behind = ["kratos/1 (v25.4.0)", "kratos/2 (has not told its version yet)"];
        assert!(refusal.contains(&behind.join(", ")) && refusal.contains("force=units"), "{refusal}");
        assert_eq!(same_versions(&observed, &new, "", true).unwrap(), behind);
    }

    #[test]
    fn a_silent_unit_counts_until_this_charm_has_migrated() {
        let mut peers = peers(&[("kratos/1", Some("v26.2.0")), ("kratos/2", None)]);
        let found: Vec<_> = silent(&peers).collect();
        assert_eq!(found, ["kratos/2 (has not told its version yet)"]);
        let run = json!([{ "who": "kratos/0", "to": "v26.2.0", "seconds": 1.0, "outcome": "completed", "steps": [] }]);
        peers.application.insert(MIGRATION_RUNS.to_owned(), run.to_string());
        assert_eq!(peers.runs().len(), 1);
        assert_eq!(silent(&peers).count(), 0);
    }
}
