//! Alert rules as Prometheus and Loki take them through a databag.
//!
//! A rule's query says `TOPOLOGY` where it selects what comes from this application; every rule carries the application's
//! labels. The text is the same each time, with sorted keys, so that nobody is woken by a rule that did not change.

use std::collections::BTreeMap;

use serde::Serialize;

use super::topology::{Topology, text};

/// The place in a query for the selector of the application.
const PLACE: &str = "TOPOLOGY";

/// Rules that belong together.
pub struct Group {
    pub name: &'static str,
    pub rules: &'static [Rule],
}

/// One alert.
pub struct Rule {
    pub alert: &'static str,
    pub expr: &'static str,
    /// For how long the query has to be true, such as `5m`.
    pub hold: &'static str,
    pub severity: &'static str,
    pub summary: &'static str,
    /// What it means and what to do.
    pub description: &'static str,
}

#[derive(Serialize)]
struct Rendered<'a> {
    groups: Vec<RenderedGroup<'a>>,
}

#[derive(Serialize)]
struct RenderedGroup<'a> {
    name: String,
    rules: Vec<RenderedRule<'a>>,
}

#[derive(Serialize)]
struct RenderedRule<'a> {
    alert: &'a str,
    annotations: BTreeMap<&'a str, &'a str>,
    expr: String,
    #[serde(rename = "for")]
    hold: &'a str,
    labels: BTreeMap<&'a str, &'a str>,
}

/// The value of `alert_rules`. `kind` ends the names of the groups: `rules` for Prometheus, `alerts` for Loki.
pub fn alert_rules(groups: &[Group], topology: &Topology, kind: &str) -> String {
    let matcher = topology.matcher();
    let rule = |rule: &'static Rule| {
        let mut labels = topology.labels();
        labels.insert("severity", rule.severity);
        RenderedRule {
            alert: rule.alert,
            annotations: BTreeMap::from([("description", rule.description), ("summary", rule.summary)]),
            expr: rule.expr.replace(PLACE, &matcher),
            hold: rule.hold,
            labels,
        }
    };
    let group = |group: &Group| RenderedGroup {
        name: group_name(&format!("{}_{}_{kind}", topology.identifier(), group.name)),
        rules: group.rules.iter().map(rule).collect(),
    };
    text(&Rendered { groups: groups.iter().map(group).collect() })
}

/// Only these characters may stand in the name of a group.
fn group_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == ':' { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::topology::tests::sample;
    use super::*;
    use crate::integrations::{logging, metrics};
    use serde_json::Value;

    #[test]
    fn every_rule_is_whole_and_concerns_this_application_alone() {
        for (groups, kind) in [(metrics::RULES, "rules"), (logging::RULES, "alerts")] {
            let rules = alert_rules(groups, &sample(), kind);
            assert_eq!(rules, alert_rules(groups, &sample(), kind));
            let rules: Value = serde_json::from_str(&rules).unwrap();
            for group in rules["groups"].as_array().unwrap() {
                let name = group["name"].as_str().unwrap();
                assert!(name.starts_with("idp_6f5b1b3e_kratos_") && name.ends_with(kind), "{name}");
                for rule in group["rules"].as_array().unwrap() {
                    let expr = rule["expr"].as_str().unwrap();
                    let selectors = expr.matches(r#"{juju_model="idp",juju_model_uuid="6f5b1b3e-"#).count();
                    assert!(selectors > 0 && selectors == expr.matches('{').count(), "{expr}");
                    assert!(!expr.contains(PLACE), "{expr}");
                    assert!(rule["for"].as_str().is_some_and(|hold| hold.ends_with('m')), "{rule}");
                    for label in
                        ["juju_model", "juju_model_uuid", "juju_application", "juju_charm", "severity"]
                    {
                        assert!(
                            rule["labels"][label].as_str().is_some_and(|text| !text.is_empty()),
                            "{rule}"
                        );
                    }
                    assert!(rule["labels"].get("juju_unit").is_none(), "{rule}");
                    let keys: Vec<_> = rule.as_object().unwrap().keys().collect();
                    assert_eq!(keys, ["alert", "annotations", "expr", "for", "labels"]);
                }
            }
        }
    }

    #[test]
    fn names_of_groups_hold_no_other_characters() {
        assert_eq!(group_name("a-b.c:d_é"), "a_b_c:d__");
    }
}
