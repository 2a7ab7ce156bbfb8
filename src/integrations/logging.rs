//! `logging` (interface loki_push_api): Pebble sends what the services print to every unit of Loki, and the leader tells Loki
//! when to raise an alarm.
//!
//! Given where each remote unit takes logs and what Pebble's plan holds, [`targets`] tells what the plan should hold. Pebble
//! never forgets a target and never lets one that exists send elsewhere: so one that is not wanted any more is switched off,
//! and a unit with a new URL gets a target with a new name (docs/behaviour.md#weakness-58).

use std::collections::BTreeMap;

use reqwest::Url;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::endpoint::Endpoint;
pub use super::log_rules::RULES;
use super::related::{Given, LogReceivers, ReadContext, Related};
use super::relation::{Relation, Remote, Sifted};
use super::rules::alert_rules;
use super::topology::{CHARM, Topology};
use crate::juju::UnitName;
use crate::kratos::facts::uri::web_url;
use crate::pebble::{LogTarget, Override};

/// Each unit of Loki says in its own databag where it takes logs.
pub const ENDPOINT: Endpoint = Endpoint {
    remote_units: true,
    reports_errors: true,
    read,
    answer: Some(|publication, _| publication.topology.map(databag)),
    ..Endpoint::new("logging")
};
/// The label of the layer with the targets; the charm's layer has another one.
pub const LAYER: &str = "kratos-log-forwarding";

const KIND: &str = "loki";
const ALL: &str = "all";
const NONE: &str = "-all";
/// The label by which an enabled target is known as one of ours.
const PRODUCT: (&str, &str) = ("product", "Juju");

fn read(related: &mut Related, given: &mut Given<'_>, _: ReadContext<'_>) {
    related.log_receivers = given.sifted(receivers).into_iter().flat_map(|(_, found)| found).collect();
}

/// Where the units take logs. One that does not say so yet, or says it wrongly, costs the others nothing.
pub fn receivers(relation: &Relation) -> Remote<Sifted<LogReceivers>> {
    let mut sifted = Sifted { used: LogReceivers::new(), refused: vec![] };
    for (unit, bag) in &relation.remote_units {
        let Some(text) = bag.get("endpoint").filter(|text| !text.trim().is_empty()) else { continue };
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        match value["url"].as_str().and_then(web_url) {
            Some(url) => drop(sifted.used.insert(unit.clone(), url)),
            None => sifted.refused.push(format!("endpoint of {unit} has no http(s) url")),
        }
    }
    sifted.into_remote()
}

/// What the leader publishes.
pub fn databag(topology: &Topology) -> BTreeMap<String, Option<String>> {
    let keys = [("metadata", topology.metadata()), ("alert_rules", alert_rules(RULES, topology, "alerts"))];
    keys.map(|(key, value)| (key.to_owned(), Some(value))).into()
}

/// The targets by name: one for each unit that takes logs, and those of ours in the plan that have to be switched off.
pub fn targets(
    receivers: &LogReceivers,
    topology: &Topology,
    present: &BTreeMap<String, LogTarget>,
) -> BTreeMap<String, LogTarget> {
    let mut targets = BTreeMap::new();
    for (unit, url) in receivers {
        let target = LogTarget {
            override_: Some(Override::Replace),
            kind: Some(KIND.to_owned()),
            location: Some(url.to_string()),
            services: vec![ALL.to_owned()],
            labels: labels(topology),
            ..LogTarget::default()
        };
        targets.insert(name(unit, url, present), target);
    }
    for (name, target) in present {
        if is_ours(target) && !targets.contains_key(name) {
            let services = vec![NONE.to_owned()];
            let off = LogTarget { services, labels: BTreeMap::new(), ..target.clone() };
            targets.insert(name.clone(), off);
        }
    }
    targets
}

/// The unit's name, as long as no target of that name goes elsewhere.
fn name(unit: &UnitName, url: &Url, present: &BTreeMap<String, LogTarget>) -> String {
    let goes_there = |target: &LogTarget| {
        target.location.as_deref() == Some(url.as_str()) && target.kind.as_deref() == Some(KIND)
    };
    if present.get(&unit.to_string()).is_none_or(goes_there) {
        return unit.to_string();
    }
    let digest: String =
        Sha256::digest(url.as_str()).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{unit}-{digest}")
}

/// Whether it is a target that this charm, or the Python charm before it, switched on.
fn is_ours(target: &LogTarget) -> bool {
    target.labels.get(PRODUCT.0).is_some_and(|product| product == PRODUCT.1)
}

/// Pebble replaces `$NAME` by the environment of the service and has no way to write the sign itself. No name in Juju
/// holds one; were there one, it is left out rather than filled with a value of the environment.
pub fn labels(topology: &Topology) -> BTreeMap<String, String> {
    let pairs = [
        PRODUCT,
        ("charm", CHARM),
        ("juju_charm", CHARM),
        ("juju_model", &topology.model),
        ("juju_model_uuid", &topology.model_uuid),
        ("juju_application", &topology.application),
        ("juju_unit", &topology.unit),
    ];
    pairs.into_iter().map(|(label, value)| (label.to_owned(), value.replace('$', ""))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample::{bag, relation};
    use super::super::topology::tests::sample;
    use super::*;

    const FIRST: &str = "http://loki-0:3100/loki/api/v1/push";
    const SECOND: &str = "http://loki-1:3100/loki/api/v1/push";

    fn at(pairs: &[(&str, &str)]) -> LogReceivers {
        pairs.iter().map(|(unit, url)| (unit.parse().unwrap(), url.parse().unwrap())).collect()
    }

    /// Adds a layer as Pebble does: what is named is replaced, nothing is ever removed.
    fn add(plan: &mut BTreeMap<String, LogTarget>, receivers: &LogReceivers) {
        let wanted = targets(receivers, &sample(), plan);
        plan.extend(wanted.clone());
        assert_eq!(targets(receivers, &sample(), plan), on_and_off(&wanted, plan), "the plan is not at rest");
    }

    /// What has to be named once the plan is as wanted: targets that are off are not touched again.
    fn on_and_off(
        wanted: &BTreeMap<String, LogTarget>,
        plan: &BTreeMap<String, LogTarget>,
    ) -> BTreeMap<String, LogTarget> {
        let is_on = |(name, _): &(&String, &LogTarget)| plan[*name].services == [ALL];
        wanted.iter().filter(is_on).map(|(name, target)| (name.clone(), target.clone())).collect()
    }

    /// The URLs to which is sent.
    fn sent(plan: &BTreeMap<String, LogTarget>) -> Vec<&str> {
        let on = plan.values().filter(|target| target.services == [ALL]);
        on.filter_map(|target| target.location.as_deref()).collect()
    }

    #[test]
    fn a_target_is_named_after_its_unit_and_labelled() {
        let targets = targets(&at(&[("loki/0", FIRST)]), &sample(), &BTreeMap::new());
        let expected = serde_json::json!({"loki/0": {
            "override": "replace", "type": "loki", "location": FIRST, "services": ["all"],
            "labels": {
                "charm": "kratos", "juju_application": "kratos", "juju_charm": "kratos", "juju_model": "idp",
                "juju_model_uuid": "6f5b1b3e-0000-4000-8000-000000000000", "juju_unit": "kratos/0", "product": "Juju",
            },
        }});
        assert_eq!(serde_json::to_value(targets).unwrap(), expected);
        let odd = Topology { model: "a$DSN".to_owned(), ..sample() };
        assert_eq!(labels(&odd)["juju_model"], "aDSN", "no environment reaches a label");
    }

    #[test]
    fn weakness_58_targets_follow_their_units_and_none_is_left_on() {
        let mut plan = BTreeMap::new();
        add(&mut plan, &at(&[("loki/0", FIRST), ("loki/1", SECOND)]));
        assert_eq!(sent(&plan), [FIRST, SECOND]);
        // A unit that goes.
        add(&mut plan, &at(&[("loki/0", FIRST)]));
        assert_eq!(sent(&plan), [FIRST]);
        // Another URL of the same unit: a target that exists would go on sending to the old one.
        add(&mut plan, &at(&[("loki/0", SECOND)]));
        assert_eq!((sent(&plan), plan["loki/0"].location.as_deref()), (vec![SECOND], Some(FIRST)));
        // Back, and away, and back.
        add(&mut plan, &at(&[("loki/0", FIRST)]));
        assert_eq!(sent(&plan), [FIRST]);
        add(&mut plan, &at(&[]));
        assert!(sent(&plan).is_empty() && plan.values().all(|target| target.location.is_some()));
        add(&mut plan, &at(&[("loki/0", FIRST)]));
        assert_eq!((sent(&plan), plan.len()), (vec![FIRST], 3));
    }

    #[test]
    fn targets_of_others_are_left_alone() {
        let other = LogTarget { services: vec![ALL.to_owned()], ..LogTarget::default() };
        let plan = BTreeMap::from([("of-the-image".to_owned(), other)]);
        assert!(targets(&at(&[]), &sample(), &plan).is_empty());
    }

    #[test]
    fn weakness_58_a_unit_without_endpoint_costs_the_others_nothing() {
        let mut relation = relation("logging:4", &[]);
        let units = [
            ("loki/0", bag(&[("endpoint", &format!(r#"{{"url": "{FIRST}"}}"#))])),
            ("loki/1", bag(&[("public_address", "x")])),
            ("loki/2", bag(&[("endpoint", r#"{"url": "sesame"}"#)])),
            ("loki/3", bag(&[("endpoint", "[")])),
        ];
        relation.remote_units = units.map(|(unit, bag)| (unit.parse().unwrap(), bag)).into();
        let found = receivers(&relation).ready().unwrap();
        assert_eq!(found.used, at(&[("loki/0", FIRST)]));
        let refused = ["loki/2", "loki/3"].map(|unit| format!("endpoint of {unit} has no http(s) url"));
        assert_eq!(found.refused, refused);
        relation.remote_units.clear();
        assert_eq!(receivers(&relation), Remote::Absent);
    }
}
