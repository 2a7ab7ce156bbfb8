//! `identity`: the schemas of identities, from the first source that has any: options, ConfigMap, charm
//! (docs/behaviour.md#row-52 and #row-53).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;

use super::section::{Section, TakesEffect};
use crate::kratos::facts::Facts;
use crate::kratos::facts::schema_set::SchemaSet;
use crate::kratos::render::notes::{Note, Source, shown};
use crate::kratos::schema::rules::{fault_of_id, fault_of_schema};
use crate::kratos::version::WorkloadVersion;

/// The schema that identities get unless told otherwise.
pub const DEFAULT_SCHEMA: &str = "social_user_v0";
/// Stored identities refer to these ids: they stay valid for ever.
pub const BUNDLED_SCHEMAS: [(&str, &str); 2] = [
    ("admin_v0", include_str!("../identity_schemas/admin_v0.json")),
    (DEFAULT_SCHEMA, include_str!("../identity_schemas/social_user_v0.json")),
];

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Identity {
    default_schema_id: String,
    schemas: Vec<SchemaUrl>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct SchemaUrl {
    id: String,
    url: String,
}

impl Section for Identity {
    const KEY: &'static str = "identity";
    const EFFECT: TakesEffect = TakesEffect::Live;
}

impl Identity {
    pub fn new(facts: &Facts, notes: &mut Vec<Note>) -> Self {
        let stored = || usable(facts.stored_schemas.clone()?, facts.version.as_ref(), notes);
        match facts.options.schema_set().or_else(stored) {
            Some(SchemaSet { default_id, schemas }) => Self {
                default_schema_id: default_id,
                schemas: schemas.iter().map(|(id, schema)| SchemaUrl::new(id, &schema.to_string())).collect(),
            },
            None => Self {
                default_schema_id: DEFAULT_SCHEMA.to_owned(),
                schemas: BUNDLED_SCHEMAS.iter().map(|(id, text)| SchemaUrl::new(id, text)).collect(),
            },
        }
    }
}

impl SchemaUrl {
    fn new(id: &str, text: &str) -> Self {
        Self { id: id.to_owned(), url: format!("base64://{}", BASE64_STANDARD.encode(text)) }
    }
}

/// The ConfigMap's schemas, wholly or not at all: identities may have any of them.
fn usable(set: SchemaSet, version: Option<&WorkloadVersion>, notes: &mut Vec<Note>) -> Option<SchemaSet> {
    let fault = set.schemas.iter().find_map(|(id, schema)| {
        let fault = fault_of_id(id).or_else(|| fault_of_schema(schema, version))?;
        Some(format!("of {}, {fault}", shown(id)))
    });
    let is_default_there = set.schemas.contains_key(&set.default_id);
    let fault = fault.or_else(|| {
        (!is_default_there).then(|| format!("the default {} is not among them", shown(&set.default_id)))
    });
    match fault {
        _ if set.schemas.is_empty() => None,
        None => Some(set),
        Some(fault) => {
            let text = format!("The identity schemas of the ConfigMap are not used: {fault}");
            notes.push(Note { text, source: Source::Schemas });
            None
        }
    }
}
