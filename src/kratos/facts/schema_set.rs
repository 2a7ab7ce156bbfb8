//! Identity schemas as options or a ConfigMap hold them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// Identity schemas by their id, and which one identities get unless told otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaSet {
    pub default_id: String,
    pub schemas: BTreeMap<String, Value>,
}
