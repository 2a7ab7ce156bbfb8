//! What the actions on identity schemas share: their parameters, and the schemas that Kratos has.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::charm::Observed;
use crate::charm::schemas::told;
use crate::kratos::schema::traits::IdentitySchema;

/// So many identities that do not fit are listed; the others are counted.
pub const MOST_LISTED: u64 = 20;

/// A parameter that is a text; without a value it is none.
pub fn text<'a>(parameters: &'a BTreeMap<String, Value>, name: &str) -> Result<Option<&'a str>, String> {
    match parameters.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim())),
        Some(_) => Err(format!("Invalid parameter {name}: it is a text")),
    }
}

/// The schema of an id that Kratos has been told.
pub fn known(observed: &Observed, name: &str, id: &str) -> Result<IdentitySchema, String> {
    let told = told(observed);
    let Some(url) = told.get(id) else {
        let ids: Vec<&str> = told.keys().map(String::as_str).collect();
        return Err(format!(
            "Invalid parameter {name}={}: Kratos has no such identity schema, but: {}; see juju config {} identity_schemas",
            shown(id),
            ids.join(", "),
            observed.application(),
        ));
    };
    IdentitySchema::from_url(url)
        .map_err(|error| format!("The identity schema {} cannot be used: {error}", shown(id)))
}

/// A parameter's text on one line, shortened.
pub fn shown(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_debug).collect()
}
