//! What other applications learn from us: the databags that follow from what was observed.
//!
//! All of it is part of what is desired, so a new leader, an upgrade or a new pod needs no code of its own (weakness 68).

use std::collections::BTreeMap;

use serde_json::Value;

use super::desired::DesiredBag;
use super::facts::known_facts;
use super::inputs::{Inputs, inputs};
use super::observed::Observed;
use crate::integrations::kratos_info::{self, Features, Whereabouts};
use crate::integrations::routes::{self, Backend};
use crate::integrations::topology::Topology;
use crate::integrations::{Relation, dashboard, logging, metrics};
use crate::juju::{Bag, Event};
use crate::pebble::LogTarget;

type Keys = BTreeMap<String, Option<String>>;

/// The endpoints whose other side says in `event` what it could not use.
const JUDGED: [&str; 3] = [metrics::ENDPOINT.name, dashboard::ENDPOINT.name, logging::ENDPOINT.name];

/// The databags of every relation through which others learn something.
pub fn outputs(observed: &Observed) -> Vec<DesiredBag> {
    let inputs = inputs(observed);
    let topology = Topology::new(&observed.context);
    let mut bags = Vec::new();
    for relation in &observed.relations {
        let mut publish =
            |bag: Bag, keys: Keys| bags.push(DesiredBag { relation: relation.id.clone(), bag, keys });
        if observed.is_leader
            && let Some(keys) = of_leader(observed, &inputs, topology.as_ref(), relation)
        {
            publish(Bag::App, keys);
        }
        if relation.id.endpoint() == metrics::ENDPOINT.name {
            let (model, unit) = (&observed.context.model, &observed.context.unit);
            publish(Bag::Unit, metrics::unit(model, unit, relation.address.as_deref()));
        }
    }
    bags
}

/// What the leader says on a relation, if there is anything to say on its endpoint.
fn of_leader(
    observed: &Observed,
    inputs: &Inputs,
    topology: Option<&Topology>,
    relation: &Relation,
) -> Option<Keys> {
    let backend = Backend { model: &observed.context.model, application: observed.application() };
    let endpoint = relation.id.endpoint();
    if endpoint == routes::PUBLIC.name {
        Some(routes::public(backend, routes::address(relation).ready().as_ref()))
    } else if endpoint == routes::INTERNAL.name {
        Some(routes::internal(backend, inputs.internal_url.as_ref()))
    } else if endpoint == kratos_info::ENDPOINT.name {
        kratos_info(observed, inputs, backend)
    } else if endpoint == metrics::ENDPOINT.name {
        topology.map(metrics::application)
    } else if endpoint == dashboard::ENDPOINT.name {
        topology.map(dashboard::databag)
    } else if endpoint == logging::ENDPOINT.name {
        topology.map(logging::databag)
    } else {
        None
    }
}

/// While the options are invalid what was said stays.
fn kratos_info(observed: &Observed, inputs: &Inputs, backend: Backend<'_>) -> Option<Keys> {
    let Some(public_url) = &inputs.public_url else { return Some(kratos_info::nothing()) };
    let options = observed.options().ok()?;
    let at = Whereabouts { public_url, internal_url: inputs.internal_url.as_ref(), backend };
    let features = known_facts(observed).map(|facts| Features::new(&facts));
    Some(kratos_info::databag(at, &options, observed.config_map_names(), features.as_ref()))
}

/// What Pebble should do with the logs of the services; targets that are not named stay as they are.
pub fn log_targets(observed: &Observed) -> BTreeMap<String, LogTarget> {
    let (Some(topology), Some(container)) = (Topology::new(&observed.context), observed.container()) else {
        return BTreeMap::new();
    };
    logging::targets(&inputs(observed).log_takers, &topology, &container.plan.log_targets)
}

/// What the other side of the relation that just changed could not use of what we said.
pub fn judgements(observed: &Observed) -> Option<String> {
    const LONGEST: usize = 400;
    let Event::Relation(event) = &observed.context.event else { return None };
    let relation = observed.relations.iter().find(|relation| relation.id == event.id)?;
    let text = relation.value("event").filter(|_| JUDGED.contains(&relation.id.endpoint()))?;
    let judgement: Value = serde_json::from_str(text).unwrap_or_default();
    let is_error = |value: &&Value| match value {
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    let errors: Vec<String> = ["errors", "scrape_job_errors"]
        .into_iter()
        .filter_map(|key| judgement.get(key).filter(is_error))
        .map(ToString::to_string)
        .collect();
    let text: String = errors.join("; ").chars().take(LONGEST).collect();
    (!text.is_empty()).then(|| format!("{} cannot use something: {text}", relation.id))
}
