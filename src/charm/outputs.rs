//! What other applications learn from us: the databags that follow from what was observed.
//!
//! All of it is part of what is desired, so a new leader, an upgrade or a new pod needs no code of its own (weakness 68).

use std::collections::BTreeMap;

use super::desired::DesiredBag;
use super::inputs::inputs;
use super::observed::Observed;
use crate::integrations::routes::{self, Backend};
use crate::juju::Bag;

/// The databags of every relation through which others learn something.
pub fn outputs(observed: &Observed) -> Vec<DesiredBag> {
    let backend = Backend { model: &observed.context.model, application: observed.application() };
    let internal_url = inputs(observed).internal_url;
    let mut bags = Vec::new();
    for relation in observed.relations.iter().filter(|_| observed.is_leader) {
        let endpoint = relation.id.endpoint();
        let keys: BTreeMap<String, Option<String>> = if endpoint == routes::PUBLIC.name {
            routes::public(backend, routes::address(relation).ready().as_ref())
        } else if endpoint == routes::INTERNAL.name {
            routes::internal(backend, internal_url.as_ref())
        } else {
            continue;
        };
        bags.push(DesiredBag { relation: relation.id.clone(), bag: Bag::App, keys });
    }
    bags
}
