//! Writes the keys of our databags that are not yet as desired.

use crate::charm::desired::DesiredBag;
use crate::charm::observed::Observed;
use crate::integrations::Keys;
use crate::juju::{self, Agent, Bag, Databag, RelationId, tolerate};

/// Writes them, a databag at a time.
pub async fn publish(agent: &Agent, observed: &Observed, databags: &[DesiredBag]) -> juju::Result<()> {
    for bag in databags {
        let changes = changes(observed, bag);
        if !changes.is_empty() {
            tracing::info!("publishing {} on {}", keys(&changes), bag.relation);
            tolerate(agent.relation_set(&bag.relation, bag.bag, &changes).await)?;
        }
    }
    Ok(())
}

/// The keys of a databag that are not yet as they should be.
fn changes(observed: &Observed, desired: &DesiredBag) -> Keys {
    let present = own_bag(observed, &desired.relation, desired.bag);
    let differs =
        |(key, value): &(&String, &Option<String>)| present.and_then(|bag| bag.get(*key)) != value.as_ref();
    desired.keys.iter().filter(differs).map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn keys(changes: &Keys) -> String {
    changes.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// One of our databags, as far as this unit may read it.
fn own_bag<'a>(observed: &'a Observed, relation: &RelationId, bag: Bag) -> Option<&'a Databag> {
    if let Some(peers) = observed.peers.as_ref().filter(|peers| &peers.id == relation) {
        return Some(match bag {
            Bag::App => &peers.application,
            Bag::Unit => &peers.unit,
        });
    }
    if let Some(related) = observed.relations.iter().find(|related| &related.id == relation) {
        return match bag {
            Bag::App => related.own.as_ref(),
            Bag::Unit => Some(&related.own_unit),
        };
    }
    let database = observed.databases.iter().find(|database| &database.id == relation)?;
    match bag {
        Bag::App => database.own.as_ref(),
        Bag::Unit => None,
    }
}
