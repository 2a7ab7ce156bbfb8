//! relation-ids, -list, -get, -set, -model-get.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Call, Fault, Outcome};
use crate::model::{BagKey, Event, ModelError, Relation, RelationHook, application_of, split_unit};

impl Call<'_> {
    /// The relation that `-r` names, or the one that the hook is about.
    pub(super) fn relation_id(&self) -> Result<Option<u32>, Fault> {
        let Some(text) = self.flags.get("r") else { return Ok(self.ctx.event.relation_id()) };
        let written = self.flags.written("r");
        let refused =
            |reason| Fault::Usage(format!("invalid value \"{text}\" for option {written}: {reason}"));
        let number = text.rsplit_once(':').map_or(text, |(_, number)| number);
        let id = number.parse::<u32>().map_err(|_| refused("invalid relation id"))?;
        if self.visible(id) { Ok(Some(id)) } else { Err(refused("relation not found")) }
    }

    fn required_relation(&self) -> Result<u32, Fault> {
        self.relation_id()?.ok_or_else(|| Fault::usage("no relation id specified"))
    }

    // A unit knows the relations whose scope it is in.
    fn visible(&self, id: u32) -> bool {
        let in_scope = |relation: &Relation| relation.scope.contains(&self.ctx.unit);
        self.model.relations.get(&id).is_some_and(in_scope)
    }

    fn relation(&self, id: u32) -> Result<&Relation, Fault> {
        Ok(self
            .model
            .relations
            .get(&id)
            .filter(|_| self.visible(id))
            .ok_or_else(|| ModelError::NotFound { what: "relation", name: id.to_string() })?)
    }

    pub(super) fn app(&self) -> &str {
        application_of(&self.ctx.unit)
    }

    // A bag with the writes of this hook.
    fn own_bag(&self, id: u32, key: BagKey) -> Result<BTreeMap<String, String>, Fault> {
        let relation = self.relation(id)?;
        let bag = match key {
            BagKey::Unit => relation.unit_bags.get(&self.ctx.unit),
            BagKey::Application => relation.app_bags.get(self.app()),
        };
        let mut bag = bag.cloned().unwrap_or_default();
        bag.write(self.ctx.changes.bags.get(&(id, key)).into_iter().flatten());
        Ok(bag.data)
    }

    // Another's bag: denied unless it belongs to this relation's other side (or to a peer).
    fn foreign_bag(&mut self, id: u32, holder: &str) -> Result<BTreeMap<String, String>, Fault> {
        let key = (id, holder.to_owned());
        if let Some(data) = self.ctx.read.get(&key) {
            return Ok(data.clone());
        }
        let relation = self.relation(id)?;
        let remote = relation.remote(self.app()).map(|side| side.app.as_str());
        if remote != Some(application_of(holder)) {
            return Err(ModelError::PermissionDenied.into());
        }
        let bag = if holder.contains('/') {
            relation.unit_bags.get(holder).ok_or(ModelError::PermissionDenied)?.data.clone()
        } else {
            relation.app_bags.get(holder).map(|bag| bag.data.clone()).unwrap_or_default()
        };
        self.ctx.read.insert(key, bag.clone());
        Ok(bag)
    }
}

pub(super) fn ids(call: &mut Call<'_>) -> Outcome {
    call.at_most(1)?;
    let endpoint = match (call.arg(0), &call.ctx.event) {
        (Some(name), _) => name.to_owned(),
        (None, Event::Relation { endpoint, .. }) => endpoint.clone(),
        (None, _) => return Err(Fault::usage("no endpoint name specified")),
    };
    let ids = call.model.relation_ids(call.app(), &endpoint);
    let shown = ids.into_iter().filter(|id| call.visible(*id) && call.ctx.event.broken() != Some(*id));
    let mut names: Vec<String> = shown.map(|id| format!("{endpoint}:{id}")).collect();
    names.sort();
    call.print(&json!(names))
}

pub(super) fn list(call: &mut Call<'_>) -> Outcome {
    call.at_most(0)?;
    let id = call.required_relation()?;
    let remote = call.relation(id)?.remote(call.app()).map(|side| side.app.clone());
    if call.flags.has("app") {
        return call.print(&json!(remote));
    }
    if call.ctx.event.broken() == Some(id) {
        return call.print(&json!([]));
    }
    let unit = call.model.unit(&call.ctx.unit)?;
    let known = unit.relations.get(&id).map(|local| &local.members);
    let mut members: Vec<&String> = known.into_iter().flat_map(BTreeMap::keys).collect();
    if let Event::Relation { hook, id: current, unit: Some(unit), .. } = &call.ctx.event
        && *current == id
    {
        members.retain(|member| *member != unit);
        if *hook != RelationHook::Departed {
            members.push(unit);
        }
    }
    members.sort();
    call.print(&json!(members))
}

pub(super) fn model_get(call: &mut Call<'_>) -> Outcome {
    call.at_most(0)?;
    call.required_relation()?;
    let uuid = call.model.uuid.clone();
    call.print(&json!({ "uuid": uuid }))
}

pub(super) fn get(call: &mut Call<'_>) -> Outcome {
    let id = call.required_relation()?;
    let key = call.arg(0).filter(|key| *key != "-").map(str::to_owned);
    let (holder, app) = holder(call)?;
    call.at_most(2)?;
    let own_app = call.app().to_owned();
    let data = if holder == call.ctx.unit && !app {
        call.own_bag(id, BagKey::Unit)?
    } else if holder == own_app && app {
        if call.ctx.is_leader(call.model) {
            call.own_bag(id, BagKey::Application)?
        } else {
            // Peers may read it; at the other relations only the leader may.
            call.foreign_bag(id, &holder)?
        }
    } else if !app && split_unit(&holder).is_none() {
        return Err(Fault::failed(format!("\"{holder}\" is not a valid unit")));
    } else {
        call.foreign_bag(id, &holder)?
    };
    match key {
        Some(key) => call.print(&json!(data.get(&key))),
        None => call.print(&json!(data)),
    }
}

// Whose bag is meant, and whether it is an application's.
fn holder(call: &Call<'_>) -> Result<(String, bool), Fault> {
    let app = call.flags.has("app");
    let (remote_app, remote_unit) = call.ctx.event.remote();
    let found = match (call.arg(1), app) {
        (Some(name), true) => Some((application_of(name).to_owned(), true)),
        (Some(name), false) => Some((name.to_owned(), false)),
        (None, true) => remote_app.map(|name| (name.to_owned(), true)),
        (None, false) => remote_unit
            .map(|name| (name.to_owned(), false))
            .or_else(|| remote_app.map(|name| (name.to_owned(), true))),
    };
    found.ok_or_else(|| Fault::usage("no unit or application specified"))
}

pub(super) fn set(call: &mut Call<'_>) -> Outcome {
    let id = call.required_relation()?;
    let pairs = call.pairs(0)?;
    let mut data = call.file_map()?;
    data.extend(pairs);
    call.relation(id)?;
    let key = if call.flags.has("app") { BagKey::Application } else { BagKey::Unit };
    if key == BagKey::Application && !call.ctx.is_leader(call.model) {
        return Err(Fault::failed("cannot write relation settings"));
    }
    call.ctx.changes.bags.entry((id, key)).or_default().extend(data);
    Ok(String::new())
}
