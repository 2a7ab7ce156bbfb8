//! What the actions on identity schemas share: the schemas that Kratos has, and texts about them.

use crate::charm::observed::Observed;
use crate::charm::situation::last_told;
use crate::kratos::schema::traits::IdentitySchema;

/// So many identities that do not fit are listed; the others are counted.
pub const MOST_LISTED: u64 = 20;

/// The schema of an id with which Kratos is configured.
pub fn known(observed: &Observed, name: &str, id: &str) -> Result<IdentitySchema, String> {
    let schemas = last_told(observed);
    let Some(url) = schemas.get(id) else {
        let ids: Vec<&str> = schemas.keys().map(String::as_str).collect();
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
